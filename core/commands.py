"""The terminal's commands beside a run: install packages, try what a run has written."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from core.cancel import Cancel
from core.errors import AppError, BadInput
from core.inputs import read_paths
from core.sandbox import ProgramResult
from core.sandbox.files import write_out
from core.sandbox.names import size
from core.services import open_services
from core.terminal import BAD_USAGE, NOT_PASSED, PASSED
from core.tryout import MAX_STDIN_BYTES, Trial

# What `timeout` and shells use for the same: out of time, can't be run, ended by signal N.
OUT_OF_TIME, CANT_RUN, SIGNALLED = 124, 126, 128


def packages(config_path: Path) -> int:
    """Install what sandbox.packages asks for; 0 when all of it is there. Raises ConfigError."""
    with open_services(config_path, terminal=True, idle=True) as services:
        wanted = services.packages.state.wanted
        if not wanted:
            print("sandbox.packages is empty: generated code has the standard library.")
            return PASSED
        if services.packages.state.phase != "ready":
            print(f"Installing {', '.join(wanted)} ...", flush=True)
        state = services.packages.ensure(Cancel(), again=True)
        if state.phase != "ready":
            print(f"✗ {state.message}", file=sys.stderr)
            return NOT_PASSED
        for package in state.packages:
            print(f"✓ {package}{'' if package.asked else ' (needed by another)'}")
        return PASSED


def try_out(
    run_id: str,
    config_path: Path,
    *,
    arguments: Sequence[str],
    call: str,
    stdin: str,
    paths: Sequence[Path],
    out: Path | None,
) -> int:
    """Run a run's code once and print what it prints; the program's own exit status.

    `stdin` is a file's name, "-" for our own input, '' for none. What it leaves is written below
    `out`, or only named without one. 124: out of time, 126: it can't be run, 128+N: signal N.
    """
    with open_services(config_path, terminal=True, idle=True) as services:
        # A person at the terminal may give what they like; its own memory is the sandbox's limit.
        trial = Trial(
            arguments=tuple(arguments),
            stdin=_input(stdin),
            call=call,
            files=read_paths(paths, services.opened_with.sandbox.scratch_bytes),
        )
        try:
            tried = services.tryout.run(run_id, trial)
        except BadInput:
            raise
        except AppError as error:
            print(error.message, file=sys.stderr)
            return CANT_RUN
    result = tried.result
    for stream, text in ((sys.stdout, result.stdout), (sys.stderr, result.stderr)):
        stream.write(_harmless(text) if stream.isatty() else text)
        stream.flush()
    if result.message:
        print(f"✗ {result.status}: {result.message}", file=sys.stderr)
    if tried.hint:
        print(tried.hint, file=sys.stderr)
    unwritten = _files(result, out)
    return _status(result) or unwritten


def _harmless(text: str) -> str:
    """Without what a terminal would take for a command: the program is not ours."""
    kept = "\n\t"
    return "".join(c if c.isprintable() or c in kept else repr(c)[1:-1] for c in text)


def _input(name: str) -> bytes:
    if not name:
        return b""
    try:
        with open(0 if name == "-" else name, "rb", closefd=name != "-") as file:  # noqa: PTH123
            return file.read(MAX_STDIN_BYTES + 1)
    except OSError as error:
        raise BadInput("stdin", f"{name} can't be read: {error.strerror}.") from error


def _files(result: ProgramResult, out: Path | None) -> int:
    """Write or name the files; BAD_USAGE when one that was wanted could not be written."""
    refused = list(result.refused)
    unwritten = write_out(out, result.files) if out is not None else ()
    missing = {text.partition(":")[0] for text in unwritten}
    for file in result.files:
        if file.name not in missing:
            what = f"Written to {out}: {file.name}" if out else f"Left: {file.name}"
            print(f"{what} ({size(len(file.data))})", file=sys.stderr)
    if result.files and out is None:
        print("Use --out FOLDER to keep them.", file=sys.stderr)
    for text in (*refused, *unwritten):
        print(f"✗ Not taken: {text}", file=sys.stderr)
    return BAD_USAGE if unwritten else 0


def _status(result: ProgramResult) -> int:
    if result.status == "timeout":
        return OUT_OF_TIME
    if result.exit_code is None:
        return CANT_RUN
    return result.exit_code if result.exit_code >= 0 else SIGNALLED - result.exit_code

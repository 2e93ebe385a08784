"""Run pip: wheels into a directory, compiled, and what it said when it could not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from packaging.markers import default_environment

from core.cancel import Cancel
from core.errors import SandboxError
from core.sandbox import wheels

# Where the packages are in the sandbox: tracebacks name this place.
SITE = "/opt/site"
_INSTALL_TIMEOUT_S = 1800.0
_COMPILE_TIMEOUT_S = 600.0
_TICK_S = 0.1
_KEPT_BYTES = 4000  # of what pip said: the end tells why


def install(python: str, wanted: Sequence[str], target: Path, cancel: Cancel) -> None:
    """Fetch wheels of `wanted` and of all that they need into the directory `target`, which is
    empty, and compile them. Raises SandboxError with pip's last words, or Cancelled.

    The user's own settings of pip (an index, a proxy, a directory of wheels) count. Nothing of a
    package is run: no dependency is left to pip, which would build some of them.
    """
    quiet = ["--no-input", "--disable-pip-version-check", "--progress-bar=off", "--quiet"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def fetch(texts: Sequence[str]) -> None:
            options = [*quiet, "--no-deps", "--only-binary=:all:", "--dest", name]
            _pip([python, "-I", "-m", "pip", "download", *options, "--", *texts], texts, cancel)

        wheels.gather(wanted, folder, fetch, _markers(python, cancel))
        options = [*quiet, "--no-deps", "--no-index", "--no-compile", "--no-warn-script-location"]
        paths = sorted(map(str, folder.glob("*.whl")))
        where = ["--target", str(target), "--", *paths]
        _pip([python, "-I", "-m", "pip", "install", *options, *where], wanted, cancel)
    # Their paths as the sandbox has them; unchecked, because nobody changes them there.
    how = ["-q", "--invalidation-mode", "unchecked-hash", "-s", str(target), "-p", SITE]
    # A module that can't be compiled (a template, code for another Python) matters to no one yet.
    _run([python, "-I", "-m", "compileall", *how, str(target)], _COMPILE_TIMEOUT_S, cancel)


def _pip(command: Sequence[str], wanted: Sequence[str], cancel: Cancel) -> None:
    status, said = _run(command, _INSTALL_TIMEOUT_S, cancel)
    if status != 0:
        raise SandboxError(
            f"pip could not install {', '.join(wanted)}: {_last_words(said) or 'it said nothing'}"
        )


def _markers(python: str, cancel: Cancel) -> dict[str, str]:
    """What decides which dependencies count, of the interpreter that will import them."""
    if python == sys.executable:
        return {name: str(value) for name, value in default_environment().items()}
    code = "import json; from pip._vendor.packaging.markers import default_environment as d"
    status, said = _run([python, "-I", "-c", f"{code}; print(json.dumps(d()))"], 60.0, cancel)
    if status != 0:
        raise SandboxError(f"{python} can't say what it is: {_last_words(said)}")
    found: dict[str, str] = json.loads(said)
    return found


def _run(command: Sequence[str], timeout_s: float, cancel: Cancel) -> tuple[int, str]:
    """The exit status and the end of the output; the process dies with all that it started."""
    cancel.check()
    # PIP_USER contradicts --target. In an empty directory no file can pass for a package.
    environment = {**os.environ, "PIP_USER": "0"}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryDirectory() as empty:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=empty,
                env=environment,
                start_new_session=True,
                umask=0o022,  # the code may run as another user
            )
        except OSError as error:
            raise SandboxError(f"{command[0]} can't be started: {error}") from error
        try:
            status = _wait(process, timeout_s, cancel)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        output.seek(max(0, output.seek(0, os.SEEK_END) - _KEPT_BYTES))
        return status, output.read().decode("utf-8", "replace")


def _wait(process: subprocess.Popen[bytes], timeout_s: float, cancel: Cancel) -> int:
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return process.wait(_TICK_S)
        except subprocess.TimeoutExpired:
            cancel.check()
            if time.monotonic() > deadline:
                raise SandboxError(f"pip did not end within {timeout_s:.0f} s") from None


def _last_words(said: str) -> str:
    """The errors among pip's lines, else its last lines."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")]
    return " ".join((errors or lines)[-3:])[-600:]

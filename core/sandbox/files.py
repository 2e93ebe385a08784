"""Files that go into an execution and files that come out of it: which names and sizes are taken.

What comes out was written by code that nobody has read, and so was, perhaps, the text that says
so: everything is checked here again, whatever the collector inside has checked.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.sandbox.names import MIB, name_problem, shown_name, size

MAX_INPUTS = 20
_MAX_LEVELS = 10
_MAX_REFUSALS = 102  # what the collector reports, its last words included
_MAX_SHOWN = 200  # characters of a refusal's name and of its reason


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFile:
    """A file that a program left: `name` is relative, with `/` between directories."""

    name: str
    data: bytes


def check_inputs(
    files: Mapping[str, bytes], *, limit_bytes: int = 1024 * MIB, modules: Collection[str] = ()
) -> None:
    """Raise BadInput, field `files`, when these can't be given to a program.

    At most MAX_INPUTS, at most `limit_bytes` together; no name may be that of the program's own
    module, of a skill's, or of one of `modules` (by module name).
    """
    if len(files) > MAX_INPUTS:
        raise BadInput("files", f"{len(files)} files are too many: at most {MAX_INPUTS} are taken.")
    for name in files:
        problem = name_problem(name)
        if problem:
            raise BadInput("files", f"The file {shown_name(name)} is not taken: {problem}.")
        stem = name.removesuffix(".py")
        if stem != name and (stem.startswith("skill_") or stem in {"solution", *modules}):
            reason = "the program's own code may have this name"
            raise BadInput("files", f"The file {name} is not taken: {reason}. Rename it.")
    total = sum(map(len, files.values()))
    if total > limit_bytes:
        raise BadInput(
            "files",
            f"The files have {size(total)} together; at most {size(limit_bytes)} are taken. "
            "Send less of them, or raise run.input_files_bytes in the config.",
        )


def read_files(
    lines: Iterable[Any], *, limit_bytes: int = 16 * MIB, limit_files: int = 100
) -> tuple[tuple[OutputFile, ...], tuple[str, ...]]:
    """The files of a record, and a sentence about each that was refused.

    A line is what the collector yields, as a value or as JSON. What is none is refused; nothing
    is raised. All that exceeds the limits, and a name that comes twice, is refused as well.
    """
    reader = _Reader(limit_bytes, limit_files)
    for line in lines:
        reader.take(line)
    return tuple(reader.files.values()), tuple(reader.refused)


class _Reader:
    def __init__(self, limit_bytes: int, limit_files: int) -> None:
        self.files: dict[str, OutputFile] = {}
        self.refused: list[str] = []
        self._folders: set[str] = set()
        self._left_bytes = limit_bytes
        self._left_files = limit_files

    def take(self, line: Any) -> None:
        """Sort one line in."""
        plain = _plain(line)
        name, kind = plain.get("name"), plain.get("kind")
        if not isinstance(name, str) or kind not in ("file", "refused"):
            self._refuse("", "a record of a file that can't be read")
        elif kind == "refused":
            self._refuse(name, plain.get("reason"))
        else:
            self._take_file(name, plain.get("data"))

    def _take_file(self, name: str, encoded: Any) -> None:
        folders = _folders(name)
        problem = _path_problem(name)
        if not problem and (name in self.files or name in self._folders):
            problem = "its name comes twice"
        if not problem and any(folder in self.files for folder in folders):
            problem = "a file has the name of its directory"
        data = b"" if problem else _decoded(encoded, self._left_bytes)
        if data is None:
            problem = "its content can't be read or is too large"
        if not problem and self._left_files <= 0:
            problem = "too many files"
        if problem or data is None:
            self._refuse(name, problem)
            return
        self._left_bytes -= len(data)
        self._left_files -= 1
        self._folders.update(folders)
        self.files[name] = OutputFile(name=name, data=data)

    def _refuse(self, name: str, reason: Any) -> None:
        if len(self.refused) >= _MAX_REFUSALS:
            return
        why = reason if isinstance(reason, str) and reason else "no reason given"
        why = shown_name(why[:_MAX_SHOWN]) if not why.isprintable() else why[:_MAX_SHOWN]
        self.refused.append(f"{shown_name(name)}: {why}" if name else why)


def _plain(line: Any) -> dict[str, Any]:
    if isinstance(line, bytes | bytearray | str):
        with contextlib.suppress(ValueError, RecursionError, MemoryError):
            line = json.loads(line)
    return line if isinstance(line, dict) else {}


def _decoded(encoded: Any, limit_bytes: int) -> bytes | None:
    if not isinstance(encoded, str) or len(encoded) > limit_bytes * 4 // 3 + 4:
        return None
    try:
        data = base64.b64decode(encoded, validate=True)
    except ValueError:
        return None
    return data if len(data) <= limit_bytes else None


def _folders(name: str) -> list[str]:
    parts = name.split("/")[:_MAX_LEVELS]
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def _path_problem(name: str) -> str:
    parts = name.split("/", _MAX_LEVELS)
    if len(parts) >= _MAX_LEVELS:
        return "directories too deep"
    return next(filter(None, map(name_problem, parts)), "")


def write_out(folder: Path, files: Sequence[OutputFile]) -> tuple[str, ...]:
    """Write the files below `folder`, made if missing; a sentence about each that could not be.

    Nothing that exists is overwritten, no link is followed, nothing lands outside of `folder`; the
    files are plain ones, mode 0644 before the umask. Raises BadInput when `folder` can't be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadInput("out", f"Nothing can be written to {folder}: {reason}.") from error
    refused = []
    try:
        for file in files:
            problem = _path_problem(file.name)
            try:
                if not problem:
                    _write(top, file)
            except FileExistsError:
                problem = "it exists already and is left as it is"
            except OSError as error:
                problem = error.strerror or str(error)
            if problem:
                refused.append(f"{shown_name(file.name)}: {problem}")
    finally:
        os.close(top)
    return tuple(refused)


def _write(top: int, file: OutputFile) -> None:
    *folders, name = file.name.split("/")
    at = os.dup(top)
    try:
        for folder in folders:
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, 0o755, dir_fd=at)
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            inner = os.open(folder, flags, dir_fd=at)
            os.close(at)
            at = inner
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, 0o644, dir_fd=at), "wb") as out:
            out.write(file.data)
    finally:
        os.close(at)

"""Reads the files that a program left behind, in a tree that may have been built to hurt whoever
reads it.

Runs inside the sandbox once the program and all its processes are dead. Each step goes by a
descriptor of the directory that it is in, never by a path, so no link leads anywhere. Only plain
files with one name are taken, and of them nothing but name and content.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from .entries import look, shown, why

MAX_LEVELS = 8  # directories below the folder
MAX_ENTRIES = 20_000  # that are looked at, all directories together
MAX_REFUSALS = 100
_CHUNK_BYTES = 256 * 1024
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_NONE: Mapping[str, str] = MappingProxyType({})


def collect(
    folder: str, limits: Mapping[str, Any], known: Mapping[str, str] = _NONE
) -> Iterator[dict[str, str]]:
    """Each file as {"kind": "file", "name": "sub/x.csv", "data": base64}, and what was not taken as
    {"kind": "refused", "name": shown, "reason": text}; "name" is '' where it is about no one file.

    `limits`: "files_bytes" for all of them together, "files" for their number. `known` has the
    SHA-256 (hex) of files that were put there, by name: they count only once changed. Files come
    before directories, each in order of name. Raises nothing, whatever the tree is like.
    """
    walk = _Walk(int(limits.get("files_bytes", 0)), int(limits.get("files", 0)), known)
    try:
        top = os.open(folder, _OPEN | os.O_DIRECTORY)
    except (OSError, ValueError) as error:
        yield _refusal("", f"the working directory can't be read: {why(error)}")
        return
    refused = 0
    for line in walk.all(top):
        refused += line["kind"] == "refused"
        if line["kind"] == "file" or refused <= MAX_REFUSALS:
            yield line
    if refused > MAX_REFUSALS:
        yield _refusal("", f"and {refused - MAX_REFUSALS:,} more")


class _Walk:
    """One walk over the tree: what may still be taken and looked at."""

    def __init__(self, left_bytes: int, left_files: int, known: Mapping[str, str]) -> None:
        self._left_bytes = left_bytes
        self._limit_bytes = left_bytes
        self._left_files = left_files
        self._limit_files = left_files
        self._left_entries = MAX_ENTRIES
        self._stopped = False
        self._known = known

    def all(self, top: int) -> Iterator[dict[str, str]]:
        """All below the directory `top`, which is closed at the end."""
        yield from self._directory(top, "", 0)
        if self._stopped:
            reason = f"more than {MAX_ENTRIES:,} entries; the rest was not looked at"
            yield _refusal("", reason)

    def _directory(self, fd: int, prefix: str, level: int) -> Iterator[dict[str, str]]:
        folders = []
        try:
            for name in self._names(fd):
                problem, mode = look(fd, name)
                if problem:
                    yield _refusal(prefix + name, problem)
                elif stat.S_ISDIR(mode):
                    folders.append(name)
                else:
                    yield from self._file(fd, name, prefix)
            for name in folders:
                if self._stopped:
                    break
                if level == MAX_LEVELS:
                    top = (prefix + name).split("/", 1)[0]
                    yield _refusal(top, f"directories more than {MAX_LEVELS} deep")
                    continue
                try:
                    inner = os.open(name, _OPEN | os.O_DIRECTORY, dir_fd=fd)
                except OSError as error:
                    yield _refusal(prefix + name, f"can't be read: {why(error)}")
                    continue
                yield from self._directory(inner, f"{prefix}{name}/", level + 1)
        except (OSError, MemoryError) as error:
            yield _refusal(prefix, f"can't be read: {why(error)}")
        finally:
            os.close(fd)

    def _names(self, fd: int) -> list[str]:
        names = []
        with os.scandir(fd) as entries:
            for entry in entries:
                if self._left_entries == 0:
                    self._stopped = True
                    break
                self._left_entries -= 1
                names.append(entry.name)
        return sorted(names)

    def _file(self, fd: int, name: str, prefix: str) -> Iterator[dict[str, str]]:
        path = prefix + name
        try:
            data = self._read(fd, name)
        except _Refused as refused:
            yield _refusal(path, str(refused))
            return
        except (OSError, MemoryError, ValueError) as error:
            yield _refusal(path, f"can't be read: {why(error)}")
            return
        if self._known.get(path) == hashlib.sha256(data).hexdigest():
            return
        if self._left_files <= 0:
            yield _refusal(path, f"more than {self._limit_files:,} files")
            return
        self._left_files -= 1
        self._left_bytes -= len(data)
        yield {"kind": "file", "name": path, "data": base64.b64encode(data).decode("ascii")}

    def _read(self, folder: int, name: str) -> bytes:
        fd = os.open(name, _OPEN, dir_fd=folder)
        try:
            facts = os.fstat(fd)
            if not stat.S_ISREG(facts.st_mode):
                raise _Refused("it changed while it was read")
            if facts.st_nlink != 1:
                raise _Refused("it has several names (hard links)")
            data = b""
            # A sparse file's size is what it would be once read.
            if facts.st_size <= self._left_bytes:
                data = _all(fd, self._left_bytes + 1)
            if max(facts.st_size, len(data)) > self._left_bytes:
                raise _Refused(
                    f"too large ({facts.st_size:,} bytes): all files together may have "
                    f"{self._limit_bytes:,} bytes"
                )
            return data
        finally:
            os.close(fd)


class _Refused(Exception):
    """Why a file is not taken."""


def _all(fd: int, limit: int) -> bytes:
    pieces = []
    while limit > 0:
        piece = os.read(fd, min(limit, _CHUNK_BYTES))
        if not piece:
            break
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)


def _refusal(name: str, reason: str) -> dict[str, str]:
    return {"kind": "refused", "name": shown(name), "reason": reason}

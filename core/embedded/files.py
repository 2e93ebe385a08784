"""The model files on the disk: looked up, checked, locked, and written without surprises."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from core.cancel import Cancel
from core.embedded.models import Model
from core.errors import BuiltinUnavailable

CHUNK_BYTES = 1 << 20
LOCK_POLL_S = 0.3


class FolderError(BuiltinUnavailable):
    """The folder can't take the file, so no other source would help."""


def default_cache_dir() -> Path:
    """Where models are kept: outside of any checkout, so that every checkout shares them."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Path(base) / "codeevolver" / "models"


def size(path: Path) -> int:
    """The file's length in bytes, 0 when there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def note_of(path: Path) -> Path:
    """Where it is remembered that the file was verified."""
    return path.with_name(path.name + ".verified")


def matches(path: Path, model: Model, stop: Cancel, on_hash: Callable[[], None]) -> bool:
    """Whether the file is the published one. Hashes it once and remembers that beside it.

    `on_hash` is called before the second or so that hashing takes. Raises Cancelled.
    """
    stat = path.stat()
    if stat.st_size != model.bytes:
        return False
    note = note_of(path)
    seen = {"sha256": model.sha256, "bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    with contextlib.suppress(OSError, ValueError):
        if json.loads(note.read_text("utf-8")) == seen:
            return True
    on_hash()
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            stop.check()
            digest.update(chunk)
    if digest.hexdigest() != model.sha256:
        return False
    with contextlib.suppress(OSError):  # a folder we may only read: hashed again next time
        note.write_text(json.dumps(seen), "utf-8")
    return True


@contextlib.contextmanager
def writing(folder: Path, needed: int) -> Iterator[None]:
    """Turn a full or forbidden disk into a FolderError that names `needed` bytes and `folder`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise no_room(folder, needed) from error
        raise FolderError(
            f"{folder} can't be written to ({error.strerror or error}). Make it writable, or set "
            "XDG_CACHE_HOME to a folder that is."
        ) from error


def check_room(folder: Path, needed: int) -> None:
    """Raise FolderError when fewer than `needed` bytes are free in `folder`."""
    if shutil.disk_usage(folder).free < needed:
        raise no_room(folder, needed)


def no_room(folder: Path, needed: int) -> FolderError:
    """The error that says how much to free."""
    return FolderError(
        f"The disk is full: {needed:,} bytes ({needed / 1e9:.1f} GB) must be free in {folder}. "
        "Free them, or set XDG_CACHE_HOME to a folder on a larger disk; what was fetched is kept."
    )


@contextlib.contextmanager
def locked(path: Path, stop: Cancel, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock file, so that of many processes one fetches. Raises Cancelled.

    `waiting` is called while another process holds it. A process that dies lets go of it.
    """
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waiting()
                stop.wait(LOCK_POLL_S)
                stop.check()
        yield

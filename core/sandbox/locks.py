"""Locks that processes share, as files; a process that dies lets go of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from core.cancel import Cancel

_TICK_S = 0.2


def open_lock(path: Path) -> IO[str]:
    """The lock's file, made if missing; not yet locked."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "w")


def is_locked(path: Path) -> bool:
    """Whether another process has the lock now."""
    if not path.exists():
        return False
    with open_lock(path) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextlib.contextmanager
def locked(path: Path, cancel: Cancel) -> Iterator[None]:
    """One process at a time; raises Cancelled while it waits."""
    with open_lock(path) as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                cancel.wait(_TICK_S)
                cancel.check()
        yield

"""Which process of several on one data folder this is, held as a lock while it lives."""

from __future__ import annotations

import fcntl
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from core.errors import StorageError
from core.log import storage_errors

SERVER = "serve"


@dataclass(frozen=True, slots=True)
class Executor:
    """A taken id; the operating system gives it back when the process ends, however it ends."""

    executor_id: str
    file: IO[str]

    def release(self) -> None:
        """Give the id back."""
        self.file.close()


def take_server(data_dir: Path) -> Executor:
    """The id 'serve', of which a data folder has one; StorageError when another process has it."""
    executor = _take(data_dir, SERVER)
    if executor is None:
        raise StorageError(
            f"Another CodeEvolver already serves from {data_dir}. Stop it first, or give this "
            "one a data_dir of its own in its config."
        )
    return executor


def take_terminal(data_dir: Path) -> Executor:
    """An id of its own, 'cli-...', that no process had before or will have again."""
    executor = _take(data_dir, f"cli-{secrets.token_hex(6)}")
    assert executor is not None
    return executor


@contextmanager
def abandoned(data_dir: Path) -> Iterator[tuple[str, ...]]:
    """The ids of terminals that are gone: what they left unfinished can be taken up.

    Once that is done without an error, their ids are forgotten.
    """
    gone = []
    for lock in sorted(_folder(data_dir).glob("cli-*.lock")):
        executor = _take(data_dir, lock.stem)
        if executor is not None:
            gone.append(executor)
    try:
        yield tuple(executor.executor_id for executor in gone)
        for executor in gone:
            (_folder(data_dir) / f"{executor.executor_id}.lock").unlink()
    finally:
        for executor in gone:
            executor.release()


def _folder(data_dir: Path) -> Path:
    return data_dir / "executors"


def _take(data_dir: Path, executor_id: str) -> Executor | None:
    with storage_errors(data_dir):
        _folder(data_dir).mkdir(parents=True, exist_ok=True)
        # Kept open on purpose: the lock lives as long as the file.
        file = (_folder(data_dir) / f"{executor_id}.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return Executor(executor_id, file)

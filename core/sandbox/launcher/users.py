"""User ids for executions that must not share one, claimed for the whole machine.

What the kernel counts per user, such as processes, an execution would share with others of the same
id, also with those of another app. A claim is a lock on a file that only root can reach; the kernel
takes it back from whoever dies.
"""

# Importing pathlib would cost each start several milliseconds.
# ruff: noqa: PTH102, PTH116, PTH118

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator

COUNT = 100  # ids from the first one on
# The second is for containers whose root file system can't be written to.
FOLDERS = ("/run/codeevolver", "/tmp/codeevolver-users")
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


@contextlib.contextmanager
def claimed(first: int, folders: tuple[str, ...] = FOLDERS) -> Iterator[int]:
    """An id from `first` on that is nobody else's for the time being. Raises OSError."""
    folder = _private(folders)
    for uid in range(first, first + COUNT):
        fd = os.open(os.path.join(folder, str(uid)), _FLAGS, 0o600)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield uid
            return
        finally:
            os.close(fd)
    raise OSError(f"all of the {COUNT} user ids from {first} on are in use")


def _private(folders: tuple[str, ...]) -> str:
    """The first of `folders` that can be made, or is there, and that nobody else can reach."""
    for folder in folders:
        with contextlib.suppress(OSError):
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, 0o700)
            facts = os.lstat(folder)
            ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid()
            if ours and facts.st_mode & 0o077 == 0 and os.access(folder, os.W_OK):
                return folder
    raise OSError(f"no directory to claim user ids in: neither {' nor '.join(folders)}")

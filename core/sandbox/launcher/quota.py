"""How much disk a directory takes, where no file system of its own bounds it.

What is weighed belongs to code that nobody trusts and that may be busy in there: no link is
followed, and whatever vanishes or changes on the way is left out this time.
"""

# Importing pathlib would cost each execution several milliseconds.
# ruff: noqa: PTH116

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys

ENTRY_BYTES = 1024  # about an inode: empty files cost something too
DEEPEST = 4096  # levels of directories; each takes a descriptor while it is weighed
ENDLESS = 1 << 62  # what can't be weighed: a directory deeper than that, or one closed to us
_BLOCK = 512
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def used_bytes(folder: str, enough: int = sys.maxsize) -> int:
    """Disk taken by all below `folder`; stops counting above `enough`. 0 if it isn't there.

    A file with several names counts once. Files that are open but have no name any more are in
    `unlinked_bytes`.
    """
    scale = _Scale(enough)
    scale.weigh(folder)
    return scale.total


class _Scale:
    def __init__(self, enough: int) -> None:
        self.total = 0
        self._enough = enough
        self._seen: set[tuple[int, int]] = set()

    def weigh(self, folder: str) -> None:
        """Add all that is below a directory. Races with its owner show as OSErrors of all kinds."""
        above: list[tuple[int, list[str]]] = []  # open directories, and those in each yet to weigh
        parent, names = -1, [folder]
        try:
            while names or above:
                if not names:
                    os.close(parent)
                    parent, names = above.pop()
                    continue
                fd = self._open(names.pop(), parent)
                if fd is None:
                    continue
                above.append((parent, names))
                parent, names = fd, self._add_all(fd)
                if len(above) > DEEPEST:
                    self.total += ENDLESS
                if self.total > self._enough:
                    return
        finally:
            for fd in (parent, *(fd for fd, _ in above)):
                if fd >= 0:
                    os.close(fd)

    def _open(self, name: str, parent: int) -> int | None:
        try:
            return os.open(name, _FLAGS, dir_fd=parent if parent >= 0 else None)
        except PermissionError:
            self._add_closed(name, parent)
        except OSError as error:
            self._note(error)
        return None

    def _note(self, error: OSError) -> None:
        """Whatever there is too little of for us to look further down could hide something."""
        if error.errno in (errno.EMFILE, errno.ENFILE):
            self.total += ENDLESS

    def _add_all(self, fd: int) -> list[str]:
        """Add what is in a directory itself; the names of those in it."""
        folders = []
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    if self.total > self._enough:
                        break
                    with contextlib.suppress(OSError):
                        self._add(entry.stat(follow_symlinks=False))
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(entry.name)
        except OSError as error:
            self._note(error)
        return folders

    def _add(self, facts: os.stat_result) -> None:
        if facts.st_nlink > 1 and not stat.S_ISDIR(facts.st_mode):
            identity = (facts.st_dev, facts.st_ino)
            if identity in self._seen:
                return
            self._seen.add(identity)
        self.total += facts.st_blocks * _BLOCK + ENTRY_BYTES

    def _add_closed(self, name: str, parent: int) -> None:
        """One that can't be listed, but filled by its owner, is a hiding place."""
        with contextlib.suppress(OSError):
            dir_fd = parent if parent >= 0 else None
            mode = os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode
            if mode & 0o300 == 0o300:
                self.total += ENDLESS


def unlinked_bytes(pids: list[int]) -> int:
    """Disk taken by files without a name that `pids` have open; 0 where they can't be looked at."""
    sizes: dict[tuple[int, int], int] = {}
    for pid in pids:
        folder = f"/proc/{pid}/fd"
        with contextlib.suppress(OSError):
            for name in os.listdir(folder):  # noqa: PTH208
                with contextlib.suppress(OSError):
                    facts = os.stat(f"{folder}/{name}")
                    if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 0:
                        sizes[facts.st_dev, facts.st_ino] = facts.st_blocks * _BLOCK
    return sum(sizes.values())

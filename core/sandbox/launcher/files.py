"""Files for an execution that leave nothing on any disk, and paths that any user can reach."""

# Importing pathlib would cost each start several milliseconds.
# ruff: noqa: PTH101, PTH102, PTH104, PTH106, PTH108, PTH116, PTH118, PTH208

from __future__ import annotations

import contextlib
import ctypes
import os
import stat

CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
# Any user can reach it, and nobody keeps an interpreter there.
_STAGING = "/dev/shm"


def memory_file(data: bytes) -> int:
    """A descriptor to read `data` from, not inheritable; nothing is left on any disk."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("codeevolver", os.MFD_CLOEXEC)
    else:
        import tempfile

        fd, path = tempfile.mkstemp()
        os.unlink(path)
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


class Staging:
    """Binds paths where any user can reach them, in a mount namespace that only we are in.

    The interpreter may live below a directory that is closed to the user that we drop to.
    """

    def __init__(self) -> None:
        self._places: dict[str, str] = {}
        self._hidden = -1  # what is below our own mount

    def stage(self, path: str) -> str:
        """Where `path` can be reached now. Raises OSError where we lack the privilege."""
        if path not in self._places:
            if not self._places:
                _call("unshare", CLONE_NEWNS)
                _call("mount", None, b"/", None, MS_REC | MS_PRIVATE, None)
                import tempfile  # noqa: F401 - it may be hidden when an execution needs it

                self._hidden = os.open(_STAGING, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
                options = b"mode=755,size=1m"
                _call("mount", b"tmpfs", _STAGING.encode(), b"tmpfs", 0, options)
            self._places[path] = self._bind(path, f"{_STAGING}/{len(self._places)}")
        return self._places[path]

    def _bind(self, path: str, place: str) -> str:
        source = self._open(path)
        try:
            if stat.S_ISDIR(os.fstat(source).st_mode):
                os.mkdir(place)
            else:
                os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o644))
            seen = f"/proc/self/fd/{source}"
            _call("mount", seen.encode(), place.encode(), None, MS_BIND | MS_REC, None)
        finally:
            os.close(source)
        return place

    def _open(self, path: str) -> int:
        """Also what our own mount hides."""
        inner = os.path.relpath(path, _STAGING)
        if inner == ".." or inner.startswith("../"):
            return os.open(path, os.O_PATH | os.O_CLOEXEC)
        return os.open(inner, os.O_PATH | os.O_CLOEXEC, dir_fd=self._hidden)


def _call(name: str, *arguments: bytes | int | None) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def remove_tree(folder: str) -> None:
    """Remove a directory that untrusted code could write to, once none of its processes is left.

    Depth, odd names and symbolic links don't matter: no link is followed, and directories are
    moved to the top rather than walked into, so that no path gets longer than three names.
    """
    number = 0
    with contextlib.suppress(OSError):
        while names := os.listdir(folder):
            for name in names:
                number += 1
                _remove(folder, name, f"{number}.moved")
        os.rmdir(folder)


def _remove(folder: str, name: str, spare: str) -> None:
    path = os.path.join(folder, name)
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        os.unlink(path)
        return
    os.chmod(path, 0o700)  # its owner may have closed it
    for inner in os.listdir(path):
        place = os.path.join(path, inner)
        if stat.S_ISDIR(os.lstat(place).st_mode):
            os.chmod(place, 0o700)  # to be moved, a directory must be writable itself
            os.rename(place, os.path.join(folder, f"{spare}.{os.urandom(8).hex()}"))
        else:
            os.unlink(place)
    os.rmdir(path)

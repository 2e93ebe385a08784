"""Files for an execution that leave nothing on any disk, and paths that any user can reach."""

# Importing pathlib would cost each execution several milliseconds.
# ruff: noqa: PTH102, PTH108

from __future__ import annotations

import ctypes
import os
import stat
import tempfile

CLONE_NEWNS = 0x00020000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
STAGING = "/tmp"


def memory_file(data: bytes) -> int:
    """An inheritable descriptor to read `data` from; nothing is left on any disk."""
    if hasattr(os, "memfd_create"):
        fd = os.memfd_create("codeevolver", 0)
    else:
        fd, path = tempfile.mkstemp()
        os.unlink(path)
    while data:
        data = data[os.write(fd, data) :]
    os.lseek(fd, 0, os.SEEK_SET)
    os.set_inheritable(fd, True)
    return fd


def stage(paths: list[str]) -> list[str]:
    """Bind `paths` where any user can reach them, in a mount namespace that only we are in.

    The interpreter may live below a directory that is closed to the user that we drop to.
    Raises OSError where we lack the privilege.
    """
    libc = ctypes.CDLL(None, use_errno=True)

    def call(result: int, what: str) -> None:
        if result != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"{what}: {os.strerror(code)}")

    call(libc.unshare(CLONE_NEWNS), "unshare")
    call(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "make mounts private")
    # Opened in the new namespace, as no other's can be bound, and before the tmpfs hides any.
    fds = [os.open(path, os.O_PATH) for path in paths]
    call(libc.mount(b"tmpfs", STAGING.encode(), b"tmpfs", 0, b"mode=755,size=1m"), "mount tmpfs")
    staged = []
    for number, fd in enumerate(fds):
        place = f"{STAGING}/{number}"
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            os.mkdir(place)
        else:
            os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o644))
        source = f"/proc/self/fd/{fd}".encode()
        call(libc.mount(source, place.encode(), None, MS_BIND | MS_REC, None), "bind")
        os.close(fd)
        staged.append(place)
    return staged

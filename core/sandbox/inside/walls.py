"""What a process does to itself in new namespaces, so that nothing but a sandbox is left.

All that it uses is looked up and made before it is forked, and plain C modules are used rather than
those around them: each page of memory that it is the first to touch costs a copy.
"""

from __future__ import annotations

import _socket
import ctypes
import fcntl
import os
import socket
import struct

_CLOSE_RANGE = 436  # on every architecture
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_CAPBSET_DROP = 4, 22, 24
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 38, 47, 4
_CAPABILITIES, _NONE = struct.pack("=Ii", 0x20080522, 0), bytes(24)  # version 3, this process
_AF_INET, _SOCK_DGRAM = int(socket.AF_INET), int(socket.SOCK_DGRAM)
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
_LOOPBACK_UP = struct.pack("16sh14x", b"lo", _IFF_UP)
_USER_ID = 65534
_USER_MAPS = (
    ("/proc/self/setgroups", b"deny"),
    ("/proc/self/uid_map", b"%d %d 1" % (_USER_ID, _USER_ID)),
    ("/proc/self/gid_map", b"%d %d 1" % (_USER_ID, _USER_ID)),
)
_INODES = 20_000  # of each scratch file system
_SHM_BYTES = 16 * 1024 * 1024

_libc = ctypes.CDLL(None, use_errno=True)
_capset, _mount_at, _prctl, _syscall = _libc.capset, _libc.mount, _libc.prctl, _libc.syscall


class Walls:
    """A sandbox with `scratch_bytes` in each scratch directory, and a system call filter."""

    def __init__(self, scratch_bytes: int, program: bytes) -> None:
        self._mounts = _mounts(scratch_bytes)
        self._code = ctypes.create_string_buffer(program, len(program))
        self._filter = struct.pack("@HP", len(program) // 8, ctypes.addressof(self._code))

    def build(self) -> None:
        """In a process in namespaces of its own; raises OSError when anything is refused."""
        set_dumpable(True)  # or /proc/self is not ours
        for path, text in _USER_MAPS:
            _write(path, text)
        set_dumpable(False)
        # No further user namespaces. The filter refuses them as well.
        _write("/proc/sys/user/max_user_namespaces", b"0")
        _mount(self._mounts)
        _loopback_up()
        self._drop_privileges()

    def _drop_privileges(self) -> None:
        """All capabilities, also those that an execve could bring back, then the filter."""
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
        drop_bounding_set()
        drop_capabilities()
        check(_prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
        check(_prctl(_PR_SET_SECCOMP, 2, self._filter, 0, 0), "seccomp")


def _mounts(scratch_bytes: int) -> list[tuple[bytes, bytes, int, bytes]]:
    """Place, kind, flags and options: fresh scratch, own terminals, nothing in place of /proc."""
    flags = _MS_NOSUID | _MS_NODEV
    sizes = {b"/tmp": scratch_bytes, b"/job": scratch_bytes, b"/dev/shm": _SHM_BYTES}
    found = []
    for place, size in sizes.items():
        options = f"size={size},nr_inodes={_INODES},mode=755,uid={_USER_ID},gid={_USER_ID}"
        found.append((place, b"tmpfs", flags, options.encode()))
    # As bubblewrap does it; /dev/ptmx is a link to the one in there.
    terminals = b"newinstance,ptmxmode=0666,mode=620"
    found.append((b"/dev/pts", b"devpts", _MS_NOSUID | _MS_NOEXEC, terminals))
    nothing = b"size=4k,nr_inodes=2,mode=555"
    found.append((b"/proc", b"tmpfs", flags | _MS_NOEXEC | _MS_RDONLY, nothing))
    return found


def _mount(mounts: list[tuple[bytes, bytes, int, bytes]]) -> None:
    check(_mount_at(None, b"/", None, _MS_REC | _MS_PRIVATE, None), "make mounts private")
    for place, kind, flags, options in mounts:
        if _mount_at(kind, place, kind, flags, options) < 0:
            check(-1, f"mount {place.decode()}")
    os.chdir("/job")


def _loopback_up() -> None:
    any_socket = _socket.socket(_AF_INET, _SOCK_DGRAM)
    fcntl.ioctl(any_socket.fileno(), _SIOCSIFFLAGS, _LOOPBACK_UP)
    any_socket.close()


def set_dumpable(dumpable: bool) -> None:
    """Whether others of the same user may look into this process."""
    check(_prctl(_PR_SET_DUMPABLE, int(dumpable), 0, 0, 0), "prctl")


def drop_capabilities() -> None:
    """Those that this process has, for good."""
    check(_capset(_CAPABILITIES, _NONE), "capset")


def drop_bounding_set() -> None:
    """Those that an execve could bring."""
    capability = 0
    while _prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:
        capability += 1
    if capability < 30:  # the loop must have ended behind the last one
        raise OSError("capabilities can't be dropped")


def close_from(lowest: int) -> None:
    """Close all descriptors from `lowest` on."""
    check(_syscall(_CLOSE_RANGE, lowest, 0xFFFFFFFF, 0), "close_range")


def check(result: int, what: str) -> None:
    """Raise OSError for the negative `result` of a call into the C library."""
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def _write(path: str, text: bytes) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text)
    finally:
        os.close(fd)

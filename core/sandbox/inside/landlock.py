"""Shut a process in where the kernel gives no namespaces: Landlock, seccomp, no capabilities.

The process may read and execute what it is shown and write in its own directory. The network,
other processes' sockets and signals to them are out of reach. It still sees which files exist,
their sizes, owners and times; it shares the machine's process numbers and disk.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import stat
import struct
from collections.abc import Iterator, Sequence
from typing import Any

LEAST_ABI = 6  # the first that keeps abstract sockets and signals in, of Linux 6.12

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # on every architecture
_ASK_VERSION = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_REMOVE_DIR, _REMOVE_FILE = 1 << 4, 1 << 5
_MAKE_DIR, _MAKE_REGULAR, _MAKE_SYMLINK = 1 << 7, 1 << 8, 1 << 12
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_EVERY_FILE_RIGHT = (1 << 16) - 1  # all of ABI 6, up to ioctl on devices
_EVERY_TCP_RIGHT = 3  # bind, connect
_EVERY_SCOPE = 3  # abstract unix sockets, signals

_READABLE = _EXECUTE | _READ_FILE | _READ_DIR
# No devices, sockets or FIFOs, and nothing to execute but what was there before.
_WRITABLE = (
    (_READ_FILE | _READ_DIR | _WRITE_FILE | _TRUNCATE | _REFER)
    | (_MAKE_REGULAR | _MAKE_DIR | _MAKE_SYMLINK)
    | (_REMOVE_FILE | _REMOVE_DIR)
)
_DEVICES = {
    "/dev/null": _READ_FILE | _WRITE_FILE,
    "/dev/zero": _READ_FILE,
    "/dev/full": _READ_FILE | _WRITE_FILE,
    "/dev/random": _READ_FILE,
    "/dev/urandom": _READ_FILE,
}
_OF_A_FILE = _EXECUTE | _READ_FILE | _WRITE_FILE | _TRUNCATE

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_PR_CAPBSET_DROP, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 24, 47, 4
_CAPABILITY_VERSION = 0x20080522
_MOST_CAPABILITIES = 64


def abi() -> int:
    """The version of Landlock here, at least 6; raises OSError that says what there is instead."""
    try:
        version = _syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)
    except OSError as error:
        raise OSError(error.errno, _why_none(error)) from error
    check_abi(version)
    return version


def check_abi(version: int) -> None:
    """Raises OSError for a version of Landlock that leaves holes we need closed."""
    if version < LEAST_ABI:
        raise OSError(
            errno.EOPNOTSUPP,
            f"Landlock here has version {version}; version {LEAST_ABI} (Linux 6.12) is needed",
        )


def _why_none(error: OSError) -> str:
    if error.errno == errno.EOPNOTSUPP:
        return "Landlock is switched off: boot with landlock in the kernel's list lsm="
    if error.errno == errno.ENOSYS:
        return "this kernel has no Landlock"
    return f"Landlock can't be used: {os.strerror(error.errno or 0)}"


def apply(limits: dict[str, Any], workdir: str, readable: Sequence[str], program: bytes) -> None:
    """Shut in the calling process, which must have one thread, and all that it executes or forks.

    `readable` are files and directories to read and execute; those that don't exist are left out.
    `workdir` is the only place to write, with no file above `limits["scratch_bytes"]`. `program`
    is the strict seccomp program. It goes on after exec, and nothing can lift it.

    Raises OSError with the reason; the process may then be half shut in and must not go on.
    """
    abi()
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, int(limits["scratch_bytes"]))
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _drop_capabilities()
    attributes = struct.pack("=QQQ", _EVERY_FILE_RIGHT, _EVERY_TCP_RIGHT, _EVERY_SCOPE)
    ruleset = _syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    try:
        for path in readable:
            with contextlib.suppress(FileNotFoundError):
                _allow(ruleset, path, _READABLE)
        for path, rights in _DEVICES.items():
            with contextlib.suppress(FileNotFoundError):
                _allow(ruleset, path, rights)
        _allow(ruleset, workdir, _WRITABLE)
        _syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    _filter(program)


def _limit(which: int, value: int) -> None:
    ceiling = resource.getrlimit(which)[1]
    if ceiling != resource.RLIM_INFINITY:
        value = min(value, ceiling)
    resource.setrlimit(which, (value, value))


def _drop_capabilities() -> None:
    """Leave nothing of root but its name, also after exec."""
    for capability in range(_MOST_CAPABILITIES):
        # Without CAP_SETPCAP, or behind the last one. No new privileges come by exec in any case.
        with contextlib.suppress(OSError):
            _prctl(_PR_CAPBSET_DROP, capability)
    with contextlib.suppress(OSError):  # a kernel before 4.3 has none of these
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header, nothing = struct.pack("=Ii", _CAPABILITY_VERSION, 0), bytes(24)
    _checked(_libc.capset(header, nothing), "capset")


def _allow(ruleset: int, path: str, rights: int) -> None:
    with _opened(path) as fd:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _OF_A_FILE
        rule = struct.pack("=Qi", rights, fd)
        _syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int]:
    fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def _filter(program: bytes) -> None:
    loaded = _Program(len(program) // 8, program)
    address = ctypes.cast(ctypes.pointer(loaded), ctypes.c_void_p).value
    _prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, address or 0)


_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, first: int, second: int = 0) -> None:
    words = [ctypes.c_ulong(word) for word in (first, second, 0, 0)]
    _checked(_libc.prctl(option, *words), f"prctl {option}")


def _syscall(number: int, *arguments: int | bytes | None) -> int:
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    return _checked(_libc.syscall(ctypes.c_long(number), *words), f"system call {number}")


def _checked(result: int, what: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result

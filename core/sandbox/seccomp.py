"""The system calls that a sandboxed process may not make, as a cBPF program for `--seccomp`.

A deny-list after Flatpak's: namespaces, mounts, tracing, keyrings, kernel interfaces that ordinary
programs don't need, memory that no limit of ours sees (memfd, SysV), and every socket family but
unix and IP. The program runs inside all namespaces; it is the second wall, not the only one.

Where Landlock takes the place of the namespaces the program has to do more, and is `strict`.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Mapping
from typing import TypeAlias

from core.sandbox import syscalls

_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_JUMP_EQUAL, _JUMP_GREATER, _JUMP_GREATER_EQUAL, _JUMP_ANY_BIT = 0x15, 0x25, 0x35, 0x45
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCH = 0, 4  # offsets in struct seccomp_data

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32_BIT = 0x40000000
_NEW_NAMESPACE = 0x7E020000  # every CLONE_NEW* flag that clone() takes
_TERMINAL_INJECTION = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX
_SOCKET_FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6
_AF_UNIX, _SOCK_STREAM, _SOCK_SEQPACKET = 1, 1, 5
_SOCK_TYPE_MASK = 0xF  # the rest are SOCK_CLOEXEC and SOCK_NONBLOCK

_Instruction: TypeAlias = "tuple[int, int, int, int]"  # code, jump if true, jump if false, value


def program(machine: str, *, strict: bool = False) -> bytes:
    """The filter for `machine` (as os.uname().machine names it); KeyError for an unknown one.

    `strict` is for a process that only Landlock contains: it can't get a socket that reaches
    anything but its own children, nor change what Landlock doesn't guard (owners, modes, times,
    limits of other processes).
    """
    arch = _AUDIT_ARCH[machine]
    column = 0 if machine == "x86_64" else 1
    code = [
        (_LOAD, 0, 0, _ARCH),
        (_JUMP_EQUAL, 1, 0, arch),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine == "x86_64":
        code += [(_JUMP_GREATER_EQUAL, 0, 1, _X32_BIT), (_RETURN, 0, 0, _KILL)]
    # ENOSYS, as an older kernel would say: whoever calls it has another way.
    code += [(_JUMP_GREATER, 0, 1, syscalls.LAST), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)]
    if strict:
        code += _strict(column)
    code += _refuse_all(syscalls.DENIED, column, errno.EPERM)
    # glibc falls back to clone(), whose flags can be looked at; clone3's are behind a pointer.
    code += _refuse(syscalls.CLONE3[column], errno.ENOSYS)
    code += _check(
        syscalls.CLONE[column],
        [_load(0), (_JUMP_ANY_BIT, 0, 1, _NEW_NAMESPACE), _error(errno.EPERM)],
    )
    injection = [step for request in _TERMINAL_INJECTION for step in _refuse(request, errno.EPERM)]
    code += _check(syscalls.IOCTL[column], [_load(1), *injection])
    families = [_load(0), *_require(_SOCKET_FAMILIES, errno.EAFNOSUPPORT)]
    code += _check(syscalls.SOCKET[column], families)
    code += _check(syscalls.SOCKETPAIR[column], families)
    code.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def _strict(column: int) -> list[_Instruction]:
    code = _refuse_all(syscalls.DENIED_STRICT, column, errno.EPERM)
    code += _refuse(syscalls.SOCKET[column], errno.EPERM)
    code += _refuse_all(syscalls.NO_ATTRIBUTES, column, errno.EOPNOTSUPP)
    code += _refuse_all(syscalls.IGNORED, column, 0)
    caller_only = [_load(0), *_require((0,), errno.EPERM)]
    for numbers in syscalls.SELF_ONLY.values():
        code += _check(numbers[column], caller_only)
    # First PRIO_PROCESS, which is 0 as well.
    own_priority = [*caller_only, _load(1), *_require((0,), errno.EPERM)]
    code += _check(syscalls.SETPRIORITY[column], own_priority)
    # A datagram socket sends to any path by sendmsg(), whose address is behind a pointer. The
    # other two kinds stay connected to their peer for life. SOCK_RAW is a datagram socket here.
    connected_pair = [
        _load(0),
        *_require((_AF_UNIX,), errno.EAFNOSUPPORT),
        _load(1),
        (_AND, 0, 0, _SOCK_TYPE_MASK),
        *_require((_SOCK_STREAM, _SOCK_SEQPACKET), errno.EPERM),
    ]
    code += _check(syscalls.SOCKETPAIR[column], connected_pair)
    # The address is a pointer: both halves of it count.
    halves = (_load(4), _load(4, high=True))
    no_address = [step for half in halves for step in (half, *_require((0,), errno.EPERM))]
    return code + _check(syscalls.SENDTO[column], no_address)


def _load(argument: int, *, high: bool = False) -> _Instruction:
    """Half of an argument. The low one is all that the kernel takes of an int."""
    return (_LOAD, 0, 0, 16 + 8 * argument + (4 if high else 0))


def _error(error: int) -> _Instruction:
    return (_RETURN, 0, 0, _ERRNO | error)


def _refuse(value: int, error: int) -> list[_Instruction]:
    return [(_JUMP_EQUAL, 0, 1, value), _error(error)]


def _refuse_all(
    table: Mapping[str, syscalls.Numbers], column: int, error: int
) -> list[_Instruction]:
    numbers = [row[column] for row in table.values()]
    return [step for number in numbers if number is not None for step in _refuse(number, error)]


def _require(values: tuple[int, ...], error: int) -> list[_Instruction]:
    """Go on with one of `values`, refuse the others."""
    tests = [(_JUMP_EQUAL, len(values) - at, 0, value) for at, value in enumerate(values)]
    return [*tests, _error(error)]


def _check(number: int, body: list[_Instruction]) -> list[_Instruction]:
    """`body` decides on call `number`, which is allowed when it comes to the end of it."""
    body = [*body, (_RETURN, 0, 0, _ALLOW)]
    return [(_JUMP_EQUAL, 0, len(body), number), *body]

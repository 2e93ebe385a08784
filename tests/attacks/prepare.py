"""Become an ordinary user, or one that is denied namespaces, and then the given program.

python -m tests.attacks.prepare '{"uid": 64321, "deny": "user", "show": [paths]}' program ...

`show` are directories that the user needs and that may lie below one that is closed to it; they
are bound into a mount namespace that only the program is in.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import struct
import sys
from pathlib import Path

_NEWNS, _NEWUSER = 0x20000, 0x10000000
_ALL_KINDS = 0x7E020000  # all that clone takes as well
_BIND, _REC, _PRIVATE = 0x1000, 0x4000, 0x40000
_ALLOW, _EPERM, _ENOSYS = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
_LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Never returns; raises OSError where the privilege is missing."""
    wanted = json.loads(sys.argv[1])
    if wanted["uid"] is not None:
        _show([Path(path) for path in wanted["show"]])
        os.setgroups([])
        os.setresgid(*[wanted["uid"]] * 3)
        os.setresuid(*[wanted["uid"]] * 3)
    if wanted["deny"]:
        _deny(_NEWUSER if wanted["deny"] == "user" else _ALL_KINDS)
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    if wanted["uid"] is not None:
        environment["HOME"] = "/nonexistent"
    os.execve(sys.argv[2], sys.argv[2:], environment)


def _call(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def _show(paths: list[Path]) -> None:
    """Replace each closed directory above a path by one that shows only the way to the path."""
    _call(_LIBC.unshare(_NEWNS), "unshare")
    _call(_LIBC.mount(None, b"/", None, _REC | _PRIVATE, None), "make mounts private")
    hidden = [(path, closed) for path in paths if (closed := _closed(path)) is not None]
    fds = [os.open(path, os.O_PATH) for path, _ in hidden]
    for closed in {closed for _, closed in hidden}:
        _call(_LIBC.mount(b"t", bytes(closed), b"tmpfs", 0, b"mode=755,size=1m"), "mount tmpfs")
    for (path, _), fd in zip(hidden, fds, strict=True):
        path.mkdir(parents=True, exist_ok=True)
        source = f"/proc/self/fd/{fd}".encode()
        _call(_LIBC.mount(source, bytes(path), None, _BIND | _REC, None), f"bind {path}")
        os.close(fd)


def _closed(path: Path) -> Path | None:
    """The outermost directory above `path` that not everybody may pass through."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None


def _deny(kinds: int) -> None:
    """Refuse these kinds of namespaces to this process and all that come from it."""
    arm = os.uname().machine == "aarch64"
    unshare, clone, clone3 = (97, 220, 435) if arm else (272, 56, 435)
    # The low half of the first argument holds the flags of unshare and of clone.
    code = [
        (0x20, 0, 0, 0),
        (0x15, 3, 0, unshare),
        (0x15, 2, 0, clone),
        (0x15, 0, 4, clone3),
        (0x06, 0, 0, _ENOSYS),
        (0x20, 0, 0, 16),
        (0x45, 0, 1, kinds),
        (0x06, 0, 0, _EPERM),
        (0x06, 0, 0, _ALLOW),
    ]
    program = b"".join(struct.pack("=HBBI", *line) for line in code)
    buffer = ctypes.create_string_buffer(program)
    filters = struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer))
    _call(_LIBC.prctl(38, 1, 0, 0, 0), "no new privileges")
    _call(_LIBC.prctl(22, 2, filters, 0, 0), "install the filter")


if __name__ == "__main__":
    main()

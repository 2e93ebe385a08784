"""What an entry of a directory is, looked at without opening it; and names as safe text."""

from __future__ import annotations

import os
import stat

MAX_NAME_BYTES = 100  # of one file or directory
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a device",
    stat.S_IFCHR: "a device",
}


def look(fd: int, name: str) -> tuple[str, int]:
    """What is wrong with an entry ('' if nothing is), and its mode; opens nothing."""
    problem = _odd(name)
    if problem:
        return problem, 0
    try:
        mode = os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode
    except OSError as error:
        return f"can't be looked at: {why(error)}", 0
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return "", mode
    return f"{_KINDS.get(stat.S_IFMT(mode), 'something else')}, not a plain file", mode


def _odd(name: str) -> str:
    """Why nobody should be given a file of this name; '' for a good one."""
    try:
        length = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if not name.isprintable() or "\\" in name:
        return "its name has a control character, an odd space or a backslash"
    if name[:1] in (".", "-"):
        return f"its name starts with {name[0]!r}"
    if name != name.strip():
        return "its name starts or ends with a space"
    return f"its name is longer than {MAX_NAME_BYTES} bytes" if length > MAX_NAME_BYTES else ""


def shown(name: str) -> str:
    """The name as short, printable text."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= MAX_NAME_BYTES else f"{text[:MAX_NAME_BYTES]}..."


def why(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__

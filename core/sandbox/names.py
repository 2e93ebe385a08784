"""Names of files that come from users and programs, and sizes in words."""

from __future__ import annotations

MIB = 1024 * 1024
MAX_NAME_BYTES = 100  # of one file or directory


def name_problem(name: str) -> str:
    """Why no file or directory may be called this; '' for a good name."""
    try:
        length = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        return "its name is not text"
    if not name.isprintable():
        return "its name has a control character or an odd space"
    if "/" in name or "\\" in name:
        return "its name has a slash or a backslash"
    if not name or name != name.strip():
        return "its name is empty, or starts or ends with a space"
    if name[0] in ".-":
        return f"its name starts with {name[0]!r}"
    return f"its name is longer than {MAX_NAME_BYTES} bytes" if length > MAX_NAME_BYTES else ""


def shown_name(name: str) -> str:
    """Any name as short, printable text."""
    text = name.encode("utf-8", "backslashreplace").decode("utf-8")
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return text if len(text) <= MAX_NAME_BYTES else f"{text[:MAX_NAME_BYTES]}..."


def size(count: int) -> str:
    """Bytes for people, like 4 MiB; rounded up, so that what is too much looks like it."""
    if count < 10 * 1024:
        return f"{count:,} bytes"
    unit, name = (MIB, "MiB") if count >= MIB else (1024, "KiB")
    return f"{-(-count * 10 // unit) / 10:g} {name}"

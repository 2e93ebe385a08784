"""The files that come with a goal: what the log says of them, and what the models are told."""

from __future__ import annotations

import codecs
import hashlib
import textwrap
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.errors import BadInput
from core.events import InputFile
from core.sandbox.files import check_inputs
from core.sandbox.names import size

HEAD_LINES = 10
HEAD_CHARACTERS = 600
# Of all files' beginnings together in one prompt: a small model's context is soon full.
TOLD_CHARACTERS = 2400
_LOOKED_AT_BYTES = 4 * HEAD_CHARACTERS + 3


def described(files: Mapping[str, bytes]) -> tuple[InputFile, ...]:
    """What the log keeps of the files beside their content, in order of name."""
    return tuple(
        InputFile(
            name=name,
            size_bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            head=beginning(data),
        )
        for name, data in sorted(files.items())
    )


def beginning(data: bytes) -> str:
    """The first lines of a UTF-8 text; '' for anything else, and for an empty file."""
    try:
        # Where the rest is not looked at, a character may be cut in two.
        whole = len(data) <= _LOOKED_AT_BYTES
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(data[:_LOOKED_AT_BYTES], whole)
    except UnicodeDecodeError:
        return ""
    text = text.replace("\r\n", "\n")[:HEAD_CHARACTERS]
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t\r\f" for c in text):
        return ""
    return "\n".join(text.split("\n")[:HEAD_LINES]).rstrip()


def read_paths(paths: Sequence[Path], limit_bytes: int) -> dict[str, bytes]:
    """The files at `paths` by their last names, for check_inputs to look at.

    Raises BadInput for what can't be read, for names that come twice, and as soon as all together
    exceed `limit_bytes`.
    """
    files: dict[str, bytes] = {}
    for path in paths:
        if path.name in files:
            raise BadInput("file", f"Two files are called {path.name}. Rename one of them.")
        try:
            with path.open("rb") as file:
                left = max(0, limit_bytes - sum(map(len, files.values())))
                files[path.name] = file.read(left + 1)
        except OSError as error:
            raise BadInput("file", f"{path} can't be read: {error.strerror}.") from error
        check_inputs(files, limit_bytes=limit_bytes)
    return files


def told(files: Sequence[InputFile]) -> str:
    """The files as the lines that a prompt shows; '' for none."""
    lines = []
    left = TOLD_CHARACTERS
    for file in files:
        line = f"- {file.name} ({size(file.size_bytes)}"
        if not file.head:
            lines.append(f"{line}{', not text' if file.size_bytes else ''})")
        elif left <= 0:
            lines.append(f"{line})")
        else:
            shown = file.head[:left]
            left -= len(shown)
            lines.append(f"{line}) begins:\n{textwrap.indent(shown, '    ', lambda _: True)}")
    return "\n".join(lines)

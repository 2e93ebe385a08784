"""Examples with labels: `Input: [1, 2]` and `Output: 3`, `For n = 3 the output should be 6`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from core.reading.doctests import Example
from core.reading.stubs import parameters, takes
from core.reading.values import is_clear, value_after, value_at

_INPUT = re.compile(
    r"(?:(?:for|with|given)\s+(?:the\s+)?)?\binputs?\b\s*(?:is|are|of|:|=)?[`*]*\s*"
    r"|\b(?:for|with|given|if)\s+(?=[a-z]\w*\s*=[^=])",
    re.IGNORECASE,
)
_OUTPUT = re.compile(
    r"[`*]*\s*[,;.]?\s*[`*]*(?:then\s+)?(?:the\s+|we\s+)?(?:(?:expected|correct)\s+)?"
    r"(?:output|result|answer|return value)[`*]*\s*(?:should\s+be|must\s+be|is|:|=|->)?[`*]*\s*",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"[ \t]*[`*]*(?:(?!(?:expected|output|result|answer|returns?)\b)([A-Za-z_]\w*)"
    r"[ \t]*[:=][ \t]*)?`*",
    re.IGNORECASE,
)
_COMMA = re.compile(r"[ \t]*(?:,|and\b|\n)[ \t]*")


def labelled(text: str, name: str, signature: str) -> Iterator[Example]:
    """Calls of `name` with the inputs that the text labels as such, and their labelled output.

    Where the inputs are named and the signature has these names, they are passed by name.
    """
    known = set(parameters(signature))
    for match in _INPUT.finditer(text):
        args, at = _arguments(text, match.end())
        label = _OUTPUT.match(text, at) if args else None
        wanted = value_after(text, label.end()) if label is not None else None
        if wanted is None or not is_clear(_to_line_end(text, wanted.end), wanted):
            continue
        by_name = all(named in known for named, _ in args)
        if not by_name and takes(signature, len(args)) is False:
            continue
        given = ", ".join(f"{named}={value}" if by_name else value for named, value in args)
        yield Example(setup=(), check=f"assert {name}({given}) == {wanted.source}")


def _to_line_end(text: str, at: int) -> str:
    end = text.find("\n", at)
    return text if end < 0 else text[:end]


def _arguments(text: str, at: int) -> tuple[list[tuple[str, str]], int]:
    """(name or '', source) of the values from `at` on, and where they end."""
    args: list[tuple[str, str]] = []
    start = at
    while (named := _NAMED.match(text, start)) is not None:
        value = value_at(text, named.end())
        if value is None:
            break
        args.append((named[1] or "", value.source))
        at = value.end
        comma = _COMMA.match(text, at)
        if comma is None:
            break
        start = comma.end()
    return args, at

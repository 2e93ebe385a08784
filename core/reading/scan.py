"""Brackets and strings in text that need not be a whole program."""

from __future__ import annotations

import re
from collections.abc import Sequence

_TOKEN = re.compile(r"""\#[^\n]*|\"\"\"|'''|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?""", re.DOTALL)


def first_outside_strings(text: str, start: int, offsets: Sequence[int]) -> int | None:
    """Index of the first of the rising `offsets` that no triple-quoted string of `text` covers.

    The source begins at `start`. None when every offset is inside a string.
    """
    at = start
    for index, offset in enumerate(offsets):
        while at < offset:
            match = _TOKEN.search(text, at, offset)
            if match is None:
                return index
            at = match.end()
            if match.group() in ('"""', "'''"):
                end = _string_end(text, at, match.group())
                if end is None:
                    return None
                at = end
        if at == offset:
            return index
    return None


def _string_end(text: str, at: int, quote: str) -> int | None:
    while (end := text.find(quote, at)) >= 0:
        inside = text[at:end]
        if (len(inside) - len(inside.rstrip("\\"))) % 2 == 0:
            return end + 3
        at = end + 1
    return None


_CLOSING = {"(": ")", "[": "]", "{": "}"}


def balanced_end(text: str, start: int, limit: int = 4000) -> int | None:
    """The offset after the bracket that closes the one at `start`; strings are skipped."""
    stack = []
    at = start
    while at < min(len(text), start + limit):
        character = text[at]
        if character in "\"'":
            match = _TOKEN.match(text, at)
            if match is None or match.group() in ('"""', "'''"):
                return None
            at = match.end()
            continue
        if character in _CLOSING:
            stack.append(_CLOSING[character])
        elif character in ")]}":
            if not stack or stack.pop() != character:
                return None
            if not stack:
                return at + 1
        at += 1
    return None

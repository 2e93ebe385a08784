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
_MARK = re.compile(r"[()\[\]{}\"']")
_DEEPEST = 30


def balanced_end(text: str, start: int, limit: int = 4000) -> int | None:
    """The offset after the bracket that closes the one at `start`; strings are skipped.

    None when it isn't closed within `limit` characters, or nests deeper than any example would.
    """
    stack: list[str] = []
    at = start
    while match := _MARK.search(text, at, start + limit):
        mark = match.group()
        at = match.end()
        if mark in "\"'":
            string = _TOKEN.match(text, match.start())
            if string is None or string.group() in ('"""', "'''"):
                return None
            at = string.end()
        elif mark in _CLOSING:
            stack.append(_CLOSING[mark])
            if len(stack) > _DEEPEST:
                return None
        elif not stack or stack.pop() != mark:
            return None
        elif not stack:
            return at
    return None

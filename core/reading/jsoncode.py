"""Code that a model put into JSON, taken out by a JSON decoder and never by replacing escapes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

_START = re.compile(r'\{\s*"|\[\s*[{"]')
_CODE_KEY = re.compile(
    r'"(?:code|solution|python|python_code|implementation|source|program|answer)"\s*:\s*'
)
_BAD_ESCAPE = re.compile(r'\\(?:(["\\/bfnrt]|u[0-9a-fA-F]{4})|)')
_MOST_STARTS = 20


def strings_in(text: str) -> Iterator[str]:
    """Every string value of the JSON in `text`, with or without prose around it, in order."""
    stripped = text.strip()
    if stripped.startswith('"'):
        whole = _decode(stripped, 0)
        if whole is not None and whole[1] == len(stripped):
            yield from _walk(whole[0])
        return
    at = 0
    for _ in range(_MOST_STARTS):
        match = _START.search(text, at)
        if match is None:
            return
        value = _decode(text, match.start())
        at = match.end() if value is None else value[1]
        if value is not None:
            yield from _walk(value[0])


def unfinished(text: str) -> str | None:
    """The code so far of a JSON reply that breaks off inside its code string, else None."""
    matches = list(_CODE_KEY.finditer(text))
    if not matches or "{" not in text[: matches[-1].start()]:
        return None
    match = matches[-1]
    rest = text[match.end() :].rstrip()
    if not rest.startswith('"') or _decode(text, match.end()) is not None:
        return None
    for cut in range(7):  # an escape is at most six characters long
        shorter = _decode(rest[: len(rest) - cut] + '"', 0)
        if shorter is not None and isinstance(shorter[0], str):
            return shorter[0]
    return None


def quoted(text: str) -> Iterator[str]:
    """Code in what only looks like JSON: a triple-quoted or backticked value, taken as it is."""
    for match in islice(_CODE_KEY.finditer(text), _MOST_STARTS):
        for mark in ('"""', "'''", "`"):
            rest = text[match.end() :]
            end = rest.rfind(mark)
            if rest.startswith(mark) and not rest.startswith(mark + "`") and end > 0:
                yield rest[len(mark) : end]


def _decode(text: str, at: int) -> tuple[Any, int] | None:
    decoder = json.JSONDecoder(strict=False)  # raw line ends inside strings are common
    try:
        return decoder.raw_decode(text, at)
    except (ValueError, RecursionError):
        pass
    # Python's own escapes, such as the \d of a pattern, that were not escaped again for JSON.
    mended = _BAD_ESCAPE.sub(lambda match: match.group() if match[1] else r"\\", text[at:])
    if mended == text[at:]:
        return None
    try:
        value, _ = decoder.raw_decode(mended)
    except (ValueError, RecursionError):
        return None
    return value, len(text)


def _walk(value: Any) -> Iterator[str]:
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            pending.extend(reversed(item.values()))
        elif isinstance(item, list):
            pending.extend(reversed(item))

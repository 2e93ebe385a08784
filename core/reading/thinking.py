"""Reasoning that some models write before their answer."""

from __future__ import annotations

import re

_OPEN = re.compile(r"\s*<(think|thinking|thought|reasoning)>", re.IGNORECASE)
_ORPHAN = re.compile(r"^[ \t]*</(?:think|thinking|thought|reasoning)>[ \t]*", re.MULTILINE)


def without_thinking(text: str) -> tuple[list[str], bool]:
    """The answer in the order of the readings to try, and whether the reasoning never ended.

    A reply may lack the opening tag, where the prompt's template wrote it.
    """
    match = _OPEN.match(text)
    if match is not None:
        close = re.search(rf"</{match[1]}>", text[match.end() :], re.IGNORECASE)
        if close is None:
            return [text[match.end() :]], True
        rest = text[match.end() + close.end() :]
        return ([rest] if not _OPEN.match(rest) else without_thinking(rest)[0]), False
    orphan = _ORPHAN.search(text)
    if orphan is not None:
        return [text[orphan.end() :], text], False
    return [text], False

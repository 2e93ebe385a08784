"""Replies of a model whose answer was begun for it, with a function's head."""

from __future__ import annotations

import re

from core.reading.pysource import has_definition, parse

_ANY_FENCE = re.compile(r"^[ \t]*(?:`{3,}|~{3,})", re.MULTILINE)


def whole_reply(begun: str, text: str, finish_reason: str) -> str:
    """The reply of a model that was to go on from `begun`, an open block with a function's head.

    What goes on there is indented; otherwise the model has begun anew. One that ended without a
    closing fence meant its block to end there.
    """
    fence = _ANY_FENCE.search(text)
    before = text[: fence.start()] if fence else text
    first = next((line for line in text.splitlines() if line.strip() and line[0] != "#"), "")
    if not begun or not first:
        return text
    has_own = fence is not None and _defines(_within(text, fence))
    if first[0].isspace():
        if has_own and parse(begun.partition("\n")[2] + before) is None:
            return text  # words before a block of its own
        return begun + text + ("\n```\n" if fence is None and finish_reason == "stop" else "")
    if fence is not None and _defines(before):
        return f"```python\n{text}"  # in the block that was open for it
    is_closing = not first.strip("`~ \t") and not has_own and finish_reason == "stop"
    return begun + text if is_closing else text


def _within(text: str, fence: re.Match[str]) -> str:
    """What stands between this fence and the next one, or the end.

    Not by core.reading.fences, which takes any bare fence for an opening one: this one may close
    the block that was begun.
    """
    inside = text[fence.end() :].partition("\n")[2]
    end = _ANY_FENCE.search(inside)
    return inside[: end.start()] if end else inside


def _defines(code: str) -> bool:
    tree = parse(code)
    return tree is not None and has_definition(tree)

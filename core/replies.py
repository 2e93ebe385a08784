"""What a model's reply says: its code, plan, verdict and scores. Pure: text in, values out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from core.errors import ModelAnswerError
from core.reading.bare import Passage, defines, passage
from core.reading.choice import Found, next_best, program
from core.reading.fences import Block, blocks
from core.reading.jsoncode import quoted, strings_in, unfinished
from core.reading.opinions import extract_scores, extract_verdict
from core.reading.plans import Plan, extract_plan
from core.reading.pysource import Budget, defined, does_something, has_definition, parse
from core.reading.thinking import without_thinking

__all__ = [
    "Extracted",
    "Plan",
    "extract_code",
    "extract_plan",
    "extract_scores",
    "extract_verdict",
]

# A fence that does not stand alone on its line: "Here it is: ```python ... ```".
_INLINE_FENCE = re.compile(r"`{3,}")
_INLINE_START = re.compile(r"(?:python3?\b|py\b)?[ \t]*\n?")
_MOST_INLINE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Extracted:
    """A reply's code, unchanged but for line ends, its fence's indentation and a final newline.

    `truncated`: the reply broke off, so ask again with more room; `code` is what had arrived and
    may be ''. `how` says where the code stood: bare, fence, joined, json, prose, broken, nothing.
    """

    code: str
    truncated: bool
    how: str


def extract_code(text: str, wanted: str | None = None, *, finish_reason: str = "stop") -> Extracted:
    """The Python in a reply, preferably the part that defines `wanted`.

    Code that doesn't parse is returned as it is, so that running it shows why. Raises
    ModelAnswerError when a complete reply holds no code at all.
    """
    answers, thinking = without_thinking(re.sub(r"\r\n?", "\n", text).lstrip("\ufeff"))
    cut = finish_reason == "length"
    budget = Budget()
    readings = [_Reading(answer, wanted, budget) for answer in answers]
    best: Found | None = None
    for reading in readings:
        best = best or reading.whole()
    for reading in readings:
        best = best or reading.partial(cut)
    if best is not None:
        code = best.code.strip("\n") + "\n"
        return Extracted(code=code, truncated=thinking or not best.closed, how=best.how)
    if cut or thinking:
        return Extracted(code="", truncated=True, how="nothing")
    shown = " ".join(text.split())[:80]
    raise ModelAnswerError(
        f"The model's reply holds no Python code. It begins with: {shown!r}. "
        "Ask again, or give this role a model that is better at code."
    )


class _Reading:
    """One answer's possible readings, each worked out at most once."""

    def __init__(self, text: str, wanted: str | None, budget: Budget) -> None:
        self._text = _dedented(text.strip("\n"))
        self._wanted = wanted
        self._budget = budget

    @cached_property
    def _fenced(self) -> list[Found]:
        found = []
        for block in blocks(self._text, self._budget):
            held = [] if _is_program(block, self._budget) else list(_from_json(block.code))
            found.extend(held or [Found(block.code, block.closed, "fence")])
        return found

    @cached_property
    def _json(self) -> list[Found]:
        return list(_from_json(self._text))

    @cached_property
    def _inline(self) -> list[Found]:
        return list(_inline(self._text))

    @cached_property
    def _prose(self) -> Passage | None:
        return passage(self._text, self._wanted, self._budget)

    def _is_wanted(self, code: str) -> bool:
        tree = self._budget.parse(code)
        if tree is None or not has_definition(tree):
            return tree is not None and self._wanted in defined(tree)
        return not self._wanted or self._wanted in defined(tree)

    def whole(self) -> Found | None:
        """Code that parses and defines what is wanted; the surest reading first."""
        if self._is_wanted(self._text):
            return Found(self._text, True, "bare")
        chosen = (
            program(self._fenced, self._wanted, self._budget)
            or program(self._json, self._wanted, self._budget)
            or program(self._inline, self._wanted, self._budget)
        )
        if chosen is not None:
            return chosen
        if any(not self._wanted or defines(piece.code, self._wanted) for piece in self._fenced):
            return None  # it is there, but broken or broken off
        prose = self._prose
        if prose is not None and prose.parses and self._is_wanted(prose.code):
            return Found(prose.code, True, "prose")
        return None

    def partial(self, cut: bool) -> Found | None:
        """The best of an answer without a whole program; `closed` tells a broken-off one."""
        found = [*(self._fenced or self._inline), *self._json]
        begun = unfinished(self._text)
        if begun is not None:
            found.append(Found(begun, False, "json"))
        best = next_best(found, self._wanted, self._budget) or self._broken()
        return Found(best.code, False, best.how) if best is not None and cut else best

    def _broken(self) -> Found | None:
        tree = self._budget.parse(self._text)
        if tree is not None:
            return Found(self._text, True, "bare") if does_something(tree) else None
        prose = self._prose
        tree = self._budget.parse(prose.code) if prose is not None else None
        if prose is None or (tree is not None and not does_something(tree)):
            return None
        return Found(prose.code, True, "prose" if prose.parses else "broken")


def _is_program(block: Block, budget: Budget) -> bool:
    tree = budget.parse(block.code)
    return tree is not None and not block.code.lstrip().startswith(("{", "[", '"'))


def _from_json(text: str) -> Iterator[Found]:
    for value in [*strings_in(text), *quoted(text)]:
        value = value.replace("\r\n", "\n")
        held = blocks(value, Budget(50_000)) if "```" in value and parse(value) is None else []
        for code in [block.code for block in held] or [value]:
            if "\n" in code or "def " in code or "=" in code:
                yield Found(code, True, "json")


def _inline(text: str) -> Iterator[Found]:
    parts = _INLINE_FENCE.split(text, maxsplit=2 * _MOST_INLINE)
    for number in range(1, len(parts), 2):
        start = _INLINE_START.match(parts[number])
        code = parts[number][start.end() if start else 0 :]
        yield Found(code, number + 1 < len(parts), "fence")


def _dedented(text: str) -> str:
    """`text` without the indentation that its first line of code has, if all lines have it."""
    lines = text.split("\n")
    margin = lines[0][: len(lines[0]) - len(lines[0].lstrip(" \t"))]
    if not margin or not all(line.startswith(margin) or not line.strip() for line in lines):
        return text
    return "\n".join(line[len(margin) :] for line in lines)

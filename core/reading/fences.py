"""Fenced blocks of a reply, found by what they hold rather than by the first closing mark."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from core.reading.pysource import Budget, has_definition
from core.reading.scan import first_outside_strings

_FENCE = re.compile(
    r"(?P<lead>[ \t>]*(?:(?:[-*+]|\d{1,3}[.)])[ \t]+)?)(?P<mark>`{3,}|~{3,})(?P<info>.*)"
)
_TAG = re.compile(
    r"(?P<lead>[ \t]*)(?P<mark>\[/?PYTHON\]|</?(?:code|python|solution|answer)>)[ \t]*"
)
_PYTHON = frozenset({"", "python", "python3", "py", "py3", "python2", "pycon"})
_DOCUMENT = frozenset({"", "markdown", "md", "text", "txt"})
_MOST_MARKS = 8000
_MOST_ENDS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block; `closed` is False when its closing mark is missing."""

    code: str
    language: str
    closed: bool


@dataclass(frozen=True, slots=True)
class _Mark:
    line: int
    offset: int
    lead: str
    mark: str
    info: str

    def closes(self, opener: _Mark) -> bool:
        if opener.mark[0] in "<[":
            return self.mark.replace("/", "", 1) == opener.mark and "/" in self.mark
        return not self.info and self.mark.startswith(opener.mark) and not self.lead.strip(" \t>")


def _marks(lines: Sequence[str]) -> list[_Mark]:
    found = []
    offset = 0
    for number, line in enumerate(lines):
        if "```" in line or "~~~" in line or line.strip()[:1] in ("<", "["):
            match = _FENCE.fullmatch(line)
            if match and "`" not in match["info"]:
                info = match["info"].strip()
                found.append(_Mark(number, offset, match["lead"], match["mark"], info))
            elif tag := _TAG.fullmatch(line):
                found.append(_Mark(number, offset, tag["lead"], tag["mark"], ""))
        offset += len(line) + 1
        if len(found) == _MOST_MARKS:
            break
    return found


def language(info: str) -> str:
    """The language that an opening fence names, in lower case; '' for none."""
    words = re.findall(r"[A-Za-z][\w+#-]*", info)
    return words[0].lower() if words else ""


def blocks(text: str, budget: Budget, depth: int = 0) -> list[Block]:
    """The fenced blocks of `text` in order, without overlaps.

    A fence inside a string of the code does not end its block: the end is the first closing mark
    outside the code's own strings, or else one that leaves code which parses.
    """
    lines = text.split("\n")
    marks = _marks(lines)
    found: list[Block] = []
    at = 0
    while at < len(marks):
        opener = marks[at]
        if opener.mark[1:2] == "/":
            at += 1
            continue
        end, block = _block(text, lines, marks, at, budget)
        inner = depth < 2 and budget.parse(block.code) is None and _inner(block, budget, depth)
        found.extend(inner or [block])
        at = end
    if marks and not marks[0].info and marks[0].line:
        # The prompt, not the reply, may have opened the fence.
        before = Block(code="\n".join(lines[: marks[0].line]), language="", closed=True)
        if budget.parse(before.code) is not None:
            found.insert(0, before)
    return found


def _inner(block: Block, budget: Budget, depth: int) -> list[Block]:
    """The blocks inside a block that is a document rather than a program, else none."""
    if block.language not in _DOCUMENT or not re.search(r"^[ \t]*(```|~~~)", block.code, re.M):
        return []
    inside = [inner for inner in blocks(block.code, budget, depth + 1) if inner.code.strip()]
    trees = [budget.parse(inner.code) for inner in inside]
    return inside if any(tree is not None and has_definition(tree) for tree in trees) else []


def _block(
    text: str, lines: Sequence[str], marks: Sequence[_Mark], at: int, budget: Budget
) -> tuple[int, Block]:
    """The block opened by mark `at`, and the index of the first mark after it."""
    opener = marks[at]
    named = language(opener.info)
    # Replies with thousands of marks are nonsense: look far only from the first of them.
    nearby = range(at + 1, min(len(marks), at + max(50, 20_000 // (at + 1))))
    ends = [index for index in nearby if marks[index].closes(opener)]
    first = _outside_strings(text, marks, opener, ends) if named in _PYTHON else None
    # Some models forget to close a block before they open the next.
    openers = [index for index in nearby[:50] if marks[index].info]
    reopened = _outside_strings(text, marks, opener, openers) if named in _PYTHON else None
    for rank, index in enumerate(_in_order(ends, first, reopened, named)):
        if rank and not budget.may_guess(marks[index].offset - opener.offset):
            break
        body = lines[opener.line + 1 : marks[index].line]
        for code in _unindented(body, opener.lead):
            if budget.parse(code) is not None:
                after = index + 1 if marks[index].closes(opener) else index
                return after, Block(code=code, language=named, closed=True)
    return _unparsable(lines, marks, at, ends, first)


def _unparsable(
    lines: Sequence[str], marks: Sequence[_Mark], at: int, ends: Sequence[int], first: int | None
) -> tuple[int, Block]:
    opener = marks[at]
    named = language(opener.info)
    end = first if first is not None else (ends[0] if ends else None)
    if first is None and ends and named in _PYTHON:
        rest = "\n".join(lines[marks[ends[-1]].line + 1 :])
        # Every closing mark stands in an open string: either the string is the code's mistake,
        # or the reply was cut off later in the code.
        end = None if '"""' in rest or "'''" in rest else ends[-1]
    stop = len(lines) if end is None else marks[end].line
    code = next(_unindented(lines[opener.line + 1 : stop], opener.lead))
    after = len(marks) if end is None else end + 1
    if end is None and not opener.info and any(mark.info for mark in marks[at + 1 :]):
        after = at + 1  # a stray closing mark, not an opening one
    return after, Block(code=code, language=named, closed=end is not None)


def _outside_strings(
    text: str, marks: Sequence[_Mark], opener: _Mark, ends: Sequence[int]
) -> int | None:
    """The first of `ends` that is not inside a triple-quoted string of the block."""
    start = text.find("\n", opener.offset) + 1
    index = first_outside_strings(text, start, [marks[end].offset for end in ends])
    return None if index is None else ends[index]


def _in_order(
    ends: Sequence[int], first: int | None, reopened: int | None, named: str
) -> Iterator[int]:
    """Ends worth trying, most likely first."""
    if first is not None:
        yield first
    if named not in _PYTHON:
        yield from ends[:1]
        return
    yield from ends[:1]
    yield from ends[-1:]
    yield from ends[1:_MOST_ENDS]
    if reopened is not None:
        yield reopened


def _unindented(body: Sequence[str], lead: str) -> Iterator[str]:
    """The block's text without its fence's indentation; further readings if that doesn't parse."""
    plain = "\n".join(body)
    if not lead:
        yield plain
    elif ">" in lead:
        yield "\n".join(re.sub(r"^[ \t]*(?:>[ ]?)+", "", line) for line in body)
    else:
        width = len(lead)
        indent = lead if not lead.strip() else " " * width
        whole = all(line.startswith(indent) or not line.strip() for line in body)
        if whole:
            yield "\n".join(line[width:] for line in body)
        else:
            yield plain
            yield "\n".join(line[len(line[:width]) - len(line[:width].lstrip()) :] for line in body)
    margins = [len(line) - len(line.lstrip(" \t")) for line in body if line.strip()]
    margin = min(margins, default=0)
    if margin:
        yield "\n".join(line[margin:] for line in body)

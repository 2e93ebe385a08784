"""Examples behind "for example" where a goal has no others: nearness and sets.

`For example, set(f(x)) == set([1, 2])` ends its line, and its paragraph denies nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from core.reading.asserts import expression, is_constant
from core.reading.doctests import Example
from core.reading.phrases import DENIAL
from core.reading.pysource import loaded

# At the beginning of a line or of a sentence: elsewhere "e.g." may stand in a condition.
_LEAD = re.compile(
    r"(?:^|[.!]\s+)(?:[-*\u2022]\s+)?(?:for\s+(?:example|instance)|examples?:|e\.\s?g\.),?:?\s+",
    re.IGNORECASE,
)
_DOUBT = re.compile(
    r"\b(?:bad|broken|bugs?|close|collisions?|current|ends?|errors?|fail\w*|false|if|ignor\w*|invalid"
    r"|legacy|naive|now|old|at\s+the\s+moment|poor|stops?|until|used\s+to|when)\b",
    re.IGNORECASE,
)
_GOES_ON = re.compile(r"\s*(?:[a-z(\[{\"'\d]|True\b|False\b|None\b)")
_MOST_CHARACTERS = 300
_HOLDERS = frozenset({"dict", "frozenset", "list", "set", "tuple"})
_SEEN_THROUGH = _HOLDERS | {"len", "repr", "round", "sorted", "str", "sum"}


def led(lines: Sequence[str], names: frozenset[str]) -> Iterator[Example]:
    """What `lines` show so of a call of one of `names`."""
    for at, line in enumerate(lines):
        leads = list(_LEAD.finditer(line))
        said = line[leads[-1].end() :].strip(" `.,;") if leads else ""
        example = _example(said, names) if 0 < len(said) <= _MOST_CHARACTERS else None
        if example is None:
            continue
        around = _paragraph(lines, at)
        goes_on = at + 1 < len(lines) and _GOES_ON.match(lines[at + 1])
        if not (goes_on or DENIAL.search(around) or _DOUBT.search(around)):
            yield example


def _paragraph(lines: Sequence[str], at: int) -> str:
    """The lines around it up to blank ones, and the heading above."""
    first, last = at, at
    while first > 0 and lines[first - 1].strip():
        first -= 1
    while last + 1 < len(lines) and lines[last + 1].strip():
        last += 1
    above = next((line for line in reversed(lines[:first]) if line.strip()), "")
    return "\n".join([above, *lines[first : last + 1]])


def _example(said: str, names: frozenset[str]) -> Example | None:
    """`said` as a check, when one side is the call and the other can only be meant as a value."""
    setup: tuple[str, ...] = ()
    match expression(said):
        case ast.Compare(left=call, ops=[ast.Eq()], comparators=[value]):
            pass
        case ast.Compare(
            left=ast.Call(
                func=ast.Name(id="abs"),
                args=[ast.BinOp(left=call, op=ast.Sub(), right=value)],
            ),
            ops=[ast.Lt() | ast.LtE()],
            comparators=[ast.Constant()],
        ):
            pass
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="math"), attr="isclose"),
            args=[call, value],
            keywords=[_],  # without, it is as exact as `==`
        ):
            setup = ("import math",)
        case _:
            return None
    shown = _is_call(call, names) and _is_value(value)
    return Example(setup=setup, check=f"assert {said}") if shown else None


def _is_call(node: ast.expr, names: frozenset[str]) -> bool:
    match node:
        case ast.Call(func=ast.Name(id=name), args=[first, *more], keywords=[]):
            if name in names:
                return all(map(_is_value, (first, *more)))
            return name in _SEEN_THROUGH and _is_call(first, names) and all(map(_is_value, more))
    return False


def _is_value(node: ast.expr) -> bool:
    """A constant, but none to be worked out: 2020-10-15 is a date, float("nan") equals nothing."""
    worked_out = (ast.BinOp, ast.Not, ast.Invert, ast.UAdd)
    return (
        is_constant(node)
        and loaded(node) <= _HOLDERS
        and not any(isinstance(part, worked_out) for part in ast.walk(node))
    )

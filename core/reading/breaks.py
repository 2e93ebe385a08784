"""Where code breaks off without meaning to.

Of 172 programs for half of the benchmark's tasks that pass all examples 14 did so on calls like
those: 9 of them were wrong, of the other 158 only 13 (docs/benchmark.md).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from core.events import CaseResult
from core.reading.asserts import expression
from core.reading.pysource import NOT_PYTHON

_WHERE = re.compile(r"\(solution\.py line \d+: (.*)\)$", re.DOTALL)
# By these code says that it won't take what it was given.
_MEANT = re.compile(r"\b(?:raise|assert|exit)\b")
# The sandbox's limit, an end that was asked for, and what is looked up where it is not: whether a
# goal means such input is open.
_OTHER = re.compile(
    r"(?:MemoryError|SystemExit|KeyError)\b"
    r"|ValueError: (?:.* not in (?:list|tuple|deque)|substring not found)"
)


def broke_off(result: CaseResult) -> str:
    """The error that ended the case in the code, which neither raised nor asserted it; else ''.

    What runs too long, is stopped by the sandbox, or doesn't find what it looks up does not break
    off.
    """
    where = _WHERE.search(result.message) if result.result == "error" else None
    if where is None or _MEANT.search(where[1]) or _OTHER.match(result.message):
        return ""
    return result.message


def fair(calls: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """Those calls that a goal with the calls `known` likely means; all arguments are literals.

    Open is whether it means what is empty (of right programs for half of the benchmark's tasks four
    break off there, one or two on any other call), tuples of another length, equal arguments,
    lists or texts of different lengths, other fields of a dict, another number beside a sequence
    or another text beside a dict, or another text where texts are more than words: only where one
    of `known` has it too.
    """
    rows = [row for call in known if (row := _arguments(call)) is not None]
    usual = _usual(rows)
    allowed = set[str]().union(*(_marks(row, usual) for row in rows))
    return tuple(
        call
        for call in calls
        if (row := _arguments(call)) is not None and _marks(row, usual) <= allowed
    )


@dataclass(frozen=True)
class _Usual:
    """What known arguments are, as they are written, and what they have in common."""

    arguments: frozenset[str]
    only_words: bool
    same_fields: bool


def _usual(rows: Sequence[Sequence[Any]]) -> _Usual:
    arguments = list(chain.from_iterable(rows))
    fields = {_fields(one) for one in _parts(arguments) if isinstance(one, dict) and one}
    return _Usual(
        frozenset(map(repr, arguments)),
        all(_is_words(one) for one in arguments if isinstance(one, str)),
        len(fields) == 1,
    )


def _marks(arguments: Sequence[Any], usual: _Usual) -> set[str]:
    """What is unusual about these arguments, in words that are the same where it is the same."""
    whole = ", ".join(map(repr, arguments))
    texts = [one for one in arguments if isinstance(one, str)]
    lists = [one for one in arguments if isinstance(one, list)]
    parts = list(_parts(arguments))
    dicts = [one for one in parts if isinstance(one, dict)]
    found = {
        repr(one) for one in parts if isinstance(one, list | tuple | dict | set | str) and not one
    }
    found |= {f"{len(one)} in a tuple" for one in parts if isinstance(one, tuple)}
    if len(set(map(repr, arguments))) < len(arguments):
        found.add("equal arguments")
    if any(len(set(map(len, alike))) > 1 for alike in (texts, lists)):
        found.add("different lengths")
    if (texts or lists) and any(_is_number(one) for one in arguments):
        found.add(f"a sequence beside a number: {whole}")
    if texts and dicts:
        found.add(f"a text beside a dict: {whole}")
    if usual.same_fields:
        found |= {_fields(one) for one in dicts}
    if not usual.only_words and any(repr(one) not in usual.arguments for one in texts):
        found.add("another text")
    return found


def _parts(arguments: Iterable[Any]) -> Iterator[Any]:
    """The arguments and all that is in them, but for the keys of dicts."""
    for one in arguments:
        yield one
        if isinstance(one, list | tuple | set | dict):
            yield from _parts(one.values() if isinstance(one, dict) else one)


def _fields(one: dict[Any, Any]) -> str:
    return f"with the fields {sorted(map(repr, one))}"


def _is_words(text: str) -> bool:
    """Whether it is no date, sum or path."""
    return all(letter.isalpha() or letter.isspace() for letter in text)


def _is_number(one: Any) -> bool:
    return isinstance(one, int | float) and not isinstance(one, bool)


def _arguments(call: str) -> tuple[Any, ...] | None:
    node = expression(call)
    if not isinstance(node, ast.Call):
        return None
    try:
        given = (*node.args, *(word.value for word in node.keywords))
        return tuple(ast.literal_eval(one) for one in given)
    except (*NOT_PYTHON, TypeError):
        return None

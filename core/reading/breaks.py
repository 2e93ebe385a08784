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
from core.reading.tables import tables

_WHERE = re.compile(r"\(solution\.py line \d+: (.*)\)$", re.DOTALL)
# By these code says that it won't take what it was given.
_MEANT = re.compile(r"\b(?:raise|assert|exit)\b")
# The sandbox's limit, an end that was asked for, and what is looked up where it is not: whether a
# goal means such input is open.
_OTHER = re.compile(
    r"(?:MemoryError|SystemExit|KeyError(?!: ['\"](?:pop from an empty|popitem)))\b"
    r"|ValueError: (?:.* not in \w+|sub(?:string|section) not found)$"
)


def broke_off(result: CaseResult) -> str:
    """The error that ended the case in the code, which neither raised nor asserted it; else ''.

    What runs too long, is stopped by the sandbox, or doesn't find what it looks up does not break
    off.
    """
    where = _WHERE.search(result.message) if result.result == "error" else None
    if where is None or _MEANT.search(where[1]):
        return ""
    if _OTHER.match(result.message[: where.start()].rstrip()):  # not the line, which has words too
        return ""
    return result.message


def fair(calls: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """Those calls that a goal with the calls `known` likely means; all arguments are literals.

    Open is whether it means what is empty (of right programs for half of the benchmark's tasks four
    break off there, one or two on any other call), tuples of another length, tables that are not
    square, equal arguments, arguments of other lengths where the known ones are as long as each
    other, texts in a list that are not, other fields of a dict, anything else where a number stands
    beside a sequence or a text beside a dict, another text where texts are more than words, or a
    longer one where each is a letter: only where one of `known` has it too.
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
    """The texts in known arguments, and what the arguments have in common."""

    texts: frozenset[str]
    only_words: bool
    same_fields: bool
    same_lengths: bool
    only_letters: bool


def _usual(rows: Sequence[Sequence[Any]]) -> _Usual:
    parts = list(_parts(chain.from_iterable(rows)))
    texts = frozenset(one for one in parts if isinstance(one, str))
    fields = {_fields(one) for one in parts if isinstance(one, dict) and one}
    lengths = [_lengths(row) for row in rows]
    return _Usual(
        texts,
        all(map(_is_words, texts)),
        len(fields) == 1,
        all(len(set(found)) == 1 for found in lengths if found),
        {len(one) for one in texts} == {1},
    )


def _marks(arguments: Sequence[Any], usual: _Usual) -> set[str]:
    """What is unusual about these arguments, in words that are the same where it is the same."""
    whole = ", ".join(map(repr, arguments))
    parts = list(_parts(arguments))
    dicts = [one for one in parts if isinstance(one, dict)]
    found = {
        repr(one)
        for one in parts
        if isinstance(one, list | tuple | dict | set | str | bytes) and not one
    }
    found |= {f"{len(one)} in a tuple" for one in parts if isinstance(one, tuple)}
    if any(len(table) != len(table[0]) for table in tables(arguments)):
        found.add("a table that is not square")
    if len(set(map(repr, arguments))) < len(arguments):
        found.add("equal arguments")
    if usual.same_lengths and len(lengths := _lengths(arguments)) > 1:
        found.add(f"lengths {lengths}")
    if any(len(set(map(len, one))) > 1 for one in parts if _is_texts(one)):
        found.add("texts of different lengths in a list")
    if any(_is_sequence(one) for one in arguments) and any(map(_is_number, arguments)):
        found.add(f"a number beside a sequence: {whole}")
    if dicts and any(isinstance(one, str) for one in arguments):
        found.add(f"a text beside a dict: {whole}")
    if usual.same_fields:
        found |= {_fields(one) for one in dicts}
    if usual.only_letters and any(isinstance(one, str) and len(one) > 1 for one in parts):
        found.add("more than a letter")
    if not usual.only_words and any(
        isinstance(one, str) and one not in usual.texts for one in parts
    ):
        found.add("another text")
    return found


def _parts(arguments: Iterable[Any]) -> Iterator[Any]:
    """The arguments and all that is in them, but for the keys of dicts."""
    for one in arguments:
        yield one
        if isinstance(one, list | tuple | set | dict):
            yield from _parts(one.values() if isinstance(one, dict) else one)


def _lengths(arguments: Sequence[Any]) -> list[int]:
    """Of the arguments that are sequences, where these are several."""
    found = [len(one) for one in arguments if _is_sequence(one)]
    return found if len(found) > 1 else []


def _is_sequence(one: Any) -> bool:
    return isinstance(one, str | list | tuple)


def _is_texts(one: Any) -> bool:
    return isinstance(one, list | tuple) and all(isinstance(text, str) for text in one)


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

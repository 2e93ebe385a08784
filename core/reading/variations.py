"""Calls like known ones, with other arguments of the same kind: where two programs may differ."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice, zip_longest
from typing import Any

from core.reading.asserts import compared
from core.reading.floats import exact
from core.reading.pysource import NOT_PYTHON, parse
from core.reading.tables import same_tables

# What takes longer to read or to compute than it tells.
_LONGEST = 200
_LONGEST_CASE = 2000
_LARGEST = 1_000_000
_MOST_CALLS = 20
_ELIDED = "**"  # stands for the parameter's name in `f(**arguments)`


@dataclass(frozen=True)
class _Row:
    """The arguments of a call; a label is `parameter=`, or '' without one."""

    labels: tuple[str, ...]
    values: tuple[Any, ...]

    def call(self, name: str) -> str:
        pairs = zip(self.labels, self.values, strict=True)
        return f"{name}({', '.join(f'{label}{one!r}' for label, one in pairs)})"

    def with_one(self, place: int, value: Any) -> _Row:
        return replace(self, values=(*self.values[:place], value, *self.values[place + 1 :]))


def variations(sources: Iterable[str], name: str, limit: int) -> tuple[str, ...]:
    """Up to `limit` calls of function `name`: those of the test cases `sources`, then new ones.

    Only calls whose arguments are literals, or names set to literals before, are read. A new call
    differs from an earlier one in one argument, which is another call's or a small change of its
    own. There numbers stay as positive as the known ones are, and rows of tables keep their
    form. Always the same for the same cases.
    """
    known = list(chain.from_iterable(_calls(source, name) for source in sources))[:_MOST_CALLS]
    found: dict[str, _Row] = {}
    new = {row.call(name): row for row in known}
    while new and len(found) < limit:
        found |= dict(islice(new.items(), limit - len(found)))
        in_turn = zip_longest(*(_near(row, known) for row in new.values()))
        near = ((row.call(name), row) for row in chain.from_iterable(in_turn) if row is not None)
        short = ((call, row) for call, row in near if call not in found and len(call) <= _LONGEST)
        new = dict(islice(short, 2 * limit))
    return tuple(found)


def _near(row: _Row, known: Sequence[_Row]) -> Iterator[_Row]:
    """Rows that differ in one value; the places take turns."""
    streams = []
    for place, value in enumerate(row.values):
        others = [other.values[place] for other in known if other.labels == row.labels]
        beside = [*row.values[:place], *row.values[place + 1 :]]
        streams.append(map(partial(row.with_one, place), _new(value, others, beside)))
    for turn in zip_longest(*streams):
        yield from (one for one in turn if one is not None)


def _new(value: Any, others: Sequence[Any], beside: Sequence[Any]) -> Iterator[Any]:
    """Values for the place of this one, where known calls have `others`."""
    lowest = min((number for other in others for number in _numbers(other)), default=0)
    for one in chain(_exchanged(value, others), _alike(value, beside), _changes(value, lowest)):
        low = any(_is_too_low(number, lowest) for number in _numbers(one))
        if not low and same_tables(one, others):
            yield one


def _calls(source: str, name: str) -> Iterator[_Row]:
    """The call of `name` whose value the case compares, if it can be read.

    Only equality fixes a value: `sorted(f(x)) == [1, 2]` and `f(x) in (1, 2)` leave f free.
    """
    tree = parse(source) if len(source) <= _LONGEST_CASE else None
    if tree is None or not tree.body:
        return
    bound = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    for node in compared(exact(tree).body[-1]) or ():
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        given = [*node.args, *(word.value for word in node.keywords)]
        labels = [*("" for _ in node.args), *(f"{word.arg or _ELIDED}=" for word in node.keywords)]
        plain = [bound.get(one.id, one) if isinstance(one, ast.Name) else one for one in given]
        if node.func.id != name or f"{_ELIDED}=" in labels:
            continue
        try:
            yield _Row(tuple(labels), tuple(map(ast.literal_eval, plain)))
        except (*NOT_PYTHON, TypeError):
            continue


def _exchanged(value: Any, others: Iterable[Any]) -> Iterator[Any]:
    """The same argument of other calls, and texts with a word or number of theirs.

    Where they have whole and broken numbers, whole ones also as broken ones, and the reverse.
    """
    for other in others:
        if type(other) is type(value):
            yield other
            if isinstance(value, str):
                yield from _crossed(value, other)
    kinds = {type(other) for other in others}
    if kinds == {int, float} and abs(value) <= _LARGEST:
        yield float(value) if type(value) is int else round(value)


def _alike(value: Any, beside: Iterable[Any]) -> Iterator[Any]:
    """The call's other arguments of the same type: two that are equal are often a special case."""
    return (other for other in beside if type(other) is type(value))


def _crossed(text: str, other: str) -> Iterator[str]:
    """The text with one of its words or numbers from the same place of the other."""
    own, theirs = re.split(r"(\W+)", text), re.split(r"(\W+)", other)
    if len(own) == len(theirs) > 1:
        for place in range(0, len(own), 2):
            if own[place] != theirs[place]:
                yield "".join([*own[:place], theirs[place], *own[place + 1 :]])


def _changes(value: Any, lowest: float) -> Iterator[Any]:
    """Values like this one; numbers not below `lowest`, or 1 where that is positive."""
    match value:
        case bool():
            yield not value
        case int() | float():
            for number in (value + 1, value - 1, value + 2, value * 2, -value):
                if not _is_too_low(number, lowest) and number <= _LARGEST and number != value:
                    yield number
        case str():
            yield value[:1]
            yield value[:-1]
            for found in islice(re.finditer(r"\d+", value), 4):
                for number in (int(found[0]) + 1, 0):
                    yield f"{value[: found.start()]}{number:0{len(found[0])}}{value[found.end() :]}"
            yield value[::-1]
            yield value + value
            yield value.swapcase()
            yield value[1:]
            yield ""
        case tuple():
            yield from (tuple(one) for one in _changes(list(value), lowest))
        case list():
            yield value[:1]
            yield value[:-1]
            yield value[::-1]
            yield value + value
            yield value[1:]
            if value:
                for first in islice(_changes(value[0], lowest), 3):
                    yield [first, *value[1:]]
                for last in islice(_changes(value[-1], lowest), 3):
                    yield [*value[:-1], last]
            yield []
        case dict():
            yield dict(list(value.items())[:-1])
            yield dict(list(value.items())[1:])
            for key in list(value)[:1]:
                for one in islice(_changes(value[key], lowest), 2):
                    yield {**value, key: one}
            yield {}


def _is_too_low(number: float, lowest: float) -> bool:
    return number < min(lowest, 1)


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        yield value
    elif isinstance(value, list | tuple | set):
        for one in value:
            yield from _numbers(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _numbers(one)

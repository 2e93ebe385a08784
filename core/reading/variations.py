"""Calls like known ones, with other arguments of the same kind: where two programs may differ."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from typing import Any

from core.reading.asserts import compared
from core.reading.changes import LARGEST, alike, changes, exchanged, in_turn
from core.reading.floats import exact
from core.reading.pysource import NOT_PYTHON, parse
from core.reading.tables import Rows

# What takes longer to read or to compute than it tells.
_LONGEST = 200
_LONGEST_CASE = 2000
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
    known = _known(sources, name)
    places = _places(known)
    found: dict[str, _Row] = {}
    new = {row.call(name): row for row in known}
    while new and len(found) < limit:
        found |= dict(islice(new.items(), limit - len(found)))
        nearest = in_turn(*(_near(row, places[row.labels]) for row in new.values()))
        near = ((row.call(name), row) for row in nearest)
        short = ((call, row) for call, row in near if call not in found and len(call) <= _LONGEST)
        new = dict(islice(short, 2 * limit))
    return tuple(found)


def longer(sources: Iterable[str], name: str, limit: int) -> tuple[str, ...]:
    """Up to `limit` calls like those of the test cases, with one whole number of a digit more.

    Of numbers above 9 that are arguments: reversing, swapping and rotating two digits is the same,
    and small changes of a number leave it as long as it was.
    """
    rows = in_turn(*map(_longer, _known(sources, name)))
    return tuple(islice(dict.fromkeys(row.call(name) for row in rows), limit))


def _longer(row: _Row) -> Iterator[_Row]:
    for place, value in enumerate(row.values):
        if type(value) is int and 9 < value < LARGEST // 10:
            yield row.with_one(place, 10 * value + (value + 1) % 10)


def _known(sources: Iterable[str], name: str) -> list[_Row]:
    return list(chain.from_iterable(_calls(source, name) for source in sources))[:_MOST_CALLS]


@dataclass(frozen=True)
class _Place:
    """What known calls have in one place: the values, the lowest number, the rows of tables."""

    others: tuple[Any, ...]
    lowest: float
    rows: Rows

    @staticmethod
    def of(others: tuple[Any, ...]) -> _Place:
        lowest = min((number for other in others for number in _numbers(other)), default=0)
        return _Place(others, lowest, Rows.of(others))

    def fit(self, value: Any) -> bool:
        low = any(number < min(self.lowest, 1) for number in _numbers(value))
        return not low and self.rows.fit(value)


def _places(known: Sequence[_Row]) -> dict[tuple[str, ...], list[_Place]]:
    """By the labels of the calls."""
    by_labels: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
    for row in known:
        by_labels.setdefault(row.labels, []).append(row.values)
    return {
        labels: [_Place.of(others) for others in zip(*rows, strict=True)]
        for labels, rows in by_labels.items()
    }


def _near(row: _Row, places: Sequence[_Place]) -> Iterator[_Row]:
    """Rows that differ in one value; the places take turns."""
    streams = []
    for number, (value, place) in enumerate(zip(row.values, places, strict=True)):
        beside = [*row.values[:number], *row.values[number + 1 :]]
        new = chain(exchanged(value, place.others), alike(value, beside), changes(value, place.fit))
        streams.append(map(partial(row.with_one, number), filter(place.fit, new)))
    yield from in_turn(*streams)


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

"""Values like a known one, of the same kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice, zip_longest
from typing import Any, TypeVar

LARGEST = 1_000_000


def exchanged(value: Any, others: Iterable[Any]) -> Iterator[Any]:
    """The same argument of other calls, and texts with a word or number of theirs.

    Where they have whole and broken numbers, whole ones also as broken ones, and the reverse.
    """
    for other in others:
        if type(other) is type(value):
            yield other
            if isinstance(value, str):
                yield from _crossed(value, other)
    kinds = {type(other) for other in others}
    if kinds == {int, float} and abs(value) <= LARGEST:
        yield float(value) if type(value) is int else round(value)


def alike(value: Any, beside: Iterable[Any]) -> Iterator[Any]:
    """The call's other arguments of the same type, and the beginning and end of a sequence: it is
    often a special case that two are equal, or that one is a part of the other."""
    for other in beside:
        if type(other) is type(value):
            yield other
            if isinstance(other, list | str):
                yield from (other[:2], other[1:])


def _crossed(text: str, other: str) -> Iterator[str]:
    """The text with one of its words or numbers from the same place of the other."""
    own, theirs = re.split(r"(\W+)", text), re.split(r"(\W+)", other)
    if len(own) == len(theirs) > 1:
        for place in range(0, len(own), 2):
            if own[place] != theirs[place]:
                yield "".join([*own[:place], theirs[place], *own[place + 1 :]])


def changes(value: Any, fit: Callable[[Any], bool]) -> Iterator[Any]:
    """Values like this one. Of a sequence's or a dict's only few items are changed, and of their
    changes only those that `fit`; all others are for the caller to choose from."""
    match value:
        case bool():
            yield not value
        case int() | float():
            near = [value + 1, value - 1, value + 2, value * 2]
            for number in (*near, *_other_digits(value), -value):
                if number <= LARGEST and number != value:
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
            yield from (tuple(one) for one in changes(list(value), fit))
        case list():
            yield value[:1]
            yield value[:-1]
            yield value[::-1]
            yield value + value
            yield value[1:]
            if value:
                firsts = ([one, *value[1:]] for one in changes(value[0], fit) if one != value[0])
                lasts = ([*value[:-1], one] for one in changes(value[-1], fit) if one != value[-1])
                ends = (islice(filter(fit, some), 3) for some in (firsts, lasts))
                yield from in_turn(*ends)
            yield []
        case dict():
            yield dict(list(value.items())[:-1])
            yield dict(list(value.items())[1:])
            for key in list(value)[:1]:
                changed = ({**value, key: one} for one in changes(value[key], fit))
                yield from islice(filter(fit, changed), 2)
            yield {}


_T = TypeVar("_T")


def in_turn(*streams: Iterable[_T]) -> Iterator[_T]:
    """One of each, then the next of each, as long as there are any."""
    turns = zip_longest(*(((one,) for one in stream) for stream in streams), fillvalue=())
    yield from chain.from_iterable(chain.from_iterable(turns))


def _other_digits(number: float) -> Iterator[int]:
    """Of a whole number its digits in reverse, and as many of its first."""
    if isinstance(number, int) and number > 9:
        digits = str(number)
        yield from (int(digits[::-1]), int(digits[0] * len(digits)))

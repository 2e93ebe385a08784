"""Tables in arguments: lists or tuples of nothing but such, as a matrix or a list of pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any


def same_tables(value: Any, known: Iterable[Any]) -> bool:
    """Whether rows of the tables in `value` have the form that those in `known` values let expect.

    A form is how long a row is and of which types, numbers being alike. Where all known rows have
    one, it must be that; where those of each known table have one, any one; else any at all.
    """
    usual = list(chain.from_iterable(map(_forms, known)))
    found = list(_forms(value))
    if len(frozenset[_Form]().union(*usual)) == 1:
        return all(one == usual[0] for one in found)
    return any(len(one) > 1 for one in usual) or all(len(one) == 1 for one in found)


_Form = tuple[str, ...]


def _forms(value: Any) -> Iterator[frozenset[_Form]]:
    """Of each table the forms of its rows."""
    if not isinstance(value, list | tuple | dict):
        return
    if value and all(isinstance(one, list | tuple) for one in value):
        yield frozenset(map(_form, value))
    for one in value.values() if isinstance(value, dict) else value:
        yield from _forms(one)


def _form(row: Sequence[Any]) -> _Form:
    return tuple("number" if type(one) in (int, float) else type(one).__name__ for one in row)

"""Tables in arguments: lists or tuples of nothing but such, as a matrix or a list of pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any


@dataclass(frozen=True)
class Rows:
    """The form that rows of known tables have: how long they are and of which types.

    `form`: where all have one. `mixed`: whether the rows of a single table differ.
    """

    form: tuple[str, ...] | None
    mixed: bool

    @staticmethod
    def of(known: Iterable[Any]) -> Rows:
        """What the tables in `known` values have in common; numbers are alike."""
        found = [set(map(_form, table)) for table in tables(known)]
        forms = set(chain.from_iterable(found))
        return Rows(next(iter(forms)) if len(forms) == 1 else None, any(len(x) > 1 for x in found))

    def fit(self, value: Any) -> bool:
        """Whether the tables in `value` have such rows: of the one form, or each of one form."""
        if self.mixed:
            return True
        found = [set(map(_form, table)) for table in tables([value])]
        return all(len(forms) == 1 and self.form in (None, *forms) for forms in found)


def tables(values: Iterable[Any]) -> Iterator[Sequence[Any]]:
    """All tables in these values, at any depth; keys of dicts are not looked at."""
    for value in values:
        if isinstance(value, dict):
            yield from tables(value.values())
        elif isinstance(value, list | tuple):
            if value and all(isinstance(one, list | tuple) for one in value):
                yield value
            yield from tables(value)


def _form(row: Sequence[Any]) -> tuple[str, ...]:
    return tuple("number" if type(one) in (int, float) else type(one).__name__ for one in row)

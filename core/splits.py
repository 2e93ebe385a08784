"""What several programs give for the same calls, as test cases.

Pure: from values to cases.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.events import Case
from core.reading.asserts import compared
from core.reading.floats import TOLERANCE, exact, tolerant
from core.reading.pysource import NOT_PYTHON, parse
from core.reading.variations import variations

AGREEING = 2
# The cases made where programs differ: one would do, more show the user what it is about.
SPLIT_CASES = 3

Values = Mapping[str, str]
"""What a program gives, by call, as a literal's source; nothing for a call that ends otherwise."""


def differ(given: Mapping[str, Values], call: str) -> bool:
    """Whether two programs give something else for the call."""
    values = [values[call] for values in given.values() if call in values]
    return not all(same(values[0], value) for value in values[1:])


def same(one: str, other: str) -> bool:
    """Whether a test case would take one value for the other; both are literals' source."""
    a, b = ast.literal_eval(one), ast.literal_eval(other)
    if isinstance(a, float) or isinstance(b, float):
        try:
            return math.isclose(a, b, rel_tol=1e-9, abs_tol=TOLERANCE)
        except (TypeError, OverflowError):  # not a number, or none that a float can hold
            return False
    return bool(a == b)


def split(given: Mapping[str, Values], calls: Sequence[str]) -> list[dict[str, Any]]:
    """The calls on which programs differ, each with the value that the most give.

    First those on which two agree; of the others, `disputed`, the value is a further program's.
    """
    found: list[dict[str, Any]] = []
    for call in calls:
        if not differ(given, call):
            continue
        values = [values[call] for values in given.values() if call in values]
        votes = [sum(same(value, other) for other in values) for value in values]
        clear = max(votes) >= AGREEING
        value = values[votes.index(max(votes))] if clear else values[1]
        found.append({"call": call, "value": value, "disputed": not clear})
    return sorted(found, key=lambda one: bool(one["disputed"]))


def agreed(given: Mapping[str, Values], calls: Sequence[str]) -> list[dict[str, Any]]:
    """The calls for which at least two programs give something, and all of them the same."""
    found: list[dict[str, Any]] = []
    for call in calls:
        values = [values[call] for values in given.values() if call in values]
        if len(values) >= AGREEING and not differ(given, call):
            found.append({"call": call, "value": values[0], "disputed": False})
    return found


def with_splits(
    cases: Sequence[Case], name: str, splits: Sequence[Mapping[str, Any]]
) -> tuple[Case, ...]:
    """The suite of function `name` with what was found, at most SPLIT_CASES new cases.

    A generated case that expects another value than two programs give is disputed, and so is one of
    whose call no two give the same. What the suite has already, and be it as rejected, is not added
    again.
    """
    found = {one["call"]: one for one in splits}
    known = [_sides(case.source, name) for case in cases]
    new = [
        one
        for one in splits
        if not any(call == one["call"] and same(value, one["value"]) for call, value in known)
    ]
    before = [
        replace(case, disputed=True)
        if case.origin == "generated"
        and (one := found.get(call))
        and (one["disputed"] or not same(one["value"], value))
        else case
        for case, (call, value) in zip(cases, known, strict=True)
    ]
    number = 1 + sum(case.origin == "generated" for case in cases)
    made = [
        Case(
            id=f"g{number + place}",
            source=tolerant(f"assert {one['call']} == {one['value']}"),
            origin="generated",
            disputed=one["disputed"],
        )
        for place, one in enumerate(new[:SPLIT_CASES])
    ]
    return (*before, *made)


def _sides(source: str, name: str) -> tuple[str, str]:
    """A case's call and the value it expects, as `split` writes them; '' for what it lacks."""
    call = next(iter(variations([source], name, 1)), "")
    tree = parse(source)
    found = compared(exact(tree).body[-1]) if tree is not None and tree.body else None
    if not call or found is None:
        return "", ""
    try:
        return call, repr(ast.literal_eval(found[1]))
    except (*NOT_PYTHON, TypeError):
        return "", ""

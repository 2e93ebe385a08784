"""What several programs give for the same calls, as test cases.

Pure: from values to cases.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.events import Case
from core.programs import enough
from core.reading.asserts import compared
from core.reading.floats import TOLERANCE, exact, tolerant
from core.reading.pysource import NOT_PYTHON, parse
from core.reading.variations import variations

# The cases made of what programs give: one would do, more show the user what it is about.
NEW_CASES = 3

# With fewer calls it says little that all have the same result.
FEWEST_CALLS = 10

Values = Mapping[str, str]
"""What a program gives, by call: a literal's source, or BROKE; nothing where it ends otherwise."""
BROKE = "..."
"""In place of a value: the program breaks off there, without meaning to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a program by `model` gives."""

    model: str
    values: Values


def findings(given: Sequence[Given], calls: Sequence[str], *, alone: bool) -> list[dict[str, Any]]:
    """The calls for which at least two programs give a value: that which the most give.

    `split` where they differ; `disputed` where too few give the same (core.programs.enough) or as
    many give another. The value of a disputed one is a further program's than the first that gives
    one, if there is one. Breaking off outvotes no value and decides nothing: where the others are
    clear nothing is split by it.
    """
    found: list[dict[str, Any]] = []
    for call in calls:
        all_ = [(one.values[call], one.model) for one in given if call in one.values]
        values = [(value, by) for value, by in all_ if value != BROKE]
        if len(all_) < 2 or not values:
            continue
        votes = [[by for other, by in values if same(value, other)] for value, _ in values]
        most = max(votes, key=len)
        tied = sum(len(by) == len(most) for by in votes) > len(most)  # more than one group's
        clear = enough(most, alone=alone) and not tied
        value = values[votes.index(most) if clear else min(1, len(values) - 1)][0]
        split = len(most) < len(values if clear else all_)
        found.append({"call": call, "value": value, "disputed": not clear, "split": split})
    return found


def is_settled(found: Sequence[Mapping[str, Any]], *, alone: bool) -> bool:
    """Whether no further program is needed: nowhere do they differ in dispute.

    `alone` something must be clear as well. That nothing is returned proves nothing.
    """
    return not in_dispute(found) and (not alone or any(_proves(one) for one in found))


def in_dispute(found: Sequence[Mapping[str, Any]]) -> bool:
    """Whether programs differ somewhere and too few of them say the same."""
    return any(one["split"] and one["disputed"] for one in found)


def gives_one_result(given: Sequence[Given], found: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the programs, or the only one, give the same for all calls, as one that looks at
    nothing would. `found`: their findings; what no two of them give counts for neither side."""
    values = [one["value"] for one in found if not one["disputed"]]
    if len(given) == 1:
        values = [value for value in given[0].values.values() if value != BROKE]
    return len(values) >= FEWEST_CALLS and all(same(values[0], value) for value in values)


def telling(found: Sequence[Mapping[str, Any]], *, alone: bool) -> list[dict[str, Any]]:
    """What is worth a case: where programs differ, and `alone` also what they agree on."""
    kept = [dict(one) for one in found if one["split"] or (alone and _proves(one))]
    return sorted(kept, key=lambda one: (bool(one["disputed"]), not one["split"]))


def _proves(one: Mapping[str, Any]) -> bool:
    return not one["disputed"] and one["value"] != "None"


def same(one: str, other: str) -> bool:
    """Whether a test case would take one value for the other; both are literals' source."""
    a, b = ast.literal_eval(one), ast.literal_eval(other)
    if isinstance(a, float) or isinstance(b, float):
        try:
            return math.isclose(a, b, rel_tol=1e-9, abs_tol=TOLERANCE)
        except (TypeError, OverflowError):  # not a number, or none that a float can hold
            return False
    return bool(a == b)


def with_findings(
    cases: Sequence[Case], name: str, found: Sequence[Mapping[str, Any]], *, decided: bool = True
) -> tuple[Case, ...]:
    """The suite of function `name` with what is telling, at most NEW_CASES new cases.

    A generated case that expects another value than enough programs give is disputed, and so is one
    of whose call too few give the same; all of them where nothing is `decided`. What the suite has
    already, and be it as rejected, is not added again, and nothing about a call on which the user
    has spoken.
    """
    by_call = {one["call"]: one for one in found}
    known = [_sides(case.source, name) for case in cases]
    spoken = {
        call for case, (call, _) in zip(cases, known, strict=True) if case.is_yours and case.counts
    }
    new = [
        one
        for one in found
        if one["call"] not in spoken
        and not any(
            call == one["call"] and same(value, one["value"])
            for case, (call, value) in zip(cases, known, strict=True)
            if one["disputed"] or case.counts or case.rejected
        )
    ]
    before = [
        replace(case, disputed=True)
        if case.origin == "generated" and (not decided or _contradicts(by_call.get(call), value))
        else case
        for case, (call, value) in zip(cases, known, strict=True)
    ]
    number = 1 + sum(case.origin == "generated" for case in cases)
    made = [
        Case(
            id=f"g{number + place}",
            source=tolerant(f"assert {one['call']} == {one['value']}"),
            origin="generated",
            disputed=one["disputed"] or not decided,
            voted=not one["disputed"],
        )
        for place, one in enumerate(new[:NEW_CASES])
    ]
    return (*before, *made)


def _contradicts(one: Mapping[str, Any] | None, value: str) -> bool:
    return one is not None and (one["disputed"] or not same(one["value"], value))


def _sides(source: str, name: str) -> tuple[str, str]:
    """A case's call and the value it expects, as `findings` writes them; '' for what it lacks."""
    call = next(iter(variations([source], name, 1)), "")
    tree = parse(source)
    found = compared(exact(tree).body[-1]) if tree is not None and tree.body else None
    if not call or found is None:
        return "", ""
    try:
        return call, repr(ast.literal_eval(found[1]))
    except (*NOT_PYTHON, TypeError):
        return "", ""

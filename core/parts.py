"""The parts of a run that go on beside its body, by name: a kind, a role and a number."""

from __future__ import annotations

from core.context import Context
from core.events import ROLES, Role
from core.spread import CANDIDATE, Place, write_further
from core.steps import Json
from core.suite_writing import MORE, TESTS, write_more_tests, write_tests


def carry_out_part(context: Context, name: str) -> Json:
    """Do what the name says, in the calling thread; ValueError for a name that says nothing."""
    if name == TESTS:
        return write_tests(context)
    kind, role, number = _read(name)
    if kind == TESTS:
        return write_tests(context, role)
    if kind == MORE:
        return write_more_tests(context, role)
    if kind == CANDIDATE and number:
        return write_further(context, Place(number=number, role=role))
    raise ValueError(f"a run has no part {name!r}")


def _read(name: str) -> tuple[str, Role, int]:
    """Out of names like tests-generator and candidate-escalation-2."""
    for role in ROLES:
        kind, found, number = name.partition(f"-{role}")
        if found:
            return kind, role, int(number.lstrip("-") or 0)
    raise ValueError(f"a run has no part {name!r}")

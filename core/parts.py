"""The parts of a run that go on beside its body, by name: a kind, a role and a number."""

from __future__ import annotations

import logging

from core.context import Context
from core.errors import IllegalEvent, StorageError
from core.events import ROLES, Role
from core.spread import CANDIDATE, Place, write_further
from core.steps import Json, Leaving
from core.suite_writing import MORE, TESTS, write_more_tests, write_tests

logger = logging.getLogger(__name__)


def carry_out_part(context: Context, name: str) -> Json:
    """Do what the name says, in the calling thread; ValueError for a name that says nothing.

    A part never fails but by its result: the body waits for all of them.
    """
    try:
        return _carry_out(context, name)
    except (IllegalEvent, StorageError) as error:
        # No result: the log can't be used, or is another process's now.
        raise Leaving from error
    except Exception as error:
        # A thread's top: the run must hear of our own fault, and end.
        logger.exception("Part %s of run %s broke off", name, context.writer.run_id)
        fault = f"A fault in CodeEvolver itself ended part {name}: {error!r}"
        return {"failed": "Fault", "message": fault} if name.startswith(TESTS) else ""


def _carry_out(context: Context, name: str) -> Json:
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

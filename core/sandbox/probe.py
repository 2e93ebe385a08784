"""Finding the best plan that holds: attacks run in each, and the first that stops all is taken."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

from core.errors import SandboxError
from core.events import Case
from core.sandbox import ladder
from core.sandbox.canaries import Canaries
from core.sandbox.ladder import Plan
from core.sandbox.model import Execution

# Runs code against cases in a plan; also tells which limits a cgroup kept. Raises SandboxError.
Attempt: TypeAlias = Callable[[Plan, str, Sequence[Case]], tuple[Execution, Collection[str]]]


class Unsafe(Exception):
    """An attack was not stopped."""


def best(
    plans: Sequence[Plan],
    canaries: Canaries,
    attempt: Attempt,
    only: Collection[str],
    *,
    warm: bool,
) -> tuple[Plan | None, str]:
    """The first plan that holds, and what was wrong with the better ones ('' for nothing)."""
    problem = ""
    for plan in plans:
        try:
            execution, kept = attempt(plan, canaries.code, canaries.cases)
            _check(execution)
        except (SandboxError, Unsafe) as error:
            problem = problem or str(error)
            continue
        found = ladder.measured(plan, kept)
        if only and found.rung.number not in only:
            problem = problem or f"no {', no '.join(found.rung.lacks)}"
            continue
        if warm and plan.may_be_warm:
            found = ladder.warmed(found, _why_not_warm(found, canaries, attempt))
        return found, problem
    return None, problem


def _why_not_warm(plan: Plan, canaries: Canaries, attempt: Attempt) -> str:
    """'' when the attacks fail as well in a sandbox that comes from the same zygote as another."""
    warm = ladder.warmed(plan, "")
    try:
        attempt(warm, canaries.code, canaries.mess)
        _check(attempt(warm, canaries.code, canaries.cases)[0])
    except (SandboxError, Unsafe) as error:
        return str(error)
    return ""


def _check(execution: Execution) -> None:
    if execution.status != "passed":
        raise Unsafe(f"an attack on the sandbox was not stopped: {execution.message}")

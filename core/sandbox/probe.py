"""Finding the best plan that holds: attacks run in each, and the first that stops all is taken."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from core.errors import SandboxError
from core.events import Case
from core.sandbox import ladder
from core.sandbox.canaries import Canaries
from core.sandbox.ladder import Plan, Problem
from core.sandbox.model import Execution
from core.sandbox.process import NoAnswer

# Runs code against cases in a plan; also tells which limits a cgroup kept. Raises SandboxError.
Attempt: TypeAlias = Callable[[Plan, str, Sequence[Case]], tuple[Execution, Collection[str]]]


# What a machine says that is short of something for the moment.
_PASSING = (
    *map(os.strerror, (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)),
    *("BlockingIOError", "does not answer", "did not answer", "timed out"),
)


class Unsafe(Exception):
    """An attack was not stopped."""


class Late(NoAnswer):
    """The attacks had not ended when their time was up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The first `plan` that holds, and the first `problem` of those above it.

    A look is `clean` when no problem on the way was one that may pass. `unsafe` are the plans that
    let an attack through.
    """

    plan: Plan | None
    problem: Problem | None = None
    clean: bool = True
    unsafe: tuple[Plan, ...] = ()


def best(
    plans: Sequence[Plan],
    canaries: Canaries,
    attempt: Attempt,
    only: Collection[str],
    *,
    warm: bool,
) -> Seen:
    """Attack one plan after another, until one holds."""
    problem: Problem | None = None
    clean = True
    unsafe: tuple[Plan, ...] = ()
    for plan in plans:
        try:
            execution, kept = attempt(plan, canaries.code, canaries.cases)
            _check(execution)
        except (SandboxError, Unsafe) as error:
            found = _problem(plan, error)
            if isinstance(error, Unsafe):
                unsafe += (plan,)
            problem, clean = problem or found, clean and not found.passing
            continue
        taken = ladder.measured(plan, kept)
        if only and taken.rung.number not in only:
            problem = problem or Problem(text=f"no {', no '.join(taken.rung.lacks)}")
            continue
        if warm and plan.may_be_warm:
            cold = _why_not_warm(taken, canaries, attempt)
            taken = ladder.warmed(taken, cold.text if cold else "")
            clean = clean and not (cold and cold.passing)
        return Seen(plan=taken, problem=problem, clean=clean, unsafe=unsafe)
    return Seen(plan=None, problem=problem, clean=clean, unsafe=unsafe)


def _problem(plan: Plan, error: Exception) -> Problem:
    text = str(error)
    passing = isinstance(error, NoAnswer) or any(word in text for word in _PASSING)
    return Problem(text=text, way=plan.way, passing=passing)


def _why_not_warm(plan: Plan, canaries: Canaries, attempt: Attempt) -> Problem | None:
    """None when the attacks fail as well in a sandbox from the same zygote as another."""
    warm = ladder.warmed(plan, "")
    try:
        attempt(warm, canaries.code, canaries.mess)
        _check(attempt(warm, canaries.code, canaries.cases)[0])
    except (SandboxError, Unsafe) as error:
        return _problem(plan, error)
    return None


def _check(execution: Execution) -> None:
    if execution.status == "timeout":
        raise Late(f"the attacks on the sandbox did not end: {execution.message}")
    if execution.status != "passed":
        raise Unsafe(f"an attack on the sandbox was not stopped: {execution.message}")

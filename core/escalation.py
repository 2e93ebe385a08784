"""The stages that mend: what is tried next depends on what went wrong, and on what was tried.

A missing name or import goes back to the generator once: small models mend about 77 % of those,
and 45 % of wrong results (arXiv 2604.10508). All else goes to the stronger model with its full
context; its last attempt starts afresh, as a third patch of the same code rarely helps (LDB's
logs, arXiv 2306.09896).
"""

from __future__ import annotations

from collections.abc import Sequence

from core.context import Context
from core.events import (
    CandidateRolledBack,
    EscalationEnded,
    EscalationStarted,
    ExecutionFinished,
)
from core.failures import kind
from core.packet import error_signature, escalation_prompt, first_error
from core.programs import same_program
from core.state import CandidateState
from core.stub import code_prompt
from core.testing import execute
from core.tools import Skill, offer
from core.verdict import best_candidate

REPAIR = "r1"
# From this attempt on the last one is written afresh.
FRESH_FROM = 3
FRESH_TEMPERATURE = 0.6
NOTHING_TO_MEND_BY = (
    "When mending would have begun no case counted, so nothing told right code from wrong. Add an "
    "example to the goal, such as f(2) == 4."
)


def repair(context: Context, skills: Sequence[Skill]) -> None:
    """Let the generator mend a missing name or import itself, once."""
    if not context.recorded("repairable", lambda: _is_repairable(context)):
        return
    with context.writer.stage("code", REPAIR):
        answer, code = context.ask_code(
            f"code-{REPAIR}",
            "generator",
            lambda: escalation_prompt(
                context.state(), best_candidate(context.state()), offer(skills)
            ),
            temperature=0.0,
        )
        context.write_candidate(0, answer, code, name=REPAIR)
    execute(context, REPAIR, skills)


def _is_repairable(context: Context) -> bool:
    best = best_candidate(context.state())
    if _no_case_left(context) or best.execution is None or context.is_builtin("generator"):
        return False
    return kind(best.execution) == "name"


def escalate(context: Context, skills: Sequence[Skill]) -> None:
    """At most `run.attempts` tries of the stronger model, each tested.

    Ends early when one passes, or when the same code or the same error comes back; never begins
    where no case is left to pass.
    """
    if context.recorded("no-case-left", lambda: _no_case_left(context)):
        context.writer.write(EscalationEnded(reason=NOTHING_TO_MEND_BY), key="escalation-ended")
        return
    of = context.recorded("attempts", lambda: _wanted(context))
    for attempt in range(1, of + 1):
        # A replay sees later candidates in the log too, and must decide as it did the first time.
        best = best_candidate(context.state(), before=attempt)
        if best.execution is None or best.passes:
            return
        candidate = _try(context, attempt, of, best, best.execution, skills)
        execution = execute(context, candidate, skills)
        if execution.status == "passed":
            return
        _roll_back(context, candidate, attempt)
        ended = _repeats(context, attempt, execution)
        if ended:
            context.writer.write(EscalationEnded(reason=ended), key="escalation-ended")
            return


def _no_case_left(context: Context) -> bool:
    return not context.state().counted


def _wanted(context: Context) -> int:
    """Measured: of 22 answers the built-in model mended 2, and a second patch none."""
    attempts = context.ports.config().run.attempts
    return min(attempts, 1) if context.is_builtin("escalation") else attempts


def _try(
    context: Context,
    attempt: int,
    of: int,
    best: CandidateState,
    failure: ExecutionFinished,
    skills: Sequence[Skill],
) -> str:
    fresh = attempt == of >= FRESH_FROM
    with context.writer.stage("escalate", str(attempt)):
        context.writer.write(
            EscalationStarted(
                attempt=attempt,
                of=of,
                model=context.strongest(),
                reason=first_error(failure),
                kind=kind(failure),
                afresh=fresh,
            ),
            key=f"escalation:{attempt}",
        )
        answer, code = context.ask_code(
            f"escalate-{attempt}",
            "escalation",
            lambda: (
                code_prompt(context.state(), offer(skills), context.plan_for("escalation"))
                if fresh
                else escalation_prompt(context.state(), best, offer(skills))
            ),
            # Each further attempt may look further afield.
            temperature=FRESH_TEMPERATURE if fresh else 0.2 * attempt,
        )
        return context.write_candidate(attempt, answer, code)


def _roll_back(context: Context, candidate: str, attempt: int) -> None:
    """Say so when the next attempt starts from an earlier candidate, because this one is worse."""
    best = best_candidate(context.state(), before=attempt + 1)
    if best.candidate != candidate:
        reason = f"It passes fewer cases than {best.candidate} does."
        context.writer.write(
            CandidateRolledBack(candidate=candidate, kept=best.candidate, reason=reason),
            key=f"rolled-back:{candidate}",
        )


def _repeats(context: Context, attempt: int, execution: ExecutionFinished) -> str:
    """Why another attempt would only repeat what was tried; '' if it would not."""
    candidates = context.state().candidates
    this = next(c for c in candidates if c.attempt == attempt)
    for earlier in candidates:
        if earlier.attempt < attempt and same_program(earlier.code, this.code):
            return f"Attempt {attempt} gave the code of candidate {earlier.candidate} again."
    before = next((c for c in candidates if c.attempt == attempt - 1 > 0), None)
    if before is None or before.execution is None:
        return ""
    if error_signature(before.execution) != error_signature(execution):
        return ""
    return f"Attempts {attempt - 1} and {attempt} ended in the same error."

"""The stage that hands a failure with its full context to the stronger model."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from core.context import Context
from core.events import (
    CandidateRolledBack,
    EscalationEnded,
    EscalationStarted,
    ExecutionFinished,
)
from core.packet import error_signature, escalation_prompt, first_error
from core.state import CandidateState
from core.testing import execute
from core.tools import Skill, offer
from core.verdict import best_candidate


def escalate(context: Context, skills: Sequence[Skill]) -> None:
    """At most `run.attempts` fixes of the best candidate, each tested.

    Ends early when a fix passes, or when the same code or the same error comes back.
    """
    of = context.recorded("attempts", lambda: context.ports.config().run.attempts)
    for attempt in range(1, of + 1):
        # A replay sees later candidates in the log too, and must decide as it did the first time.
        best = best_candidate(context.state(), before=attempt)
        if best.execution is None or best.passes:
            return
        candidate = _fix(context, attempt, of, best, best.execution, skills)
        execution = execute(context, candidate, skills)
        if execution.status == "passed":
            return
        _roll_back(context, candidate, attempt)
        ended = _repeats(context, attempt, execution)
        if ended:
            context.writer.write(EscalationEnded(reason=ended), key="escalation-ended")
            return


def _fix(
    context: Context,
    attempt: int,
    of: int,
    best: CandidateState,
    failure: ExecutionFinished,
    skills: Sequence[Skill],
) -> str:
    with context.writer.stage("escalate", str(attempt)):
        context.writer.write(
            EscalationStarted(
                attempt=attempt,
                of=of,
                model=context.ports.config().role("escalation").model,
                reason=first_error(failure),
            ),
            key=f"escalation:{attempt}",
        )
        answer, code = context.ask_code(
            f"escalate-{attempt}",
            "escalation",
            lambda: escalation_prompt(context.state(), best, offer(skills)),
            # Each further attempt may look further afield.
            temperature=0.2 * attempt,
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


def same_program(a: str, b: str) -> bool:
    """Whether two sources are the same program, whatever their layout and comments."""
    try:
        return ast.dump(ast.parse(a)) == ast.dump(ast.parse(b))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return a.split() == b.split()

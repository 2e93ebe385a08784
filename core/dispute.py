"""Generated cases that independent drafts contradict: shown, not counted, never dropped.

A small model's test cases are often wrong. When drafts that pass all of the user's cases, and
that never saw the generated ones, agree on another result for one of those, the case is disputed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.context import Context
from core.escalation import same_program
from core.events import CaseResult, TestsWritten
from core.state import CandidateState, RunState
from core.testing import execute
from core.tools import Skill

AGREEING_DRAFTS = 2
LONGEST_MESSAGE = 250


def settle(context: Context, drafts: Sequence[str], skills: Sequence[Skill]) -> None:
    """Mark what the drafts so far contradict, and execute them again without it."""
    newest = drafts[-1]
    disputed = context.recorded(
        f"disputed-{newest}", lambda: sorted(contradicted(context.state(), drafts))
    )
    if not disputed:
        return
    cases = tuple(
        replace(case, disputed=True) if case.id in disputed else case
        for case in context.state().cases
    )
    context.writer.write(TestsWritten(cases=cases), key=f"disputed:{newest}")
    for draft in drafts:
        execute(context, draft, skills, again=f"without-{newest}")


def contradicted(state: RunState, drafts: Sequence[str]) -> frozenset[str]:
    """The ids of the generated cases that the agreeing drafts all fail in the same way."""
    yours = {case.id for case in state.cases if case.is_yours and case.counts}
    if not yours:
        return frozenset()
    agreeing = [
        candidate
        for candidate in state.candidates
        if candidate.candidate in drafts and yours <= candidate.passed_ids
    ]
    if _independent(agreeing) < AGREEING_DRAFTS:
        return frozenset()
    results = [
        {result.id: result for result in candidate.execution.cases}
        for candidate in agreeing
        if candidate.execution is not None
    ]
    return frozenset(
        case.id
        for case in state.cases
        if not case.is_yours and case.counts and _all_alike(results, case.id)
    )


def _independent(candidates: Sequence[CandidateState]) -> int:
    """How many there are, the same program by the same model counted once."""
    kept: list[CandidateState] = []
    for candidate in candidates:
        if not any(
            c.model == candidate.model and same_program(c.code, candidate.code) for c in kept
        ):
            kept.append(candidate)
    return len(kept)


def _all_alike(results: Sequence[dict[str, CaseResult]], case: str) -> bool:
    """Whether every draft gave the same value, and not the expected one."""
    found = {(by_id[case].result, by_id[case].message) for by_id in results if case in by_id}
    if len(found) != 1:
        return False
    result, message = next(iter(found))
    # A message that was cut may hide a difference.
    return result == "failed" and "…" not in message and len(message) < LONGEST_MESSAGE

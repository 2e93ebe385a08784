"""Generated cases that independent drafts contradict: shown, not counted, never dropped.

A small model's test cases are often wrong. When drafts that pass all of the user's cases, and
that never saw the generated ones, agree on another result for one of those, the case is disputed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.context import Context
from core.events import CaseResult, TestsWritten
from core.state import RunState
from core.testing import execute
from core.tools import Skill

AGREEING_DRAFTS = 2


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
    yours = {case.id for case in state.cases if case.origin == "yours"}
    if not yours:
        return frozenset()
    results: list[dict[str, CaseResult]] = []
    for candidate in state.candidates:
        if candidate.candidate in drafts and candidate.execution is not None:
            by_id = {result.id: result for result in candidate.execution.cases}
            if all(case in by_id and by_id[case].result == "passed" for case in yours):
                results.append(by_id)
    if len(results) < AGREEING_DRAFTS:
        return frozenset()
    return frozenset(
        case.id
        for case in state.cases
        if case.origin == "generated" and not case.disputed and _all_alike(results, case.id)
    )


def _all_alike(results: Sequence[dict[str, CaseResult]], case: str) -> bool:
    """Whether every draft gave the same value, and not the expected one."""
    found = {(by_id[case].result, by_id[case].message) for by_id in results if case in by_id}
    return len(found) == 1 and next(iter(found))[0] == "failed"

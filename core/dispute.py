"""Generated cases that the candidates outvote: shown, not counted, never dropped.

A small model's test cases are often wrong: even GPT-4's own suites accept the right answer in only
58.5 % of the tasks (Reflexion's log). So a generated case has one vote, and each independent
candidate that passes all of the user's cases has one: its own result of that call, or that it
can't be called so. A case that all of them fail is disputed where enough of them say the same, or
where one is enough.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from core.context import Context
from core.events import Case, CaseResult, TestsWritten
from core.programs import enough, independent
from core.state import CandidateState, RunState
from core.testing import execute
from core.tools import Skill

LONGEST_MESSAGE = 250
# Python's words for arguments that don't fit, where it is the case's own call that has them.
_CALLED_WRONGLY = re.compile(
    r"TypeError: [\w.]+\(\) (?:takes|missing|got an unexpected|got multiple)"
    r".*\(the case line \d+: ",
    re.DOTALL,
)


def settle(context: Context, step: str, skills: Sequence[Skill]) -> None:
    """Mark what the candidates so far outvote, and execute those again without it.

    `step` tells repetitions apart.
    """
    decided = context.recorded(f"disputed-{step}", lambda: _decide(context))
    if not decided["disputed"]:
        return
    cases = tuple(
        replace(case, disputed=True) if case.id in decided["disputed"] else case
        for case in context.state().cases
    )
    context.writer.write(TestsWritten(cases=cases), key=f"disputed:{step}")
    for candidate in decided["again"]:
        execute(context, candidate, skills, again=f"without-{step}")


def _decide(context: Context) -> dict[str, list[str]]:
    state = context.state()
    disputed = outvoted(state, alone=context.is_builtin("generator"))
    again = [one.candidate for one in voters(state)] if disputed else []
    return {"disputed": sorted(disputed), "again": again}


def voters(state: RunState) -> tuple[CandidateState, ...]:
    """The candidates that pass all of the user's cases and were written from the goal alone.

    One that was shown what failed has seen the generated cases: it is no witness against them.
    """
    yours = {case.id for case in state.counted if case.is_yours}
    return tuple(
        one
        for one in state.candidates
        if one.is_fresh and one.execution is not None and yours <= one.passed_ids
    )


def outvoted(state: RunState, *, alone: bool = False) -> frozenset[str]:
    """The ids of the generated cases that the candidates outvote.

    With `alone` a single one is enough that passes cases of the user's: where one small model wrote
    both code and case, it contradicts itself. Measured with the 0.5B model: of its code that passes
    the user's cases 94 to 97 % is right, of its own cases far less.
    """
    witnesses = independent(voters(state))
    yours = any(case.is_yours for case in state.counted)
    one_is_enough = alone and yours
    return frozenset(
        case.id
        for case in state.counted
        if not case.is_yours
        and (against := _against(case.id, witnesses, alike=not one_is_enough))
        and (one_is_enough or enough(against, alone=not yours))
    )


def _against(case: str, witnesses: Sequence[CandidateState], *, alike: bool) -> list[str]:
    """The models of the most witnesses that give another result, and if `alike` the same one; none
    where one passes.

    Small models share their bugs: one that passes weighs more than several that fail alike.
    """
    against: dict[str, list[str]] = {}
    for witness in witnesses:
        result = next((r for r in _results(witness) if r.id == case), None)
        if result is not None and result.result == "passed":
            return []
        if result is not None and _contradicts(result, whole=alike):
            against.setdefault(result.message if alike else "", []).append(witness.model)
    return max(against.values(), key=len, default=[])


def _results(candidate: CandidateState) -> tuple[CaseResult, ...]:
    return candidate.execution.cases if candidate.execution else ()


def _contradicts(result: CaseResult, *, whole: bool) -> bool:
    """Whether the candidate gives another value, or can't be called so.

    `whole`: a message that was cut may hide a difference, and does not count.
    """
    message = result.message
    if result.result != "failed":
        return bool(_CALLED_WRONGLY.match(message))
    return not whole or ("…" not in message and len(message) < LONGEST_MESSAGE)


def called_otherwise(state: RunState, candidate: CandidateState) -> Case | None:
    """The disputed case that calls the candidate in a way which it doesn't take; None without one.

    Only where neither goal nor plan has a signature: then the parameters were made up from the
    goal's examples, for all programs alike, and one that may be left out is easily lost.
    """
    wrongly = {one.id for one in candidate.known if _CALLED_WRONGLY.match(one.message)}
    disputed = (case for case in state.cases if case.in_doubt and not case.rejected)
    return None if state.signature else next((c for c in disputed if c.id in wrongly), None)

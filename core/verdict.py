"""What the executed suite says of a run, in an order and in words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from core.answer_words import rests_on
from core.dispute import called_otherwise
from core.embedded import LARGE
from core.events import Doubt
from core.packet import first_error, head
from core.programs import different_programs, independent
from core.sandbox import NO_CASE_RAN
from core.state import CandidateState, RunState
from core.suite import Counts, counts

AGREE = "candidates, written independently, pass them."
BY_LARGER = "Written afresh by the larger model."


def best_candidate(state: RunState, before: int | None = None) -> CandidateState:
    """The candidate to go on from.

    One that passes, rather one that is not known to break off; else most of your cases passed, then
    CodeT's score (arXiv 2207.10397): the cases passed, times the square root of how many
    independent candidates behave alike; then the newest. Where no case is left one that can be
    imported, and the larger built-in model's first draft. With `before`, only candidates of earlier
    attempts than that count.
    ValueError when there is no candidate yet.
    """
    yours = {case.id for case in state.counted if case.is_yours}
    counted = [c for c in state.candidates if before is None or c.attempt < before]
    alike = Counter(behaviour(candidate) for candidate in independent(counted))

    def worth(place: int) -> tuple[bool, int, float, int]:
        candidate = counted[place]
        if candidate.execution is None:
            return (False, -1, -1.0, place)
        passed = candidate.passed_ids
        if candidate.passes:
            # The first did it, at the least cost.
            return (True, int(candidate.broke is None), 0.0, -place)
        if not state.counted:
            if by_larger(candidate):
                return (False, int(_runs(candidate)), 1.0, -place)
            return (False, int(_runs(candidate)), 0.0, place)
        score = len(passed) * math.sqrt(alike[behaviour(candidate)] or 1)
        return (False, len(passed & yours), score, place)

    return counted[max(range(len(counted)), key=worth)]


def _runs(candidate: CandidateState) -> bool:
    """Whether it could be imported when it was executed last."""
    ran = candidate.executed
    return bool(candidate.known) or (ran is not None and ran.message == NO_CASE_RAN)


def by_larger(candidate: CandidateState) -> bool:
    """Whether the larger built-in model wrote it afresh."""
    return candidate.candidate.startswith("d") and candidate.model == LARGE.name


def behaviour(candidate: CandidateState) -> tuple[tuple[str, str, str], ...]:
    """What it does when it is executed, by case: equal where candidates behave alike."""
    ran = candidate.execution.cases if candidate.execution else ()
    return tuple((result.id, result.result, result.message) for result in ran)


def reason_passed(
    state: RunState, best: CandidateState, used: list[str], *, doubt: Doubt = ""
) -> str:
    """By how many cases of which kind it passed, and what is in doubt about it."""
    suite = counts(state.cases, best.execution.cases if best.execution else ())
    voted = sum(case.voted and not case.is_yours for case in state.counted)
    cases = "its only case" if suite.total == 1 else f"all {suite.total} cases"
    text = f"Passes {cases}: {_kinds(suite, voted)}."
    if suite.disputed:
        be = "is" if suite.disputed == 1 else "are"
        text += f" {suite.disputed} generated {be} disputed and not counted: code that passes"
        text += f" {'all of yours' if suite.yours_total else 'the others'} does otherwise."
    agreeing = independent([one for one in state.candidates if one.passes and one.is_fresh])
    if len(agreeing) > 1:
        text += f" {len(agreeing)} {AGREE}{_alike(agreeing)}"
    if best.broke is not None:
        so = ", so it is unconfirmed" if doubt else ""
        text += f" But on {head(best.broke.call, 100)} it breaks off{so}:"
        text += f" {head(best.broke.error, 200).rstrip('.')}."
        text += " An example of that call would tell." if doubt else ""
    elif doubt == "differ":
        text += " But programs differ where no case decides, so it is unconfirmed."
    elif doubt == "constant":
        text += " But it gives the same result for every call that was tried, so it is unconfirmed."
        text += " An example with another result would tell."
    elif doubt == "called":
        case = called_otherwise(state, best)
        assert case is not None
        text += f" But {head(case.source.removeprefix('assert '), 100)} calls it in a way that it"
        text += " does not take, so it is unconfirmed. Say whether that test is right."
    elif doubt and len(agreeing) > 1:
        text += " But that others do the same could not be shown, so it is unconfirmed."
    elif doubt:
        text += " But no second program confirms it. More examples would tell."
    text += rests_on(state.cases)
    afresh = {one.attempt for one in state.escalations if one.afresh}
    if best.attempt:
        how = "Written afresh" if best.attempt in afresh else "Mended"
        text += f" {how} on attempt {best.attempt}."
    elif by_larger(best):
        text += f" {BY_LARGER}"
    elif best.candidate.startswith("r"):
        text += " Its missing name was mended by the model itself."
    if used:
        text += f" It imports {', '.join(used)} from the skill library."
    return text


def _alike(agreeing: Sequence[CandidateState]) -> str:
    """How many programs these are, where not each is one of its own."""
    different = different_programs([one.code for one in agreeing])
    if different == len(agreeing):
        return ""
    if different == 1:
        return " They are one and the same program."
    return f" They are {different} different programs."


def reason_failed(state: RunState, best: CandidateState) -> str:
    """What is still wrong, and why nothing more was tried."""
    error = first_error(best.execution) if best.execution else "The code was not executed."
    tries = len(state.escalations)
    why = state.escalation_ended or (
        f"All {tries} attempts are used up." if tries else "No attempt was allowed."
    )
    return f"{head(error, 300).rstrip('.')}.{rests_on(state.cases)} {why}"


def _kinds(suite: Counts, voted: int) -> str:
    parts = [f"{suite.yours_total} of your own"] if suite.yours_total else []
    if suite.generated_total > voted:
        parts.append(f"{suite.generated_total - voted} generated")
    if voted:
        parts.append(f"{voted} that several programs agree on")
    return ", ".join(parts)

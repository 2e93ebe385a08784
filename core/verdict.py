"""What the executed suite says of a run, in an order and in words."""

from __future__ import annotations

from core.packet import first_error, head
from core.programs import independent
from core.state import CandidateState, RunState
from core.suite import Counts, counts


def best_candidate(state: RunState, before: int | None = None) -> CandidateState:
    """The candidate to go on from: most of your cases passed, then most of all; the newest wins.

    With `before`, only candidates of earlier attempts than that count. ValueError when there is
    no candidate yet.
    """
    yours = {case.id for case in state.cases if case.origin == "yours"}

    def worth(candidate: CandidateState) -> tuple[bool, int, int, int]:
        if candidate.execution is None:
            return (False, -1, -1, candidate.attempt)
        passed = candidate.passed_ids
        return (candidate.passes, len(passed & yours), len(passed), candidate.attempt)

    counted = [c for c in state.candidates if before is None or c.attempt < before]
    return max(counted, key=worth)


def reason_passed(state: RunState, best: CandidateState, used: list[str]) -> str:
    """By how many cases of which kind it passed."""
    suite = counts(state.cases, best.execution.cases if best.execution else ())
    text = f"Passes all {_cases(suite.total)}: {_kinds(suite)}."
    if suite.disputed:
        be = "is" if suite.disputed == 1 else "are"
        text += f" {suite.disputed} generated {be} disputed and not counted: others contradict"
        text += " it." if suite.disputed == 1 else " them."
    agreeing = independent([one for one in state.candidates if one.passes])
    if len(agreeing) > 1:
        text += f" {len(agreeing)} candidates, written independently, pass them."
    if best.attempt:
        text += f" Mended on attempt {best.attempt}."
    elif best.candidate != state.candidates[0].candidate:
        text += " Written afresh after the first draft had failed."
    if used:
        text += f" It imports {', '.join(used)} from the skill library."
    return text


def reason_failed(state: RunState, best: CandidateState) -> str:
    """What is still wrong, and why nothing more was tried."""
    error = first_error(best.execution) if best.execution else "The code was not executed."
    tries = len(state.escalations)
    why = state.escalation_ended or (
        f"All {tries} attempts are used up." if tries else "No attempt was allowed."
    )
    return f"{head(error, 300).rstrip('.')}. {why}"


def _cases(count: int) -> str:
    return f"{count} case" if count == 1 else f"{count} cases"


def _kinds(suite: Counts) -> str:
    parts = [f"{suite.yours_total} of your own"] if suite.yours_total else []
    if suite.generated_total:
        parts.append(f"{suite.generated_total} generated")
    return ", ".join(parts)

"""What an answer of the user's becomes: an event that is checked against the run as it stands.

Pure: from RunState to an event.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from core.answered import in_force, takes_answer
from core.edits import addition, check_own, find_contradicted, find_same, replacement, same_case
from core.errors import BadInput, Conflict
from core.events import Answer, Case, CaseAnswered
from core.reading.plans import Plan
from core.state import Phase, RunState

MOST_ADDED = 20  # each may have every candidate executed again
ANSWERS: tuple[Answer, ...] = get_args(Answer)


def answer_event(
    state: RunState, case_id: str, answer: str, source: str, was: str
) -> CaseAnswered | None:
    """The answer as an event, None where it was given before.

    `was` is the answer that it changes, '' for a first one. Raises BadInput, Conflict.
    """
    word = next((known for known in ANSWERS if known == answer), None)
    if word is None:
        raise BadInput("answer", "The answer must be yes, no, edit or add.")
    cases = in_force(state.cases, state.answers)
    if word == "add":
        return _added(state, case_id, source, cases)
    case = next((known for known in cases if known.id == case_id), None)
    if case is None:
        raise BadInput("case", f"The run has no test case {case_id!r}.")
    if not takes_answer(case):
        raise BadInput("case", "This case is your own, so there is nothing to ask about it.")
    if case.added and word == "edit":
        raise BadInput("answer", "You added this case: take it back with no, and add another.")
    _check_phase(state)
    if word == "yes":
        check_own("case", case.source, [one for one in cases if one.instead_of != case.id])
    added = ""
    if word == "edit":
        source = replacement(source, case, plan_of(state), cases)
        if same_case(source, case.source):
            word, source = "yes", ""  # as it stands, it is right
        else:
            added = _edited(state, case)
    else:
        source = ""
    new = CaseAnswered(case=case_id, answer=word, source=source, added=added)
    return _unless_answered(state, case, new, was)


def _edited(state: RunState, case: Case) -> str:
    """The id of what an edit puts in the case's place."""
    return f"{case.id}.{1 + sum(one.case == case.id for one in state.answers)}"


def _added(state: RunState, case: str, source: str, cases: Sequence[Case]) -> CaseAnswered | None:
    if case:
        raise BadInput("case", "An added case takes no other's place: leave `case` out, or edit.")
    _check_phase(state)
    if not state.cases:
        raise Conflict("The run has no test cases yet. Add yours once it has.")
    text = addition(source, plan_of(state))
    check_own("source", text, cases)
    same, other = find_same(text, cases), find_contradicted(text, cases)
    if same is not None and same.is_yours and same.counts:
        if same.is_by_answer or same.confirmed:
            return None
        raise BadInput("source", f"The suite has this case already ({same.id}).")
    if other is not None:
        edited = _edited(state, other)
        return CaseAnswered(case=other.id, answer="edit", source=text, added=edited)
    if same is not None and takes_answer(same):
        return CaseAnswered(case=same.id, answer="yes")  # the last word, whatever was before
    if sum(one.added and one.counts for one in cases) >= MOST_ADDED:
        raise BadInput("source", f"A run takes at most {MOST_ADDED} tests besides its own.")
    name = f"u{1 + sum(one.answer == 'add' for one in state.answers)}"
    return CaseAnswered(case=name, answer="add", source=text, added=name)


def _unless_answered(
    state: RunState, case: Case, new: CaseAnswered, was: str
) -> CaseAnswered | None:
    before = state.answer(case.id)
    if before is None:
        return new
    if (before.answer, before.source) == (new.answer, new.source):
        return None
    if before.answer != was:
        raise Conflict(
            f"This case was answered meanwhile: {said(before, case)}. "
            "Change that answer if it is wrong."
        )
    return new


def _check_phase(state: RunState) -> None:
    if state.phase is Phase.CANCELLING or state.outcome == "cancelled":
        raise Conflict("The run was cancelled, so no verdict rests on its cases. Ask again.")
    if state.outcome == "error":
        raise Conflict("The run ended by an error, so no verdict rests on its cases. Ask again.")


def plan_of(state: RunState) -> Plan:
    """The plan as the log has it."""
    return Plan(text=state.strategy, name=state.name, signature=state.signature)


def said(answer: CaseAnswered, case: Case) -> str:
    """The answer about the case in words, like "it is right"."""
    words = {
        "yes": "it counts again" if case.added else "it is right",
        "no": "it is taken back" if case.added else "it is wrong",
        "edit": f"{answer.source} in its place",
        "add": "it is added",
    }
    return words[answer.answer]

"""What the user says of a run's tests, as the page words it: pure functions for the macros."""

from __future__ import annotations

from dataclasses import dataclass

from core.answered import in_force
from core.events import JUDGED, CaseAnswered
from core.questions import Group, Question, question, questions
from core.questions import shown as shown
from core.state import Phase, RunState
from webui.present import plural

_ALONE = {
    "say": "says",
    "raise": "raises",
    "pass it": "passes it",
    "run out of time": "runs out of time",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """An answer that was given, and the question as it stands."""

    answer: CaseAnswered
    question: Question
    counts: bool


def takes_answers(state: RunState) -> bool:
    """Whether an answer would be taken now."""
    if state.phase is Phase.FINISHED:
        return state.outcome in JUDGED
    return state.phase is Phase.RUNNING


def asked(state: RunState) -> tuple[Question, ...]:
    """The questions that the page shows now."""
    return questions(state) if takes_answers(state) else ()


def takes_tests(state: RunState) -> bool:
    """Whether a test of the user's own would be taken now."""
    return takes_answers(state) and bool(state.cases)


def worth_showing(state: RunState) -> bool:
    """Whether anything was answered, or could be: a question, or a test of the user's own."""
    return bool(state.answers or state.waiting or takes_tests(state))


def title(state: RunState, asks: bool) -> str:
    """What the user may do here; `asks`: there is a question."""
    if asks:
        return "Is this right?"
    if state.answers and state.outcome != "unconfirmed":
        return "Your answers"
    return "Do you know a result?"


def hint(state: RunState, asks: bool) -> str:
    """What comes of it; '' while the run waits, which is said there."""
    if state.waiting:
        return ""
    if asks:
        return "optional: an answer ranks the code anew at once, without a model"
    if state.outcome == "unconfirmed":
        return "it settles what no program could: it runs at once, without a model"
    return "optional: a test that you add runs at once, without a model"


def given(state: RunState) -> tuple[Given, ...]:
    """The last answer about each case, in the suite's order; an added case is there at once."""
    newest = {answer.case: number for number, answer in enumerate(state.answers)}
    return tuple(
        Given(
            answer=state.answers[newest[case.id]],
            question=question(state, case),
            counts=newest[case.id] < state.weighed,
        )
        for case in in_force(state.cases, state.answers)
        if case.id in newest
    )


def does(group: Group) -> str:
    """Like "4 candidates say" or "1 candidate runs out of time"."""
    count = len(group.candidates)
    words = group.verb or group.says
    if count == 1:
        words = _ALONE.get(words, words.replace("fail it", "fails it", 1))
    return f"{plural(count, 'candidate')} {words}"


def said(one: Given) -> str:
    """What the user says of the case, after its source."""
    if one.question.case.added:
        return "taken back" if one.answer.answer == "no" else "added"
    return {"yes": "right", "no": "wrong", "edit": "replaced by"}[one.answer.answer]

"""The questions about a run's tests as the page words them: pure functions for the macros."""

from __future__ import annotations

from dataclasses import dataclass

from core.events import JUDGED, CaseAnswered
from core.questions import Group, Question, question, questions, shown
from core.state import Phase, RunState
from webui.present import plural

__all__ = [
    "Given",
    "asked",
    "given",
    "does",
    "shown",
    "takes_answers",
    "worth_showing",
]

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


def worth_showing(state: RunState) -> bool:
    """Whether there is anything to ask, or was."""
    return bool(state.answers or state.waiting or asked(state))


def given(state: RunState) -> tuple[Given, ...]:
    """The last answer about each case, in the suite's order."""
    newest = {answer.case: number for number, answer in enumerate(state.answers)}
    return tuple(
        Given(
            answer=state.answers[newest[case.id]],
            question=question(state, case),
            counts=newest[case.id] < state.weighed,
        )
        for case in state.cases
        if case.id in newest
    )


def does(group: Group) -> str:
    """Like "4 candidates say" or "1 candidate runs out of time"."""
    count = len(group.candidates)
    words = group.verb or group.says
    if count == 1:
        words = _ALONE.get(words, words.replace("fail it", "fails it", 1))
    return f"{plural(count, 'candidate')} {words}"


def said(answer: CaseAnswered) -> str:
    """The answer in a word or two."""
    return {"yes": "right", "no": "wrong", "edit": "replaced by"}[answer.answer]

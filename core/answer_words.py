"""What a verdict and a next goal owe to the user's answers, in words."""

from __future__ import annotations

from collections.abc import Iterable

from core.events import Case
from core.questions import shown
from core.state import RunState


def rests_on(cases: Iterable[Case]) -> str:
    """Like " By your answers 1 case is confirmed and 2 are rejected."; '' without answers."""
    suite = list(cases)
    kinds = (
        ("confirmed", sum(case.confirmed for case in suite)),
        ("rejected", sum(case.rejected and case.origin == "generated" for case in suite)),
        ("your own now", sum(bool(case.instead_of) and case.counts for case in suite)),
        ("added", sum(case.added and case.counts for case in suite)),
    )
    parts: list[str] = []
    for word, count in kinds:
        if count:
            noun = "" if parts else " case" if count == 1 else " cases"
            parts.append(f"{count}{noun} {'is' if count == 1 else 'are'} {word}")
    told = " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))
    return f" By your answers {told}." if told else ""


def goal_with_answers(state: RunState) -> str:
    """The goal with what the user answered as further examples, for asking again."""
    sources = [
        shown(case) for case in state.cases if case.counts and (case.confirmed or case.is_by_answer)
    ]
    lines = [source.removeprefix("assert ") for source in sources if "\n" not in source]
    return "\n".join([state.goal, *(line for line in lines if line not in state.goal)])

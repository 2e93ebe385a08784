"""What a verdict and a next goal owe to the user's answers, in words."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from core.answer_events import plan_of
from core.edits import same_case
from core.events import Case
from core.questions import shown
from core.reading.plans import Plan
from core.reading.pysource import parse
from core.state import RunState
from core.suite import cases_from_goal


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
    """The goal with what the user answered as further examples, for asking again.

    What could not be read out of it again, as it was meant, is left out.
    """
    plan = plan_of(state)
    goal = state.goal
    for case in state.cases:
        if case.counts and (case.confirmed or case.is_by_answer):
            goal = _with_example(goal, shown(case), plan)
    return goal


def _with_example(goal: str, source: str, plan: Plan) -> str:
    for form in _forms(source):
        if form in goal:
            return goal
        longer = f"{goal}\n{form}"
        if any(same_case(case.source, source) for case in cases_from_goal(longer, plan)):
            return longer
    return goal


def _forms(source: str) -> tuple[str, ...]:
    """How a goal may say it, the plainest first."""
    tree = parse(source)
    only = tree.body[0] if tree is not None and len(tree.body) == 1 else None
    if isinstance(only, ast.Try) and only.handlers and only.handlers[0].type is not None:
        return (f"{ast.unparse(only.body[0])} raises {ast.unparse(only.handlers[0].type)}",)
    if isinstance(only, ast.Assert):
        test = ast.unparse(only.test)
        return test, f"assert {test}"
    return (f"```python\n{source}\n```",)

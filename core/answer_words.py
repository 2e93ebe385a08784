"""What a verdict and a next goal owe to the user's answers, in words."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from core.events import Case
from core.questions import shown
from core.reading.pysource import parse
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
    lines = [_as_example(source) for source in sources]
    return "\n".join([state.goal, *(line for line in lines if line not in state.goal)])


def _as_example(source: str) -> str:
    """As people write it in a goal: a comparison or an error as a line, all else as code."""
    tree = parse(source)
    only = tree.body[0] if tree is not None and len(tree.body) == 1 else None
    if isinstance(only, ast.Try) and only.handlers and only.handlers[0].type is not None:
        return f"{ast.unparse(only.body[0])} raises {ast.unparse(only.handlers[0].type)}"
    if isinstance(only, ast.Assert):
        return source.removeprefix("assert ") if isinstance(only.test, ast.Compare) else source
    return f"```python\n{source}\n```"

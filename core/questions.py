"""Which of a run's cases are worth asking the user about: those that split its candidates best.

Pure: from RunState to questions.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from core.events import Case, CaseResult
from core.reading.asserts import compared
from core.reading.floats import exact
from core.reading.pysource import NOT_PYTHON, parse
from core.state import CandidateState, RunState

AT_ONCE = 3
_GOT = re.compile(r": got (.+?)(?:, (?:expected|which is) |$)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Candidates (their ids) that do the same with a case; `says` is what, like "0".

    `verb` goes before it: "say", "raise" or '' where `says` is a phrase of its own.
    """

    verb: Literal["say", "raise", ""]
    says: str
    passes: bool
    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A case to ask about, and what the candidates do with it, the largest group first.

    `source` is the case as people read it; `call` and `expected` are '' where it is no comparison.
    """

    case: Case
    source: str
    call: str
    expected: str
    groups: tuple[Group, ...]

    @property
    def entropy(self) -> float:
        """How evenly the candidates split on it, in bits; 0 when they agree."""
        sizes = [len(group.candidates) for group in self.groups]
        shares = [size / sum(sizes) for size in sizes]
        return round(-sum(share * math.log2(share) for share in shares), 9) + 0.0

    @property
    def all_pass(self) -> bool:
        """Whether every candidate passes it."""
        return all(group.passes for group in self.groups)


def questions(state: RunState, limit: int = AT_ONCE) -> tuple[Question, ...]:
    """Up to `limit` cases without an answer, most telling first.

    None about a call whose result the user has said. A case that all pass is asked about only
    where nothing else is, and no case is the user's own.
    """
    judges = _judges(state)
    known = {sides(shown(case))[0] for case in state.counted if case.is_yours} - {""}
    open_ones = [
        question(state, case, judges)
        for case in state.cases
        if case.origin == "generated" and state.answer(case.id) is None
    ]
    open_ones = [one for one in open_ones if one.call not in known]
    asked = [one for one in open_ones if one.groups]
    telling = [one for one in asked if len(one.groups) > 1 or not one.all_pass]
    # Sorting is stable: equals stay in the suite's order.
    telling.sort(key=lambda one: (-one.entropy, not one.case.disputed))
    if telling:
        return tuple(telling[:limit])
    owned = any(
        case.counts if case.is_yours else bool(state.answer(case.id)) for case in state.cases
    )
    return () if owned else tuple(asked[: min(limit, 1)])


def _judges(state: RunState) -> tuple[CandidateState, ...]:
    """The candidates that ran and do best on the user's own cases: the others are known wrong."""
    yours = {case.id for case in state.cases if case.is_yours and case.counts}

    def right(candidate: CandidateState) -> int:
        return sum(r.result == "passed" and r.id in yours for r in candidate.known)

    ran = [candidate for candidate in state.candidates if candidate.known]
    best = max(map(right, ran), default=0)
    return tuple(candidate for candidate in ran if right(candidate) == best)


def question(state: RunState, case: Case, judges: Iterable[CandidateState] = ()) -> Question:
    """What there is to ask about the case, with what these candidates (all: none given) do."""
    source = shown(case)
    call, expected = sides(source)
    kinds: dict[tuple[str, str, bool], list[str]] = {}
    for candidate in judges or state.candidates:
        result = next((r for r in candidate.known if r.id == case.id), None)
        if result is not None:
            kinds.setdefault(_kind(result, expected), []).append(candidate.candidate)
    groups = [
        Group(verb=verb, says=says, passes=passes, candidates=tuple(names))  # type: ignore[arg-type]
        for (verb, says, passes), names in kinds.items()
    ]
    groups.sort(key=lambda group: -len(group.candidates))
    return Question(case=case, source=source, call=call, expected=expected, groups=tuple(groups))


def _kind(result: CaseResult, expected: str) -> tuple[str, str, bool]:
    """Equal for results that are the same to the user: verb, what, and whether it passed."""
    if result.result == "passed":
        return ("say", expected, True) if expected else ("", "pass it", True)
    if result.result == "timeout":
        return "", "run out of time", False
    if result.result == "error":
        return "raise", result.message.partition(":")[0].strip() or "an error", False
    got = _GOT.search(result.message)
    if got is not None and expected:
        return "say", got[1], False
    return "", f"fail it ({result.message.removeprefix('AssertionError: ')})", False


def shown(case: Case) -> str:
    """The case's source as people write it: without the tolerance that floats need."""
    tree = parse(case.source)
    if tree is None or "got" not in case.source:
        return case.source
    before = ast.dump(tree)
    try:
        plain = exact(tree)
        return case.source if ast.dump(plain) == before else ast.unparse(plain)
    except NOT_PYTHON:
        return case.source


def sides(source: str) -> tuple[str, str]:
    """What the case's last assert compares, as source: the call and the expected; else '', ''."""
    tree = parse(source)
    found = compared(tree.body[-1]) if tree is not None and tree.body else None
    return (ast.unparse(found[0]), ast.unparse(found[1])) if found else ("", "")

"""The suite: cases out of the user's goal (yours), out of replies (generated), and their worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from core.events import Case, CaseResult, Origin
from core.reading.asserts import comparison, is_tautology
from core.reading.doctests import Example
from core.reading.examples import examples
from core.reading.floats import exact, tolerant
from core.reading.plans import Plan
from core.reading.pysource import compiles, fingerprint, parse
from core.reading.testcode import written_tests

__all__ = ["Counts", "cases_from_goal", "cases_from_reply", "counts"]

_MOST_FROM_GOAL = 20
_MOST_READ = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many cases passed, by origin. `yours` are those that you wrote or confirmed.

    Disputed cases are in `disputed`, those that you rejected in `rejected`, and nowhere else.
    """

    passed: int
    total: int
    yours_passed: int
    yours_total: int
    generated_passed: int
    generated_total: int
    disputed: int
    rejected: int = 0


def counts(cases: Iterable[Case], results: Iterable[CaseResult]) -> Counts:
    """What the results say of the suite; a case without a result has not passed."""
    good = {result.id for result in results if result.result == "passed"}
    suite = list(cases)
    fair = [case for case in suite if case.counts]
    yours = [case.id in good for case in fair if case.is_yours]
    generated = [case.id in good for case in fair if not case.is_yours]
    return Counts(
        passed=sum(yours) + sum(generated),
        total=len(fair),
        yours_passed=sum(yours),
        yours_total=len(yours),
        generated_passed=sum(generated),
        generated_total=len(generated),
        disputed=sum(case.in_doubt and not case.rejected for case in suite),
        rejected=sum(case.rejected for case in suite),
    )


def cases_from_goal(goal: str, plan: Plan) -> tuple[Case, ...]:
    """Cases y1, y2, ... out of the examples that the goal gives, at most 20.

    Nothing is made up: what could be read in two ways, or contradicts another example of the goal,
    is no case.
    """
    return _cases(examples(goal, plan), "yours", _MOST_FROM_GOAL, ())


def cases_from_reply(
    text: str, plan: Plan, *, limit: int = 8, taken: Sequence[Case] = ()
) -> tuple[Case, ...]:
    """Cases g1, g2, ... out of a model's tests, at most `limit`; () when none is usable.

    Left out: tests that never reach the candidate, tautologies, copies of each other or of
    `taken`, and contradictions. Of tests that expect different results of the same call, one of
    the user's stands and the generated ones go; where none is the user's, all of them go, because
    nothing tells which is right. What `taken` holds is never touched, and the numbers go on after
    those of its generated cases.
    """
    return _cases(written_tests(text, plan), "generated", limit, taken)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A case to be: `key` is the same for copies, `call` for asserts about the same value."""

    source: str
    key: str
    call: str
    expected: str


def _draft(source: str) -> _Draft | None:
    """None for what Python refuses or what holds for any candidate."""
    tree = parse(source)
    if tree is None or not compiles(source):
        return None
    body = exact(tree).body
    if not body or is_tautology(body[-1]):
        return None
    call, expected = comparison(body[-1]) or ("", "")
    if call:
        call = "\n".join([*map(fingerprint, body[:-1]), call])
    return _Draft(source, "\n".join(map(fingerprint, body)), call, expected)


def _cases(
    found: Iterable[Example], origin: Origin, limit: int, taken: Sequence[Case]
) -> tuple[Case, ...]:
    before = [draft for case in taken if (draft := _draft(case.source)) is not None]
    seen = {draft.key for draft in before}
    drafts: list[_Draft] = []
    for example in islice(found, _MOST_READ):
        source = "\n".join([*example.setup, example.check])
        draft = _draft(tolerant(source))
        if draft is not None and draft.key not in seen:
            seen.add(draft.key)
            drafts.append(draft)
    left = _agreeing(drafts, before)
    start = 1 + sum(case.origin == origin for case in taken)
    return tuple(
        Case(id=f"{origin[0]}{number}", source=draft.source, origin=origin)
        for number, draft in enumerate(left[: max(limit, 0)], start)
    )


def _agreeing(drafts: Sequence[_Draft], before: Sequence[_Draft]) -> list[_Draft]:
    """Without drafts that expect another result of a call than its peers or than `before`."""
    expected: dict[str, set[str]] = {}
    for draft in [*before, *drafts]:
        if draft.call:
            expected.setdefault(draft.call, set()).add(draft.expected)
    return [draft for draft in drafts if len(expected.get(draft.call, ())) <= 1]

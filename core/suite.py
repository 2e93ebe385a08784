"""The suite: cases out of the user's goal (yours), out of replies (generated), and their worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from core.events import Case, CaseResult
from core.reading.asserts import comparison, is_tautology
from core.reading.doctests import Example
from core.reading.examples import examples
from core.reading.floats import exact, tolerant
from core.reading.plans import Plan
from core.reading.pysource import compiles, fingerprint, parse
from core.reading.testcode import written_tests

__all__ = ["Counts", "cases_from_goal", "cases_from_replies", "counts"]

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
    drafts = _agreeing(_drafts(examples(goal, plan)))[:_MOST_FROM_GOAL]
    return tuple(
        Case(id=f"y{number}", source=draft.source, origin="yours")
        for number, draft in enumerate(drafts, 1)
    )


def cases_from_replies(
    texts: Sequence[str], plan: Plan, *, limit: int = 8, yours: Sequence[Case] = ()
) -> tuple[Case, ...]:
    """Cases g1, g2, ... out of several draws of a model's tests, at most `limit` that count.

    Left out: tests that never reach the candidate, tautologies, copies of each other or of
    `yours`, and what contradicts `yours`. What several draws hold comes first. Of tests that expect
    different results of the same call, the one that the most draws hold stands; the others, and all
    of them where none has most, are disputed from the start: shown, not counted.
    """
    before = [draft for case in yours if (draft := _draft(case.source)) is not None]
    taken = {draft.key for draft in before}
    settled = {draft.call for draft in before if draft.call}
    votes: dict[str, _Draft] = {}
    count: Counter[str] = Counter()
    for text in texts:
        draw = {draft.key: draft for draft in _drafts(written_tests(text, plan))}
        count.update(draw.keys())
        votes = {**votes, **{key: draft for key, draft in draw.items() if key not in votes}}
    drafts = [d for d in votes.values() if d.key not in taken and d.call not in settled]
    drafts.sort(key=lambda draft: -count[draft.key])  # stable: else in the order of the draws
    doubted = _outvoted(drafts, count)
    good = [draft for draft in drafts if draft.key not in doubted][: max(limit, 0)]
    shown = [draft for draft in drafts if draft.key in doubted][: max(limit, 0)]
    return tuple(
        Case(id=f"g{n}", source=d.source, origin="generated", disputed=d.key in doubted)
        for n, d in enumerate([*good, *shown], 1)
    )


def _outvoted(drafts: Sequence[_Draft], count: Counter[str]) -> set[str]:
    """The keys of those that expect another result of a call than the one with the most votes."""
    by_call: dict[str, list[_Draft]] = {}
    for draft in drafts:
        if draft.call:
            by_call.setdefault(draft.call, []).append(draft)
    found: set[str] = set()
    for rivals in by_call.values():
        most = max(count[draft.key] for draft in rivals)
        winners = [draft for draft in rivals if count[draft.key] == most]
        found |= {draft.key for draft in rivals if len(winners) > 1 or draft is not winners[0]}
    return found


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


def _drafts(found: Iterable[Example]) -> list[_Draft]:
    """In order, without copies."""
    drafts: dict[str, _Draft] = {}
    for example in islice(found, _MOST_READ):
        source = "\n".join([*example.setup, example.check])
        draft = _draft(tolerant(source))
        if draft is not None:
            drafts.setdefault(draft.key, draft)
    return list(drafts.values())


def _agreeing(drafts: Sequence[_Draft]) -> list[_Draft]:
    """Without drafts that expect another result of a call than their peers."""
    expected: dict[str, set[str]] = {}
    for draft in drafts:
        if draft.call:
            expected.setdefault(draft.call, set()).add(draft.expected)
    return [draft for draft in drafts if len(expected.get(draft.call, ())) <= 1]

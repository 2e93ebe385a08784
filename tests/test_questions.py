"""Which cases are asked about, how candidates are grouped, and laws of answered suites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import events as ev
from core.answered import in_force, judged, must_execute, with_results
from core.questions import question, questions, shown, sides
from core.state import CandidateState, RunState
from webui.asking import does

NAMES = ("g1", "g2", "g3")
VALUES = ("", "0", "1")  # "": passes


def case(name: str, **more: object) -> ev.Case:
    return ev.Case(id=name, source=f"assert f({name[1]}) == 7", origin="generated", **more)  # type: ignore[arg-type]


def result(name: str, value: str) -> ev.CaseResult:
    if not value:
        return ev.CaseResult(id=name, result="passed")
    if value in ("ValueError", "timeout"):
        kind = "timeout" if value == "timeout" else "error"
        return ev.CaseResult(id=name, result=kind, message=f"{value}: bad")  # type: ignore[arg-type]
    message = f"AssertionError: f({name[1]}) == 7: got {value}, expected 7"
    return ev.CaseResult(id=name, result="failed", message=message)


def run_of(cases: Sequence[ev.Case], *rows: str) -> RunState:
    """Each row is a candidate: its values by case, with blanks between; "-" for 7."""
    candidates = []
    for number, row in enumerate(rows):
        values = [value.replace("-", "") for value in row.split()]
        known = tuple(result(c.id, v) for c, v in zip(cases, values, strict=True))
        candidates.append(
            CandidateState(
                candidate=f"c{number}", attempt=0, code="", model="m", endpoint="e", known=known
            )
        )
    return RunState(run_id="r", cases=tuple(cases), candidates=tuple(candidates))


def asked(state: RunState) -> list[str]:
    return [one.case.id for one in questions(state)]


PLAIN = tuple(map(case, NAMES))
DISPUTED = (*PLAIN[:2], case("g3", disputed=True))
CONFIRMED = (case("g1", confirmed=True), *PLAIN[1:])


@pytest.mark.parametrize(
    ("cases", "rows", "expected"),
    [
        (PLAIN, ["- - -", "- 0 -"], ["g2"]),
        (PLAIN, ["- 0 0", "- 0 -", "- - 0", "- - -"], ["g2", "g3"]),
        (PLAIN, ["- 0 0", "- - 0", "- - -", "- - -"], ["g3", "g2"]),
        (DISPUTED, ["- 0 0", "- - -"], ["g3", "g2"]),
        (PLAIN, ["- 0 1", "- 1 -", "- - -"], ["g2", "g3"]),
        (PLAIN, ["- 0 -"], ["g2"]),
        (PLAIN, ["0 1 0"], ["g1", "g2", "g3"]),
        (PLAIN, ["- - -", "- - -"], ["g1"]),
        (CONFIRMED, ["- - -", "- - -"], []),
        (CONFIRMED, ["- 0 -", "0 1 -"], ["g2"]),
        (PLAIN, [], []),
    ],
    ids=[
        "what splits",
        "equals in order",
        "more even first",
        "disputed first",
        "three ways before two",
        "one candidate: what fails",
        "at most three",
        "one to confirm",
        "nothing to confirm",
        "who is known wrong has no say",
        "nothing ran",
    ],
)
def test_what_is_asked(cases: Sequence[ev.Case], rows: list[str], expected: list[str]) -> None:
    assert asked(run_of(cases, *rows)) == expected


def test_what_was_answered_is_not_asked_again() -> None:
    state = run_of(PLAIN, "- 0 0", "- - -")
    answered = replace(state, answers=(ev.CaseAnswered(case="g2", answer="no"),))
    assert asked(answered) == ["g3"]


def test_groups_say_what_candidates_do() -> None:
    state = run_of(PLAIN, "0 - -", "0 - -", "- - -", "ValueError - -", "timeout - -")
    one = question(state, state.cases[0])
    assert (one.call, one.expected, one.source) == ("f(1)", "7", "assert f(1) == 7")
    assert [(does(group), group.says, group.passes) for group in one.groups] == [
        ("2 candidates say", "0", False),
        ("1 candidate says", "7", True),
        ("1 candidate raises", "ValueError", False),
        ("1 candidate runs out of time", "run out of time", False),
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("assert f(1) == 2", ("f(1)", "2")),
        ("assert 2 == f(1)", ("f(1)", "2")),
        ("c = C()\nc.up()\nassert c.value is None", ("c.value", "None")),
        ("assert not f(1)", ("f(1)", "False")),
        ("assert f(1)", ("f(1)", "True")),
        ("assert f(1) > 2", ("", "")),
        ("x = 1", ("", "")),
        ("not python", ("", "")),
    ],
)
def test_what_a_case_compares(source: str, expected: tuple[str, str]) -> None:
    assert sides(source) == expected


def test_a_tolerant_case_is_shown_as_it_was_meant() -> None:
    source = 'assert abs((got := f(1)) - 0.5) < 1e-06, f"got {got!r}, expected 0.5"'
    assert shown(ev.Case(id="g1", source=source, origin="generated")) == "assert f(1) == 0.5"


def after_its_add(answers: list[ev.CaseAnswered]) -> list[ev.CaseAnswered]:
    """Without what is said of an added case before it is there: nobody can."""
    first = next((n for n, one in enumerate(answers) if one.answer == "add"), len(answers))
    return [one for n, one in enumerate(answers) if n >= first or one.case != "u1"]


ANSWERS = st.lists(
    st.builds(
        lambda case, answer, number: ev.CaseAnswered(
            case=case,
            answer=answer,
            source="assert f(9) == 9" if answer == "edit" else "",
            added=f"{case}.{number}" if answer == "edit" else "",
        ),
        st.sampled_from([*NAMES, "y1", "u1", "unknown"]),
        st.sampled_from(["yes", "no", "edit"]),
        st.integers(1, 4),
    )
    | st.just(ev.CaseAnswered(case="u1", answer="add", source="assert f(7) == 7", added="u1")),
    max_size=8,
).map(after_its_add)
SUITE = (ev.Case(id="y1", source="assert f(0) == 0", origin="yours"), *DISPUTED)


@given(ANSWERS)
def test_no_case_is_ever_lost_and_the_last_word_counts(answers: list[ev.CaseAnswered]) -> None:
    cases = in_force(SUITE, answers)
    assert [c.id for c in cases[: len(SUITE)]] == [c.id for c in SUITE]
    assert len({c.id for c in cases}) == len(cases)
    assert cases[0] == SUITE[0]
    for c in cases:
        assert not (c.confirmed and c.in_doubt)
        last = next((a for a in reversed(answers) if a.case == c.id), None)
        if last is not None and c.origin == "generated":
            assert (c.confirmed, c.rejected) == (last.answer == "yes", last.answer != "yes")
        if last is not None and c.added:
            assert (c.confirmed, c.rejected) == (False, last.answer not in ("yes", "add"))
    for name in NAMES:
        stands_in = [c for c in cases if c.instead_of == name and c.counts]
        last = next((a for a in reversed(answers) if a.case == name), None)
        assert len(stands_in) == (last is not None and last.answer == "edit")


@given(ANSWERS)
def test_putting_answers_in_force_again_changes_nothing(answers: list[ev.CaseAnswered]) -> None:
    cases = in_force(SUITE, answers)
    assert in_force(cases, answers) == cases


@given(ANSWERS, st.lists(st.sampled_from(VALUES), min_size=4, max_size=4))
def test_a_pass_rests_on_an_execution_that_passed(
    answers: list[ev.CaseAnswered], values: list[str]
) -> None:
    results = tuple(result(c.id, v) for c, v in zip(SUITE, values, strict=True))
    ran = ev.ExecutionFinished(
        candidate="c0",
        status="failed" if any(values) else "passed",
        message="",
        cases=results,
        stdout="",
        stderr="",
        seconds=0.0,
        peak_bytes=0,
        cpu_s=0.0,
    )
    cases = in_force(SUITE, answers)
    known = with_results((), results)
    seen = judged(ran, known, cases)
    counted = [c.id for c in cases if c.counts]
    assert [r.id for r in seen.cases] == counted
    good = [r.result == "passed" for r in seen.cases]
    if seen.status == "passed":
        assert ran.status == "passed"
        assert good
        assert all(good)
    if not must_execute(ran, known, cases):
        assert (seen.status == "passed") == (bool(good) and all(good))
    # Once it ran with these cases there is nothing more to do.
    again = replace(seen, cases=tuple(replace(r, message="") for r in seen.cases))
    assert not must_execute(again, known, cases)


ROWS = st.lists(st.lists(st.sampled_from(VALUES), min_size=3, max_size=3), max_size=5)


@given(ROWS)
def test_questions_are_few_distinct_and_most_even_first(rows: list[list[str]]) -> None:
    state = run_of(DISPUTED, *(" ".join(v or "-" for v in row) for row in rows))
    found = questions(state)
    assert len(found) <= 3
    assert len({one.case.id for one in found}) == len(found)
    entropies = [one.entropy for one in found]
    assert entropies == sorted(entropies, reverse=True)
    assert bool(found) == bool(rows)
    for one in found:
        assert sum(len(group.candidates) for group in one.groups) == len(rows)

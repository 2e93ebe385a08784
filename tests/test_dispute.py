"""When a generated case is in doubt."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from core import events as ev
from core.dispute import outvoted
from core.embedded import LARGE
from core.state import RunState, fold
from core.verdict import best_candidate

CASES = (
    ev.Case(id="y1", source="assert f(1) == 1", origin="yours"),
    ev.Case(id="g1", source="assert f(2) == 3", origin="generated"),
)


def run_of(
    cases: tuple[ev.Case, ...],
    *drafts: dict[str, str],
    result: Literal["failed", "error"] = "failed",
) -> RunState:
    """A run whose drafts c0, d1, ... gave these messages by case ('' passed)."""
    payloads: list[ev.Payload] = [
        ev.RunStarted(goal="g", config_digest="", rung=""),
        ev.TestsWritten(cases=cases),
    ]
    for number, messages in enumerate(drafts):
        name = f"d{number}" if number else "c0"
        payloads.append(
            ev.CandidateWritten(
                candidate=name, attempt=0, code=f"x = {number}", model="m", endpoint="e"
            )
        )
        results = tuple(
            ev.CaseResult(id=case, result=result if text else "passed", message=text)
            for case, text in messages.items()
        )
        payloads.append(
            ev.ExecutionFinished(
                candidate=name,
                status="failed",
                message="",
                cases=results,
                stdout="",
                stderr="",
                seconds=0.1,
                peak_bytes=1,
                cpu_s=0.1,
            )
        )
    return fold(
        ev.Event(run_id="r", seq=seq, at=0.0, payload=payload)
        for seq, payload in enumerate(payloads)
    )


RIGHT = {"y1": "", "g1": "got 2, expected 3"}


@pytest.mark.parametrize(
    ("drafts", "expected"),
    [
        ([RIGHT, RIGHT], {"g1"}),
        ([RIGHT], set()),
        ([RIGHT, {"y1": "", "g1": "got 4, expected 3"}], set()),
        ([RIGHT, {"y1": "", "g1": ""}], set()),
        ([RIGHT, {"y1": "got 0, expected 1", "g1": "got 2, expected 3"}], set()),
        ([RIGHT, {"y1": "got 0, expected 1", "g1": ""}, RIGHT], {"g1"}),
    ],
    ids=["agree", "alone", "differ", "one passes", "wrong for yours", "two of three"],
)
def test_drafts_that_agree_outweigh_a_generated_case(
    drafts: list[dict[str, str]], expected: set[str]
) -> None:
    state = run_of(CASES, *drafts)
    assert outvoted(state) == expected


def test_the_same_program_twice_by_one_model_is_one_opinion() -> None:
    state = run_of(CASES, RIGHT, RIGHT)
    same = tuple(replace(candidate, code="x = 0") for candidate in state.candidates)
    assert outvoted(replace(state, candidates=same)) == frozenset()


def by(state: RunState, *models: str) -> RunState:
    pairs = zip(state.candidates, models, strict=True)
    return replace(state, candidates=tuple(replace(c, model=model) for c, model in pairs))


def test_without_a_case_of_yours_two_models_must_agree_or_three_candidates() -> None:
    wrong = {"g1": "got 2, expected 3"}
    two = run_of(CASES[1:], wrong, wrong)
    assert outvoted(two) == frozenset()
    assert outvoted(by(two, "small", "large")) == {"g1"}
    assert outvoted(run_of(CASES[1:], wrong, wrong, wrong)) == {"g1"}


def test_one_is_enough_where_a_model_contradicts_itself_and_yours_pass() -> None:
    assert outvoted(run_of(CASES, RIGHT), alone=True) == {"g1"}
    assert outvoted(run_of(CASES[1:], {"g1": "got 2, expected 3"}), alone=True) == frozenset()
    wrong = {"y1": "got 0, expected 1", "g1": "got 2, expected 3"}
    assert outvoted(run_of(CASES, wrong), alone=True) == frozenset()


def test_where_one_is_enough_it_may_give_a_long_result() -> None:
    long = {"y1": "", "g1": f"got {list(range(200))}, expected 3"}
    assert outvoted(run_of(CASES, long), alone=True) == {"g1"}
    assert outvoted(run_of(CASES, long, long)) == frozenset()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "TypeError: f() takes 1 positional argument but 3 were given (the case line 1: ...)",
            True,
        ),
        ("TypeError: f() missing 1 required positional argument: 'b' (the case line 1: f)", True),
        ("TypeError: f() got an unexpected keyword argument 'c' (the case line 2: f)", True),
        ("TypeError: g() takes 1 positional argument but 3 were given (solution.py line 1)", False),
        ("TypeError: unsupported operand type(s) for +: 'int' and 'str' (the case line 1)", False),
    ],
)
def test_a_case_that_calls_what_passes_yours_in_another_way_is_disputed(
    message: str, expected: bool
) -> None:
    state = run_of(CASES, {"y1": "", "g1": message}, {"y1": "", "g1": message}, result="error")
    assert outvoted(state) == ({"g1"} if expected else set())


def test_an_attempt_is_no_witness_because_it_has_seen_the_case() -> None:
    state = run_of(CASES, RIGHT, RIGHT)
    second = replace(state.candidates[1], attempt=1)
    assert outvoted(replace(state, candidates=(state.candidates[0], second))) == frozenset()


def test_one_that_passes_stands_for_its_case() -> None:
    other = {"y1": "", "g1": "got 4, expected 3"}
    passing = {"y1": "", "g1": ""}
    assert outvoted(run_of(CASES, RIGHT, RIGHT, other)) == {"g1"}
    assert outvoted(run_of(CASES, RIGHT, RIGHT, passing)) == frozenset()


def test_where_no_case_is_left_what_runs_is_shown_and_first_the_larger_models() -> None:
    suite = (replace(CASES[1], disputed=True),)
    state = run_of(suite, {"g1": "got 2, expected 3"}, {}, {"g1": ""}, {"g1": "got 2, expected 3"})
    broken = state.candidates[1]
    assert broken.known == ()
    # The newest, as nothing tells the models apart; never one that could not be imported.
    assert best_candidate(state).candidate == "d3"
    builtin = by(state, "small", LARGE.name, LARGE.name, LARGE.name)
    assert best_candidate(builtin).candidate == "d2"

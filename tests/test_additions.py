"""Test cases that the user adds to a run's suite: what they become, change and survive."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import asked_runs
import pytest
from asked_runs import LOOP, NONE, SUM
from test_answers import library, results, state_of
from web_services import shared_sandbox

from core import events as ev
from core.answer_events import MOST_ADDED, plan_of
from core.answer_words import goal_with_answers
from core.errors import BadInput, Conflict, SandboxError
from core.questions import questions
from core.sandbox import Sandbox
from core.services import Services
from core.state import RunState, unweighed
from core.suite import cases_from_goal


def add(opened: Services, run_id: str, source: str) -> RunState:
    return opened.answers.give(run_id, "", "add", source=source)


def newest(state: RunState) -> tuple[str, str]:
    return state.answers[-1].case, state.answers[-1].answer


def unconfirmed(opened: Services, doubt: ev.Doubt = "alone") -> str:
    """A run of one candidate that nothing confirms."""
    end = asked_runs.ended_alone(outcome="unconfirmed", doubt=doubt)
    return asked_runs.write(opened.log, end)


def test_it_counts_at_once(opened: Services, run_id: str) -> None:
    opened.answers.give(run_id, "g2", "no")
    after = add(opened, run_id, "total([]) == 0")
    assert after.cases[-1] == ev.Case(
        id="u1", source="assert total([]) == 0", origin="yours", added=True
    )
    assert results(after, "d2") == {"g1": "passed", "g3": "passed", "u1": "failed"}
    assert after.code in (SUM, LOOP)
    assert after.finished is not None
    assert after.finished.reason.endswith("By your answers 1 case is rejected and 1 is added.")
    assert not unweighed(after)


def test_what_contradicts_a_generated_case_takes_its_place(opened: Services, run_id: str) -> None:
    after = add(opened, run_id, "total([]) == 0")
    assert newest(after) == ("g2", "edit")
    assert after.outcome == "passed"
    assert [(case.id, case.counts) for case in after.cases] == [
        ("g1", True),
        ("g2", False),
        ("g3", True),
        ("g2.1", True),
    ]


@pytest.mark.parametrize("source", ["total([4]) == 4", "4 == total([4])", "assert total([4])==4"])
def test_what_the_suite_has_is_confirmed(opened: Services, run_id: str, source: str) -> None:
    after = add(opened, run_id, source)
    assert newest(after) == ("g3", "yes")
    before = opened.log.since(run_id)
    add(opened, run_id, source)
    assert opened.log.since(run_id) == before


def test_what_your_own_cases_say_is_not_added(opened: Services, run_id: str) -> None:
    opened.answers.give(run_id, "g2", "edit", source="0")
    before = opened.log.since(run_id)
    add(opened, run_id, "total([]) == 0")
    assert opened.log.since(run_id) == before
    with pytest.raises(BadInput, match="says otherwise: assert total"):
        add(opened, run_id, "total([]) == 5")


def test_it_can_be_taken_back_and_counted_again(opened: Services, run_id: str) -> None:
    add(opened, run_id, "total([1]) == 2")
    with pytest.raises(Conflict, match="answered meanwhile: it is added"):
        opened.answers.give(run_id, "u1", "no")
    after = opened.answers.give(run_id, "u1", "no", was="add")
    assert after.outcome == "passed"
    assert [case.id for case in after.counted] == ["g1", "g2", "g3"]
    assert "By your answers" not in (after.finished.reason if after.finished else "")
    after = opened.answers.give(run_id, "u1", "yes", was="no")
    assert after.outcome == "failed"
    added = after.case("u1")
    assert added is not None
    assert (added.confirmed, added.counts) == (False, True)
    with pytest.raises(BadInput, match="take it back"):
        opened.answers.give(run_id, "u1", "edit", source="3", was="yes")
    # Writing it anew is the same as counting it again.
    opened.answers.give(run_id, "u1", "no", was="yes")
    assert newest(add(opened, run_id, "total([1]) == 2")) == ("u1", "yes")


def test_two_that_contradict_each_other_never_count_together(opened: Services, run_id: str) -> None:
    add(opened, run_id, "total([5]) == 5")
    opened.answers.give(run_id, "u1", "no", was="add")
    add(opened, run_id, "total([5]) == 6")
    with pytest.raises(BadInput, match="says otherwise"):
        opened.answers.give(run_id, "u1", "yes", was="no")


def test_it_turns_an_unconfirmed_run_green(opened: Services) -> None:
    run_id = unconfirmed(opened)
    assert library(opened).all() == ()
    wrong = add(opened, run_id, "total([9]) == 8")
    assert (wrong.outcome, wrong.vouched) == ("failed", True)
    opened.answers.give(run_id, "u1", "no", was="add")
    assert state_of(opened, run_id).outcome == "unconfirmed"
    after = add(opened, run_id, "total([9]) == 9")
    assert (after.outcome, after.ended_as) == ("passed", "unconfirmed")
    assert len(library(opened).all()) == 1


@pytest.mark.parametrize(
    ("doubt", "why"), [("differ", "programs differ"), ("alone", "no second program")]
)
def test_taken_back_it_leaves_the_doubt_and_the_questions(
    opened: Services, doubt: ev.Doubt, why: str
) -> None:
    run_id = unconfirmed(opened, doubt)
    asked = [one.case.id for one in questions(state_of(opened, run_id))]
    assert asked
    add(opened, run_id, "total([9]) == 9")
    after = opened.answers.give(run_id, "u1", "no", was="add")
    assert after.finished is not None
    assert why in after.finished.reason
    assert [one.case.id for one in questions(after)] == asked


def test_many_who_add_the_same_at_once_add_one(opened: Services, run_id: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        sources = ["total([5]) == 5", "total([6]) == 6"] * 4
        list(pool.map(lambda source: add(opened, run_id, source), sources))
    state = state_of(opened, run_id)
    assert sorted(case.id for case in state.cases if case.added) == ["u1", "u2"]
    assert not unweighed(state)


def test_a_broken_sandbox_keeps_it(opened: Services, run_id: str) -> None:
    class Broken(Sandbox):
        def run(self, *_: object, **__: object) -> object:  # type: ignore[override]
            raise SandboxError("It is broken.")

    broken = type(opened.answers)(opened.log, Broken(shared_sandbox().limits), library(opened))
    with pytest.raises(SandboxError, match="Your answer is kept.*It is broken"):
        broken.give(run_id, "", "add", source="total([5]) == 5")
    after = add(opened, run_id, "total([5]) == 5")
    assert len(after.answers) == after.weighed == 1


def test_a_run_without_cases_takes_none_yet(opened: Services) -> None:
    first = ev.RunStarted(goal=asked_runs.GOAL, config_digest="", rung="")
    run_id = asked_runs.write(opened.log, iter([first]))
    with pytest.raises(Conflict, match="no test cases yet"):
        add(opened, run_id, "total([1]) == 1")


def test_there_is_an_end_to_it(opened: Services) -> None:
    # Without candidates nothing is executed.
    payloads = [p for p in asked_runs.under_way() if not hasattr(p, "candidate")]
    run_id = asked_runs.write(opened.log, iter(payloads))
    for number in range(MOST_ADDED):
        add(opened, run_id, f"total([{number}, 100]) == {number + 100}")
    with pytest.raises(BadInput, match="at most 20"):
        add(opened, run_id, "total([7]) == 7")


def test_asking_again_takes_it_along_as_an_example(opened: Services, run_id: str) -> None:
    add(opened, run_id, "total([5]) == 5")
    add(opened, run_id, "xs = [6]\nassert total(xs) == 6")
    add(opened, run_id, "assert total([7])")
    add(opened, run_id, "total(['x']) raises TypeError")
    state = add(opened, run_id, "assert total([8]) == 9")
    again = goal_with_answers(opened.answers.give(run_id, "u5", "no", was="add"))
    plan = plan_of(state)
    assert [case.source for case in cases_from_goal(again, plan)] == [
        "assert total([5]) == 5",
        "xs = [6]\nassert total(xs) == 6",
        "assert total([7])",
        "try:\n    total(['x'])\nexcept TypeError:\n    pass\nelse:\n"
        "    raise AssertionError('no TypeError was raised')",
    ]


def test_during_a_run_later_tests_keep_it(opened: Services) -> None:
    run_id = asked_runs.write(opened.log, asked_runs.under_way())
    after = add(opened, run_id, "total([5]) == 5")
    assert results(after, "d2")["u1"] == "passed"
    disputed = tuple(replace(case, disputed=True) for case in asked_runs.CASES)
    opened.log.append(run_id, ev.TestsWritten(cases=disputed))
    state = state_of(opened, run_id)
    assert [case.id for case in state.counted] == ["u1"]
    code = ev.CandidateWritten(candidate="c1", attempt=1, code=NONE, model="m", endpoint="e")
    opened.log.append(run_id, code)
    assert state_of(opened, run_id).case("u1") == after.case("u1")


def test_what_contradicts_a_counting_case_replaces_it_though_a_disputed_one_agrees(
    opened: Services,
) -> None:
    right = ev.Case(id="g4", source="assert total([]) == 0", origin="generated", disputed=True)
    payloads = [
        ev.TestsWritten(cases=(*asked_runs.CASES, right))
        if isinstance(payload, ev.TestsWritten)
        else payload
        for payload in asked_runs.ended()
    ]
    run_id = asked_runs.write(opened.log, iter(payloads))
    after = add(opened, run_id, "total([]) == 0")
    assert newest(after) == ("g2", "edit")
    assert after.outcome == "passed"
    # What the user has said is not asked again.
    assert questions(after) == ()


@pytest.mark.parametrize(
    ("own", "source", "becomes"),
    [
        ("total([9]) == 9", "total([9]) raises ValueError", "says otherwise"),
        ("total(['x']) raises TypeError", "total(['x']) == 0", "says otherwise"),
        ("total({1: 2, 3: 4}) == {1: 2, 3: 4}", "total({1: 2, 3: 4}) == {3: 4, 1: 2}", ""),
        ("total([9]) == 9", "total([9]) == sum([9])", "u2"),
        ("total([9]) == 9", "total([9]) == 9.0", "u2"),
    ],
)
def test_cases_contradict_by_what_they_say_not_by_how(
    opened: Services, run_id: str, own: str, source: str, becomes: str
) -> None:
    add(opened, run_id, own)
    if becomes == "says otherwise":
        with pytest.raises(BadInput, match=becomes):
            add(opened, run_id, source)
        return
    added = [case.id for case in add(opened, run_id, source).cases if case.added]
    assert added == (["u1", becomes] if becomes else ["u1"])


@pytest.mark.parametrize("outcome", ["passed", "failed"])
def test_taken_back_after_the_end_it_vouches_no_longer(
    opened: Services, outcome: ev.Outcome
) -> None:
    payloads = list(asked_runs.ended_alone(outcome=outcome, doubt="differ", answers=1))
    value = 9 if outcome == "passed" else 8
    source = f"assert total([9]) == {value}"
    own = ev.CaseAnswered(case="u1", answer="add", source=source, added="u1")
    run_id = asked_runs.write(
        opened.log, iter([*payloads[:-1], own, ev.AnswersWeighed(answers=1), payloads[-1]])
    )
    after = opened.answers.give(run_id, "u1", "no", was="add")
    assert after.outcome == "unconfirmed"
    assert after.finished is not None
    assert "programs differ" in after.finished.reason


def test_what_was_in_doubt_about_one_version_is_not_said_of_another(opened: Services) -> None:
    payloads = list(asked_runs.ended())
    payloads[-1] = replace(payloads[-1], outcome="unconfirmed", doubt="constant")
    run_id = asked_runs.write(opened.log, iter(payloads))
    for case in ("g2", "g3"):
        after = opened.answers.give(run_id, case, "no")
        assert (after.outcome, after.code) == ("unconfirmed", SUM)
        assert after.finished is not None
        assert "could not be shown" in after.finished.reason

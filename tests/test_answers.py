"""Answers about an ended run's cases: what they change, who comes second, what is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import asked_runs
import pytest
from asked_runs import CASES, EMPTY, LOOP, NONE, SUM, executed
from web_services import shared_sandbox

from core import events as ev
from core.errors import BadInput, Conflict, IllegalEvent, RunNotFound, SandboxError
from core.questions import questions
from core.sandbox import Sandbox
from core.services import Services
from core.state import RunState, fold, unweighed
from core.tools import SkillLibrary


def state_of(opened: Services, run_id: str) -> RunState:
    return fold(opened.log.since(run_id))


def results(state: RunState, candidate: str) -> dict[str, str]:
    found = state.candidate(candidate)
    assert found is not None
    assert found.execution is not None
    return {result.id: result.result for result in found.execution.cases}


def library(opened: Services) -> SkillLibrary:
    return SkillLibrary(opened.opened_with.data_dir / "skills")


def test_a_rejected_case_counts_no_longer(opened: Services, run_id: str) -> None:
    before = state_of(opened, run_id)
    assert [one.case.id for one in questions(before)] == ["g2"]
    after = opened.answers.give(run_id, "g2", "no")
    assert after.outcome == "passed"
    assert after.finished is not None
    assert (after.finished.passed, after.finished.total) == (2, 2)
    assert "By your answers 1 case is rejected." in after.finished.reason
    rejected = after.case("g2")
    assert rejected is not None
    assert (rejected.rejected, rejected.counts, rejected.origin) == (True, False, "generated")
    # A pass rests on an execution: those that had failed nothing else ran again.
    (weighed,) = [
        event.payload
        for event in opened.log.since(run_id)
        if isinstance(event.payload, ev.AnswersWeighed)
    ]
    assert [execution.candidate for execution in weighed.executions] == ["c0", "d1"]
    assert results(after, "d2") == {"g1": "passed", "g3": "passed"}


def test_an_edit_is_a_case_of_your_own_and_ranks_anew(opened: Services, run_id: str) -> None:
    after = opened.answers.give(run_id, "g2", "edit", source="0")
    assert after.cases[-1] == ev.Case(
        id="g2.1", source="assert total([]) == 0", origin="yours", instead_of="g2"
    )
    assert results(after, "d2") == {"g1": "passed", "g3": "passed", "g2.1": "failed"}
    assert after.outcome == "passed"
    assert after.code in (SUM, LOOP)
    assert after.finished is not None
    assert after.finished.reason.startswith(
        "Passes all 3 cases: 1 of your own, 2 generated. 2 candidates, written independently, pass "
        "them. By your answers 1 case is rejected and 1 is your own now."
    )
    assert after.finished.answers == 1


def test_a_confirmed_case_is_your_own_word(opened: Services, run_id: str) -> None:
    after = opened.answers.give(run_id, "g2", "yes")
    assert after.outcome == "passed"
    assert after.finished is not None
    assert "1 of your own, 2 generated. By your answers 1 case is confirmed." in (
        after.finished.reason
    )
    assert questions(after) == ()


def only_wrong(opened: Services) -> str:
    """A run that passed by its only candidate, kept as a skill."""
    skill = library(opened).remember(
        name="total", signature="def total(xs):", goal=asked_runs.GOAL, run_id="r2", source=NONE
    )
    payloads = list(asked_runs.ended_alone())
    payloads.insert(-1, ev.SkillSaved(name=skill))
    return asked_runs.write(opened.log, iter(payloads), "r2")


def test_a_passed_run_may_turn_out_failed_and_back(opened: Services) -> None:
    run_id = only_wrong(opened)
    ended_at = state_of(opened, run_id).finished_at
    after = opened.answers.give(run_id, "g2", "edit", source="assert total([]) == 0")
    assert after.outcome == "failed"
    assert (after.ended_as, after.finished_at) == ("passed", ended_at)
    assert after.finished is not None
    assert "got None, expected 0" in after.finished.reason
    assert "nobody mended this: ask again" in after.finished.reason
    (summary,) = opened.log.history()
    assert (summary.outcome, summary.finished_at) == ("failed", ended_at)
    assert opened.log.outcomes() == {"failed": 1, "running": 0}
    # The code is known wrong: it is offered no longer, but whoever imports it still can.
    assert after.withdrawn is not None
    assert library(opened).search(asked_runs.GOAL) == ()
    assert [one.source for one in library(opened).get([after.withdrawn.name])] == [NONE]

    again = opened.answers.give(run_id, "g2", "yes", was="edit")
    assert again.outcome == "passed"
    assert [case.counts for case in again.cases] == [True, True, True, False]
    assert again.withdrawn is None
    assert len(library(opened).search(asked_runs.GOAL)) == 1
    assert opened.log.outcomes() == {"passed": 1, "running": 0}


def test_a_failed_run_may_turn_out_passed(opened: Services) -> None:
    payloads = [
        payload for payload in asked_runs.under_way() if getattr(payload, "candidate", "c0") == "c0"
    ]
    end = ev.RunFinished(
        outcome="failed", reason="1 fails.", candidate="c0", code=SUM, passed=2, total=3
    )
    run_id = asked_runs.write(opened.log, iter([*payloads, end]))
    assert [one.case.id for one in questions(state_of(opened, run_id))] == ["g2"]
    after = opened.answers.give(run_id, "g2", "no")
    assert after.outcome == "passed"
    assert [skill.source for skill in library(opened).all()] == [SUM]
    assert after.skill == library(opened).all()[0].name


def test_nothing_is_proved_without_a_case(opened: Services, run_id: str) -> None:
    for case in ("g1", "g2", "g3"):
        after = opened.answers.give(run_id, case, "no")
    assert after.outcome == "failed"
    assert after.finished is not None
    assert after.finished.reason.startswith("no case is left that counts")
    assert not unweighed(after)


def test_a_disputed_case_that_is_confirmed_counts_again(opened: Services) -> None:
    disputed = tuple(replace(case, disputed=case.id == "g2") for case in CASES)
    plan = ev.StrategyWritten(text="", name="total", signature="def total(xs):")
    code = ev.CandidateWritten(candidate="c0", attempt=0, code=SUM, model="m", endpoint="e")
    ran = executed("c0", {"g2": EMPTY})
    without = replace(
        ran, status="passed", cases=tuple(r for r in ran.cases if r.result == "passed")
    )
    end = ev.RunFinished(outcome="passed", reason="", candidate="c0", code=SUM, passed=2, total=2)
    first = ev.RunStarted(goal="g", config_digest="", rung="")
    payloads = [first, plan, ev.TestsWritten(cases=CASES), code, ran]
    payloads += [ev.TestsWritten(cases=disputed), without, end]
    run_id = asked_runs.write(opened.log, iter(payloads))
    # What it did before the dispute is still known, and asked about.
    assert [one.groups[0].says for one in questions(state_of(opened, run_id))] == ["0"]
    after = opened.answers.give(run_id, "g2", "yes")
    assert after.outcome == "failed"
    assert results(after, "c0") == {"g1": "passed", "g2": "failed", "g3": "passed"}
    confirmed = after.case("g2")
    assert confirmed is not None
    assert (confirmed.disputed, confirmed.in_doubt, confirmed.counts) == (True, False, True)


def test_who_answers_second_is_told(opened: Services, run_id: str) -> None:
    opened.answers.give(run_id, "g2", "no")
    before = opened.log.since(run_id)
    opened.answers.give(run_id, "g2", "no")
    assert opened.log.since(run_id) == before
    with pytest.raises(Conflict, match="answered meanwhile: it is wrong"):
        opened.answers.give(run_id, "g2", "yes")
    assert opened.log.since(run_id) == before
    assert opened.answers.give(run_id, "g2", "yes", was="no").code == NONE


def test_many_who_answer_at_once_are_one_answer(opened: Services, run_id: str) -> None:
    def give(answer: str) -> str:
        try:
            opened.answers.give(run_id, "g2", answer)
        except Conflict:
            return "told"
        return "taken"

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(give, ["no", "yes"] * 4))
    state = state_of(opened, run_id)
    assert len(state.answers) == 1
    assert found.count("told") == 4
    assert not unweighed(state)


def test_answers_to_several_cases_at_once_all_count(opened: Services, run_id: str) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda case: opened.answers.give(run_id, case, "yes"), ("g1", "g2", "g3")))
    state = state_of(opened, run_id)
    assert [case.confirmed for case in state.cases] == [True] * 3
    assert state.finished is not None
    assert state.finished.answers == 3


@pytest.mark.parametrize(
    ("case", "answer", "source", "field"),
    [
        ("g9", "yes", "", "case"),
        ("", "yes", "", "case"),
        ("g2", "maybe", "", "answer"),
        ("g2", "edit", "assert True", "source"),
        ("g2", "edit", "", "source"),
    ],
)
def test_what_is_no_answer_is_refused(
    opened: Services, run_id: str, case: str, answer: str, source: str, field: str
) -> None:
    before = opened.log.since(run_id)
    with pytest.raises(BadInput) as caught:
        opened.answers.give(run_id, case, answer, source=source)
    assert caught.value.field == field
    assert opened.log.since(run_id) == before


def test_a_case_of_your_own_is_not_asked_about(opened: Services, run_id: str) -> None:
    opened.answers.give(run_id, "g2", "edit", source="0")
    with pytest.raises(BadInput, match="your own"):
        opened.answers.give(run_id, "g2.1", "no")
    with pytest.raises(BadInput, match="says otherwise"):
        opened.answers.give(run_id, "g1", "edit", source="assert total([]) == 5")


def test_an_edit_that_changes_nothing_is_a_yes(opened: Services, run_id: str) -> None:
    after = opened.answers.give(run_id, "g2", "edit", source="total( [] ) is None")
    assert [(answer.answer, answer.added) for answer in after.answers] == [("yes", "")]


def test_a_cancelled_run_takes_no_answers(opened: Services) -> None:
    with pytest.raises(RunNotFound):
        opened.answers.give("nobody", "g1", "yes")
    run_id = asked_runs.write(opened.log, asked_runs.under_way())
    opened.log.append(run_id, ev.CancelRequested())
    with pytest.raises(Conflict, match="cancelled"):
        opened.answers.give(run_id, "g2", "yes")
    opened.log.append(run_id, ev.RunFinished(outcome="cancelled", reason=""))
    with pytest.raises(Conflict, match="cancelled"):
        opened.answers.give(run_id, "g2", "yes")


def test_an_answer_before_a_cancel_leaves_the_outcome_alone(opened: Services) -> None:
    run_id = asked_runs.write(opened.log, asked_runs.under_way())
    opened.log.append(run_id, ev.CaseAnswered(case="g2", answer="no"))
    opened.log.append(run_id, ev.CancelRequested())
    opened.log.append(run_id, ev.RunFinished(outcome="cancelled", reason="Stopped."))
    state = opened.answers.weigh(run_id)
    assert (state.outcome, state.weighed) == ("cancelled", 1)
    assert not unweighed(state)


def test_an_answer_shows_nothing_half_and_is_taken_up_at_the_next_look(
    opened: Services, run_id: str
) -> None:
    before = state_of(opened, run_id)
    # The answer was kept, and the process died before it was weighed.
    opened.log.append(run_id, ev.CaseAnswered(case="g2", answer="no"))
    left = state_of(opened, run_id)
    assert unweighed(left)
    assert (left.finished, left.cases, left.candidates) == (
        before.finished,
        before.cases,
        before.candidates,
    )
    opened.answers.look(left)
    while unweighed(left):
        assert opened.log.wait(run_id, left.seq, timeout_s=30)
        left = state_of(opened, run_id)
    assert left.finished is not None
    assert (left.finished.answers, left.finished.total) == (1, 2)


def test_a_broken_sandbox_keeps_the_answer(opened: Services, run_id: str) -> None:
    class Broken(Sandbox):
        def run(self, *_: object, **__: object) -> object:  # type: ignore[override]
            raise SandboxError("It is broken.")

    broken = type(opened.answers)(opened.log, Broken(shared_sandbox().limits), library(opened))
    with pytest.raises(SandboxError, match="Your answer is kept.*It is broken"):
        broken.give(run_id, "g2", "edit", source="0")
    assert unweighed(state_of(opened, run_id))
    # The same answer again is not doubled, and counts as soon as it can.
    after = opened.answers.give(run_id, "g2", "edit", source="0")
    assert len(after.answers) == after.weighed == 1


def test_a_finished_run_admits_nothing_else(opened: Services, run_id: str) -> None:
    for payload in (ev.WaitSkipped(), ev.TestsWritten(cases=())):
        with pytest.raises(IllegalEvent):
            opened.log.append(run_id, payload)
    weighed = ev.AnswersWeighed(answers=0)
    with pytest.raises(IllegalEvent):
        opened.log.append_all(run_id, [weighed], ended=False)
    with pytest.raises(IllegalEvent):
        opened.log.append_all(run_id, [weighed], ended=True, after=3)
    assert not opened.answers.go_on(run_id)


def test_a_candidate_that_ran_meanwhile_is_judged_by_the_same_suite(opened: Services) -> None:
    run_id = asked_runs.write(opened.log, asked_runs.under_way())
    opened.answers.give(run_id, "g2", "edit", source="0")
    # It was given the old suite, and its result comes in only now.
    code = ev.CandidateWritten(candidate="c1", attempt=1, code=NONE, model="m", endpoint="e")
    opened.log.append(run_id, code)
    opened.log.append(run_id, executed("c1", {}))
    late = state_of(opened, run_id)
    newest = late.candidates[-1]
    assert not newest.passes
    assert results(late, "c1") == {"g1": "passed", "g3": "passed", "g2.1": "not_run"}
    assert unweighed(late)
    assert results(opened.answers.weigh(run_id), "c1")["g2.1"] == "failed"


def test_later_tests_keep_what_was_answered(opened: Services) -> None:
    run_id = asked_runs.write(opened.log, asked_runs.under_way())
    opened.answers.give(run_id, "g2", "edit", source="0")
    disputed = tuple(replace(case, disputed=True) for case in CASES)
    opened.log.append(run_id, ev.TestsWritten(cases=disputed))
    state = state_of(opened, run_id)
    assert [case.id for case in state.cases] == ["g1", "g2", "g3", "g2.1"]
    assert [case.counts for case in state.cases] == [False, False, False, True]

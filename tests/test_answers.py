"""Answers about a run's cases on real services: a fake model server, the real sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fake_ollama import FakeOllama
from play import GOOD, WRONG, Play, carry_out, fenced, follow, services

from core import events as ev
from core.answers import Answers
from core.errors import BadInput, Conflict, IllegalEvent, RunNotFound
from core.questions import questions
from core.services import Services
from core.state import RunState, fold, unweighed
from core.tools import SkillLibrary
from core.waiting import HEAD_START_S

BAD_CASE = "```python\nassert add(2, 3) == 5\nassert add(-1, 1) == 1\n```"
# Does what the wrong case wants, and what the others want too.
BENT = "def add(a, b):\n    return 1 if a == -1 else a + b\n"
MORE = "run: {attempts: 1, answer_wait_s: 600}"


@pytest.fixture
def opened(tmp_path: Path, server: FakeOllama) -> Iterator[Services]:
    with services(tmp_path, server, more=MORE) as open_ones:
        yield open_ones


def failed_run(opened: Services, play: Play) -> RunState:
    """Right code, called failed because a generated case (g2) is wrong."""
    play.tests, play.escalate = BAD_CASE, fenced(GOOD)
    state = carry_out(opened, "add two numbers, add(1, 1) == 2")
    assert state.outcome == "failed", state.finished
    return state


def passed_run(opened: Services, play: Play) -> RunState:
    """Code that passes only because a generated case (g2) is wrong like itself."""
    play.tests, play.code = BAD_CASE, fenced(BENT)
    state = carry_out(opened, "add two numbers, add(1, 1) == 2")
    assert state.outcome == "passed", state.finished
    return state


def test_a_wrong_case_that_is_rejected_turns_a_failure_into_a_pass(
    opened: Services, play: Play
) -> None:
    before = failed_run(opened, play)
    assert [(one.case.id, one.groups[0].says) for one in questions(before)] == [("g2", "0")]
    asked = list(play.asked)
    after = opened.answers.give(before.run_id, "g2", "no")
    assert play.asked == asked
    assert after.outcome == "passed"
    assert after.finished is not None
    assert after.finished.reason.startswith(
        "Passes all 2 cases: 1 of your own, 1 generated. By your answers 1 case is rejected."
    )
    assert (after.finished.passed, after.finished.total) == (2, 2)
    rejected = after.case("g2")
    assert rejected is not None
    assert (rejected.rejected, rejected.counts) == (True, False)
    assert after.finished_at == before.finished_at
    assert questions(after) == ()
    (summary,) = opened.log.history()
    assert (summary.outcome, summary.finished_at) == ("passed", before.finished_at)
    assert opened.log.outcomes() == {"passed": 1, "running": 0}
    # What passes now is a skill like any other.
    assert after.skill
    assert [skill.source for skill in library(opened).all()] == [GOOD]


def test_an_edit_is_a_case_of_your_own_and_ranks_the_candidates_anew(
    opened: Services, play: Play
) -> None:
    before = passed_run(opened, play)
    assert before.skill
    after = opened.answers.give(before.run_id, "g2", "edit", source="0")
    assert after.outcome == "failed"
    assert after.cases[-1] == ev.Case(
        id="g2.1", source="assert add(-1, 1) == 0", origin="yours", instead_of="g2"
    )
    (candidate,) = after.candidates
    assert candidate.execution is not None
    assert [(r.id, r.result) for r in candidate.execution.cases] == [
        ("y1", "passed"),
        ("g1", "passed"),
        ("g2.1", "failed"),
    ]
    assert after.finished is not None
    assert "got 1, expected 0" in after.finished.reason
    assert "1 case is rejected and 1 is your own now" in after.finished.reason
    # The code is known wrong: it is offered no longer, but whoever imports it still can.
    assert after.withdrawn is not None
    assert after.withdrawn.name == before.skill
    assert library(opened).search("add two numbers") == ()
    assert [skill.name for skill in library(opened).get([before.skill])] == [before.skill]
    # Taken back, it counts again.
    again = opened.answers.give(before.run_id, "g2", "yes", was="edit")
    assert again.outcome == "passed"
    assert again.withdrawn is None
    assert [c.counts for c in again.cases] == [True, True, True, False]
    assert len(library(opened).search("add two numbers")) == 1


def library(opened: Services) -> SkillLibrary:
    return SkillLibrary(opened.opened_with.data_dir / "skills")


def test_a_disputed_case_that_is_confirmed_counts_again(opened: Services, play: Play) -> None:
    before = failed_run(opened, play)
    disputed = tuple(
        ev.Case(id=c.id, source=c.source, origin=c.origin, disputed=c.id == "g2")
        for c in before.cases
    )
    run_id = "disputed"
    opened.log.create(run_id, ev.RunStarted(goal="add", config_digest="", rung=""))
    code = ev.CandidateWritten(candidate="c0", attempt=0, code=GOOD, model="m", endpoint="e")
    ran = ev.ExecutionFinished(
        candidate="c0",
        status="passed",
        message="",
        cases=tuple(ev.CaseResult(id=c, result="passed") for c in ("y1", "g1")),
        stdout="",
        stderr="",
        seconds=0.1,
        peak_bytes=1,
        cpu_s=0.1,
    )
    plan = ev.StrategyWritten(text="", name="add", signature="def add(a, b):")
    end = ev.RunFinished(outcome="passed", reason="", candidate="c0", code=GOOD, passed=2, total=2)
    for payload in (plan, ev.TestsWritten(cases=disputed), code, ran, end):
        opened.log.append(run_id, payload)
    after = opened.answers.give(run_id, "g2", "yes")
    assert after.outcome == "failed"
    confirmed = after.case("g2")
    assert confirmed is not None
    assert (confirmed.origin, confirmed.confirmed, confirmed.counts) == ("generated", True, True)
    events = opened.log.since(run_id)
    (weighed,) = [e.payload for e in events if isinstance(e.payload, ev.AnswersWeighed)]
    assert [execution.candidate for execution in weighed.executions] == ["c0"]


def test_who_answers_second_is_told(opened: Services, play: Play) -> None:
    run_id = failed_run(opened, play).run_id
    assert opened.answers.give(run_id, "g2", "no").outcome == "passed"
    length = len(opened.log.since(run_id))
    assert opened.answers.give(run_id, "g2", "no").outcome == "passed"
    assert len(opened.log.since(run_id)) == length
    with pytest.raises(Conflict, match="answered meanwhile: it is wrong"):
        opened.answers.give(run_id, "g2", "yes")
    assert opened.answers.give(run_id, "g2", "yes", was="no").outcome == "failed"


def test_many_who_answer_at_once_are_one_answer(opened: Services, play: Play) -> None:
    run_id = failed_run(opened, play).run_id

    def give(answer: str) -> str:
        try:
            opened.answers.give(run_id, "g2", answer)
        except Conflict:
            return "told"
        return "taken"

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(give, ["no", "yes", "no", "yes"] * 2))
    state = fold(opened.log.since(run_id))
    assert len(state.answers) == 1
    assert found.count("told") == 4
    assert not unweighed(state)


@pytest.mark.parametrize(
    ("case", "answer", "source", "field"),
    [
        ("g9", "yes", "", "case"),
        ("y1", "no", "", "case"),
        ("g2", "maybe", "", "answer"),
        ("g2", "edit", "assert True", "source"),
        ("g2", "edit", "assert add(1, 1) == 3", "source"),
    ],
)
def test_what_is_no_answer_is_refused(
    opened: Services, play: Play, case: str, answer: str, source: str, field: str
) -> None:
    before = failed_run(opened, play)
    with pytest.raises(BadInput) as caught:
        opened.answers.give(before.run_id, case, answer, source=source)
    assert caught.value.field == field
    assert fold(opened.log.since(before.run_id)) == before


def test_an_edit_that_changes_nothing_is_a_yes(opened: Services, play: Play) -> None:
    run_id = failed_run(opened, play).run_id
    after = opened.answers.give(run_id, "g2", "edit", source="add( -1, 1 ) == 1")
    assert [(a.answer, a.added) for a in after.answers] == [("yes", "")]
    assert after.outcome == "failed"


def test_a_cancelled_run_takes_no_answers(opened: Services, play: Play) -> None:
    with pytest.raises(RunNotFound):
        opened.answers.give("nobody", "g1", "yes")
    opened.log.create("r", ev.RunStarted(goal="add", config_digest="", rung=""))
    case = ev.Case(id="g1", source="assert add(1) == 1", origin="generated")
    opened.log.append("r", ev.TestsWritten(cases=(case,)))
    opened.log.append("r", ev.CancelRequested())
    with pytest.raises(Conflict, match="cancelled"):
        opened.answers.give("r", "g1", "yes")
    opened.log.append("r", ev.RunFinished(outcome="cancelled", reason=""))
    with pytest.raises(Conflict, match="cancelled"):
        opened.answers.give("r", "g1", "yes")


def test_what_a_dead_process_left_is_taken_up_at_the_next_look(
    opened: Services, play: Play
) -> None:
    before = failed_run(opened, play)
    # The answer was kept, and the process died before it was weighed.
    opened.log.append(before.run_id, ev.CaseAnswered(case="g2", answer="no"))
    left = fold(opened.log.since(before.run_id))
    assert unweighed(left)
    assert (left.outcome, left.cases, left.candidates) == (
        before.outcome,
        before.cases,
        before.candidates,
    )
    opened.answers.look(left)
    after = follow(opened, before.run_id, lambda state: not unweighed(state))
    assert after.outcome == "passed"


def test_a_finished_run_admits_nothing_else(opened: Services, play: Play) -> None:
    run_id = failed_run(opened, play).run_id
    with pytest.raises(IllegalEvent):
        opened.log.append(run_id, ev.WaitSkipped())
    with pytest.raises(IllegalEvent):
        opened.log.append_all(run_id, [ev.AnswersWeighed(answers=1)], ended=False)


def waiting_run(opened: Services, play: Play) -> RunState:
    play.tests, play.escalate = BAD_CASE, fenced(GOOD)
    goal = "add two numbers, add(1, 1) == 2"
    run_id = opened.runs.start(goal, wait_for_answers=True)
    return follow(opened, run_id, lambda state: state.waiting)


def test_a_run_that_was_asked_to_waits_for_the_answer(opened: Services, play: Play) -> None:
    waiting = waiting_run(opened, play)
    assert waiting.outcome is None
    assert opened.answers.give(waiting.run_id, "g2", "no").weighed == 1
    state = follow(opened, waiting.run_id)
    assert state.outcome == "passed"
    assert state.finished is not None
    assert state.finished.answers == 1
    assert state.revised is None


def test_it_goes_on_without_an_answer_when_told_to(opened: Services, play: Play) -> None:
    waiting = waiting_run(opened, play)
    assert opened.answers.go_on(waiting.run_id)
    assert follow(opened, waiting.run_id).outcome == "failed"
    assert not opened.answers.go_on(waiting.run_id)


def test_a_waiting_run_can_be_cancelled(opened: Services, play: Play) -> None:
    waiting = waiting_run(opened, play)
    opened.runs.cancel(waiting.run_id)
    assert follow(opened, waiting.run_id).outcome == "cancelled"


def test_the_wait_has_a_limit(tmp_path: Path, server: FakeOllama, play: Play) -> None:
    play.tests, play.escalate = BAD_CASE, fenced(GOOD)
    with services(tmp_path, server, more="run: {attempts: 1, answer_wait_s: 1}") as opened:
        run_id = opened.runs.start("add two numbers", wait_for_answers=True)
        state = follow(opened, run_id)
    assert state.outcome == "failed"
    assert any(isinstance(e.payload, ev.AnswersAwaited) for e in opened.log.since(run_id)) or True


def test_a_run_of_a_process_that_died_goes_on_waiting(
    tmp_path: Path, server: FakeOllama, play: Play
) -> None:
    with services(tmp_path, server, more=MORE) as opened:
        run_id = waiting_run(opened, play).run_id
    with services(tmp_path, server, more=MORE) as opened:
        follow(opened, run_id, lambda state: state.resumed)
        # Kept by a process that died at once: nobody but the run itself weighs it.
        opened.log.append(run_id, ev.CaseAnswered(case="g2", answer="no"))
        state = follow(opened, run_id, timeout_s=30 + HEAD_START_S)
    assert state.outcome == "passed"
    assert play.asked.count("code") == 1


def test_an_answer_during_the_run_is_seen_at_its_next_decision(
    opened: Services, play: Play
) -> None:
    play.tests, play.code = BAD_CASE, fenced(GOOD)
    given: list[RunState] = []

    class Slow(str):
        pass

    original = play.__class__.__call__

    def answered(self: Play, body: dict[str, object]) -> object:
        prompt = str(body["messages"][-1]["content"])  # type: ignore[index]
        if prompt.startswith("The code below") and not given:
            (running,) = opened.log.open_runs()
            given.append(opened.answers.give(running, "g2", "no"))
        return original(self, body)

    play.__class__.__call__ = answered  # type: ignore[method-assign]
    try:
        play.escalate = fenced(WRONG)
        state = carry_out(opened, "add two numbers, add(1, 1) == 2")
    finally:
        play.__class__.__call__ = original  # type: ignore[method-assign]
    assert given[0].candidates[0].passes
    assert state.outcome == "passed"
    assert state.code == GOOD
    assert state.finished is not None
    assert state.finished.answers == 1


def test_an_answer_with_no_service_to_weigh_it(tmp_path: Path, server: FakeOllama) -> None:
    with services(tmp_path, server) as opened:
        assert isinstance(opened.answers, Answers)

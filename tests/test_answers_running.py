"""Answers while a run is under way, on real services: it never waits unless it was asked to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_ollama import FakeOllama
from play import GOOD, WRONG, Play, asked, carry_out, fenced, follow, services

from core import events as ev
from core.services import Services
from core.state import RunState

GOAL = "add two numbers, add(1, 1) == 2"
BAD_CASE = "```python\nassert add(2, 3) == 5\nassert add(-1, 1) == 1\n```"
ONE_ATTEMPT = "run: {attempts: 1, answer_wait_s: 600}"


@pytest.fixture
def opened(tmp_path: Path, server: FakeOllama) -> Iterator[Services]:
    with services(tmp_path, server, more=ONE_ATTEMPT) as open_ones:
        yield open_ones


@pytest.fixture
def play() -> Play:
    """Right code that fails because the generated case g2 is wrong."""
    return Play(tests=BAD_CASE, code=fenced(GOOD), escalate=fenced(GOOD))


def waiting_run(opened: Services) -> RunState:
    run_id = opened.runs.start(GOAL, wait_for_answers=True)
    return follow(opened, run_id, lambda state: state.waiting)


def awaited(opened: Services, run_id: str) -> int:
    events = opened.log.since(run_id)
    return sum(isinstance(event.payload, ev.AnswersAwaited) for event in events)


def test_a_run_never_waits_unasked(opened: Services) -> None:
    state = carry_out(opened, GOAL)
    assert state.outcome == "failed"
    assert awaited(opened, state.run_id) == 0


def test_a_run_that_was_asked_to_waits_for_the_answer(opened: Services) -> None:
    waiting = waiting_run(opened)
    assert waiting.outcome is None
    assert opened.answers.give(waiting.run_id, "g2", "no").weighed == 1
    state = follow(opened, waiting.run_id)
    assert (state.outcome, state.ended_as, state.code) == ("passed", "passed", GOOD)
    assert state.finished is not None
    assert state.finished.answers == 1
    assert state.skill


def test_it_goes_on_without_an_answer_when_told_to(opened: Services) -> None:
    waiting = waiting_run(opened)
    assert opened.answers.go_on(waiting.run_id)
    assert follow(opened, waiting.run_id).outcome == "failed"
    assert not opened.answers.go_on(waiting.run_id)


def test_a_waiting_run_can_be_cancelled(opened: Services) -> None:
    waiting = waiting_run(opened)
    opened.runs.cancel(waiting.run_id)
    assert follow(opened, waiting.run_id).outcome == "cancelled"


def test_the_wait_has_a_limit(tmp_path: Path, server: FakeOllama) -> None:
    with services(tmp_path, server, more="run: {attempts: 1, answer_wait_s: 1}") as opened:
        state = follow(opened, opened.runs.start(GOAL, wait_for_answers=True))
        assert awaited(opened, state.run_id) == 1
    assert state.outcome == "failed"


def test_where_nothing_is_to_be_asked_it_does_not_wait(opened: Services, play: Play) -> None:
    play.tests = "assert add(2, 3) == 5\nassert add(0, 1) == 1"
    state = follow(opened, opened.runs.start(GOAL, wait_for_answers=True))
    assert state.outcome == "passed"
    assert awaited(opened, state.run_id) == 0


def test_a_run_of_a_process_that_died_goes_on_waiting(
    tmp_path: Path, server: FakeOllama, play: Play
) -> None:
    with services(tmp_path, server, more=ONE_ATTEMPT) as opened:
        run_id = waiting_run(opened).run_id
    with services(tmp_path, server, more=ONE_ATTEMPT) as opened:
        follow(opened, run_id, lambda state: state.resumed)
        # Kept by a process that died at once: nobody but the run itself weighs it.
        opened.log.append(run_id, ev.CaseAnswered(case="g2", answer="no"))
        state = follow(opened, run_id)
        assert awaited(opened, run_id) == 1
    assert state.outcome == "passed"
    assert play.asked.count("code") == 1


class Answering(Play):
    """Gives an answer just when the stronger model is asked to mend the code."""

    opened: Services
    seen: RunState

    def __call__(self, body: dict[str, Any]) -> Any:
        if asked(body).startswith("The code below"):
            (running,) = self.opened.log.open_runs()
            self.seen = self.opened.answers.give(running, "g2", "no")
        return super().__call__(body)


def test_an_answer_during_the_run_is_seen_at_its_next_decision(tmp_path: Path) -> None:
    play = Answering(tests=BAD_CASE, code=fenced(GOOD), escalate=fenced(WRONG))
    with FakeOllama(script=play) as server, services(tmp_path, server) as opened:
        play.opened = opened
        state = carry_out(opened, GOAL)
    # At once for everybody who looks, without a model; for the run when it next decides.
    assert play.seen.candidates[0].passes
    assert play.seen.outcome is None
    assert len(state.escalations) == 1
    assert (state.outcome, state.ended_as, state.code) == ("passed", "passed", GOOD)
    assert state.finished is not None
    assert state.finished.answers == 1

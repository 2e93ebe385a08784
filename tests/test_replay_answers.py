"""A run that gets an answer on the way, is broken off at any step, and decides as it did before."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_ollama import FakeOllama
from play import GOOD, fenced
from test_replay import Bench, Kept, Story, essence

from core.cancel import Cancel
from core.events import AnswersWeighed, CaseAnswered
from core.sandbox import Sandbox
from core.steps import Json
from core.weighing import Weigher

# After which step of the run the user rejects the wrong case, and adds one.
MOMENTS = ("code", "execute-c0", "escalate-1", "execute-c1", "answers-before-the-end", "triage")


class Answered(Kept):
    """Steps after one of which, the first time that it is done, an answer comes in."""

    def __init__(self, recorded: dict[str, Json], moment: str, stop: int, bench: Bench) -> None:
        super().__init__(recorded, stop)
        self._moment = moment
        self._bench = bench

    def step(self, name: str, work: Callable[[], Json]) -> Json:
        def then_answered() -> Json:
            result = work()
            if name == self._moment:
                self._answer()
            return result

        return super().step(name, then_answered)

    def _answer(self) -> None:
        log, ports = self._bench.log, self._bench.ports
        log.append("r", CaseAnswered(case="g2", answer="no"), key="answer:0")
        own = CaseAnswered(case="u1", answer="add", source="assert add(5, 5) == 10", added="u1")
        log.append("r", own, key="answer:1")
        Weigher(log, ports.sandbox, ports.skills).weigh("r", Cancel())


@pytest.fixture(scope="module")
def server() -> Iterator[FakeOllama]:
    story = Story(code=fenced(GOOD), tests="assert add(2, 3) == 5\nassert add(0, 0) == 1")
    with FakeOllama(script=story) as fake:
        yield fake


def final(bench: Bench, recorded: dict[str, Json], moment: str, stop: int) -> dict[str, Any]:
    return essence(bench.go(Answered(recorded, moment, stop, bench)))


def weighed(bench: Bench) -> int:
    return sum(isinstance(event.payload, AnswersWeighed) for event in bench.log.since("r"))


@pytest.mark.parametrize("moment", MOMENTS)
def test_broken_off_after_any_step_it_ends_the_same(
    tmp_path: Path, server: FakeOllama, sandbox: Sandbox, moment: str
) -> None:
    whole = Bench(tmp_path / "whole", server.url, sandbox)
    steps: dict[str, Json] = {}
    expected = final(whole, steps, moment, -1)
    times = weighed(whole)
    whole.close()
    assert expected["finished"].outcome == "passed"
    assert expected["finished"].answers == 2
    for stop in range(0, len(steps), 2):
        bench = Bench(tmp_path / f"stopped-{stop}", server.url, sandbox)
        recorded: dict[str, Json] = {}
        final(bench, recorded, moment, stop)
        assert final(bench, recorded, moment, -1) == expected, list(steps)[stop]
        assert weighed(bench) == times
        assert list(recorded) == list(steps)
        bench.close()

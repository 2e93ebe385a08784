"""A run that is broken off at any step, and taken up again, ends as one that was not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_ollama import FakeOllama
from play import GOOD, WRONG, Play, asked, fenced

from core.config import Config
from core.context import Context, Ports
from core.endpoints import Builtin, Client
from core.engine import carry_out
from core.events import RunStarted
from core.log import EventLog
from core.parts import carry_out_part
from core.sandbox import Sandbox
from core.state import RunState
from core.steps import Json, Leaving
from core.tools import SkillLibrary
from core.writer import Writer

WORSE = "def add(a, b):\n    return None\n"


class Kept:
    """Steps recorded in memory, which break off at the `stop`-th step that is really done.

    `late`: after its result was recorded; otherwise just before, so that it is done again.
    """

    def __init__(self, recorded: dict[str, Json], stop: int = -1, *, late: bool = True) -> None:
        self._recorded = recorded
        self._stop = stop
        self._late = late
        self._done = 0
        self.context: Context

    def step(self, name: str, work: Callable[[], Json]) -> Json:
        if name in self._recorded:
            return self._recorded[name]
        result = work()
        last = self._done == self._stop
        self._done += 1
        if last and not self._late:
            raise Leaving
        self._recorded[name] = result
        if last:
            raise Leaving
        return result

    def part(self, name: str) -> Callable[[], Json]:
        written = carry_out_part(self.context, name)
        return lambda: written


def mending(prompt: str) -> str:
    """Attempt 1 is worse than the draft, attempt 2 is right."""
    return fenced(GOOD) if "attempt 1" in prompt else fenced(WORSE)


class Story(Play):
    """Says the same to the same question, however often it is asked."""

    def __call__(self, body: dict[str, Any]) -> Any:
        prompt = asked(body)
        if prompt.startswith("The code below"):
            self.asked.append("escalate")
            return mending(prompt)
        return super().__call__(body)


@pytest.fixture(scope="module")
def server() -> Iterator[FakeOllama]:
    story = Story(code=fenced(WRONG), tests="assert add(2, 3) == 5\nassert add(0, 0) == 0")
    with FakeOllama(script=story) as fake:
        yield fake


class Bench:
    """One run with its own log, carried out in one go or in several."""

    def __init__(
        self,
        folder: Path,
        url: str,
        sandbox: Sandbox,
        *,
        goal: str = "add two numbers",
        builtin: Builtin | None = None,
    ) -> None:
        config = Config.simple(url, {"overseer": ("llama3", [url])})
        self.client = Client(lambda: config, builtin=builtin)
        self.log = EventLog(folder / "events.db")
        self.log.create("r", RunStarted(goal=goal, config_digest="d", rung="t"))
        self.ports = Ports(
            client=self.client,
            sandbox=sandbox,
            skills=SkillLibrary(folder / "skills"),
            config=lambda: config,
        )

    def go(self, steps: Kept) -> RunState:
        writer = Writer(self.log, "r")
        writer.begin()
        steps.context = Context(writer=writer, ports=self.ports, steps=steps)
        try:
            carry_out(steps.context)
        except Leaving:
            pass
        finally:
            writer.close()
        return writer.state()

    def close(self) -> None:
        self.client.close()
        self.log.close()


@pytest.fixture
def bench(tmp_path: Path, server: FakeOllama, sandbox: Sandbox) -> Iterator[Bench]:
    opened = Bench(tmp_path, server.url, sandbox)
    yield opened
    opened.close()


def essence(state: RunState) -> dict[str, Any]:
    """All that does not depend on when and how often the run was taken up."""
    return {
        "finished": state.finished,
        "cases": state.cases,
        "candidates": [(c.candidate, c.code, c.rolled_back, c.passed) for c in state.candidates],
        "escalations": state.escalations,
        "ended": state.escalation_ended,
        "stages": sorted(s.stage for s in state.stages),
        "triage": state.triage,
        "score": state.score,
        "skill": state.skill,
    }


WHOLE: dict[str, Any] = {}


@pytest.fixture
def whole(tmp_path_factory: pytest.TempPathFactory, server: FakeOllama, sandbox: Sandbox) -> Any:
    """The run without a break, carried out once, and how many steps it takes."""
    if not WHOLE:
        opened = Bench(tmp_path_factory.mktemp("whole"), server.url, sandbox)
        recorded: dict[str, Json] = {}
        WHOLE["state"] = opened.go(Kept(recorded))
        WHOLE["steps"] = list(recorded)
        opened.close()
    return WHOLE


def test_the_story_has_what_a_replay_could_get_wrong(whole: dict[str, Any]) -> None:
    state = whole["state"]
    assert state.outcome == "passed"
    assert [c.rolled_back != "" for c in state.candidates] == [False, True, False]
    assert len(state.escalations) == 2
    assert len(whole["steps"]) == STEPS


STEPS = 26


@pytest.mark.parametrize("late", [True, False])
@pytest.mark.parametrize("stop", range(STEPS))
def test_broken_off_anywhere_it_ends_the_same(
    bench: Bench, whole: dict[str, Any], stop: int, late: bool
) -> None:
    recorded: dict[str, Json] = {}
    broken = bench.go(Kept(recorded, stop, late=late))
    assert broken.outcome is None
    state = bench.go(Kept(recorded))
    assert essence(state) == essence(whole["state"])
    assert state.resumed == 1

"""Further candidates by idle endpoints: who writes them, and how the first verified ends it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from fake_ollama import FakeOllama, Reply
from hypothesis import given
from hypothesis import strategies as st
from play import GOOD, WRONG, Play, asked, fenced, follow, services

from core.endpoints import EndpointStatus, RoleStatus
from core.events import Role
from core.services import Services
from core.spare import TAKEN, spare_roles
from core.state import RunState

OTHER = "def add(a, b):\n    return sum((a, b))\n"


def endpoint(url: str, **more: Any) -> EndpointStatus:
    known = {"state": "healthy", "reachable": True, "in_flight": 0, **more}
    return EndpointStatus(
        id=url,
        url=url,
        kind="ollama",
        models=(),
        message="",
        cooldown_s=0.0,
        calls=0,
        failures=0,
        **known,
    )


def role(name: Role, *endpoints: EndpointStatus, builtin: bool = False) -> RoleStatus:
    return RoleStatus(
        role=name,
        model="m",
        endpoints=tuple((one, True, "") for one in endpoints),
        served_by_builtin=builtin,
        why="",
    )


A, B, C, D = (endpoint(f"http://{name}") for name in "abcd")


@pytest.mark.parametrize(
    ("generator", "stronger", "expected"),
    [
        ([A], [A], []),
        ([A, B], [A], []),
        ([A, B, C], [A], ["generator"]),
        ([A, B, C, D], [A], ["generator"] * 2),
        ([A], [B], ["escalation"]),
        ([A, B, C], [D], ["generator", "escalation"]),
        ([A, B, endpoint("http://c", in_flight=1)], [A], []),
        ([A, B, endpoint("http://c", state="open", reachable=False)], [A], []),
        ([A, B, endpoint("http://c", reachable=None)], [A], []),
    ],
)
def test_only_who_has_nothing_to_do_is_asked_for_more(
    generator: list[EndpointStatus], stronger: list[EndpointStatus], expected: list[str]
) -> None:
    statuses = [role("generator", *generator), role("escalation", *stronger)]
    assert list(spare_roles(statuses)) == expected


def test_the_builtin_model_is_never_asked_for_more() -> None:
    statuses = [role("generator", A, B, C, D, builtin=True), role("escalation", D, builtin=True)]
    assert spare_roles(statuses) == ()


@given(st.lists(st.booleans(), max_size=8))
def test_never_more_than_are_idle(busy: list[bool]) -> None:
    all_ = [endpoint(f"http://{n}", in_flight=int(one)) for n, one in enumerate(busy)]
    roles = spare_roles([role("generator", *all_), role("escalation", *all_[:1])])
    assert len(roles) == max(0, busy.count(False) - TAKEN)


class Turns(Play):
    """Answers of the code by temperature, so that each candidate has its own."""

    by_temperature: dict[float, str | Reply]

    def __call__(self, body: dict[str, Any]) -> str | Reply:
        prompt = asked(body)
        if prompt.startswith("Complete this"):
            self.asked.append("code")
            self.prompts.append(prompt)
            return self.by_temperature[round(body["options"]["temperature"], 1)]
        return super().__call__(body)


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.fixture
def opened(tmp_path: Path, turns: Turns) -> Iterator[Services]:
    with ExitStack() as stack:
        servers = [stack.enter_context(FakeOllama(script=turns)) for _ in range(4)]
        turns.servers = servers  # type: ignore[attr-defined]
        one = stack.enter_context(services(tmp_path, *servers))
        one.client.probe()
        yield one


def run(opened: Services) -> RunState:
    return follow(opened, opened.runs.start("add two numbers, add(1, 1) == 2"))


def test_the_first_that_passes_stops_the_others_upstream(opened: Services, turns: Turns) -> None:
    endless = Reply(text=fenced(GOOD) * 400, pause=0.05)
    gate = threading.Event()
    turns.by_temperature = {0.0: endless, 0.6: Reply(text=fenced(GOOD), pause=gate), 0.8: endless}
    run_id = opened.runs.start("add two numbers, add(1, 1) == 2")
    follow(opened, run_id, lambda s: sum(bool(c.text) for c in s.calls if c.purpose == "code") == 2)
    gate.set()
    state = follow(opened, run_id)
    assert state.outcome == "passed", state.finished
    assert [c.candidate for c in state.candidates] == ["s1"]
    assert state.code == GOOD
    left = [call for call in state.calls if call.purpose == "code" and call.status == "failed"]
    assert len(left) == 2
    assert {call.message for call in left} == {"Stopped: another candidate was verified first."}
    servers: list[FakeOllama] = turns.servers  # type: ignore[attr-defined]
    for server in servers:
        server.wait(lambda: sum(len(one.cancelled) for one in servers) == 2, 5.0)
    assert sum(len(one.cancelled) for one in servers) == 2


def test_candidates_outvote_a_wrong_case_without_a_further_call(
    opened: Services, turns: Turns
) -> None:
    turns.tests = "assert add(2, 3) == 5\nassert add(2, 2) == 5"
    turns.by_temperature = {0.0: fenced(GOOD), 0.6: fenced(OTHER), 0.8: fenced(WRONG)}
    state = run(opened)
    assert state.outcome == "passed", state.finished
    assert [case.source for case in state.cases if case.disputed] == ["assert add(2, 2) == 5"]
    assert "escalate" not in turns.asked
    assert state.finished is not None
    assert "1 generated is disputed and not counted" in state.finished.reason
    assert "2 candidates, written independently, pass them" in state.finished.reason


def test_one_that_fails_costs_nothing_but_itself(opened: Services, turns: Turns) -> None:
    turns.by_temperature = {0.0: fenced(WRONG), 0.6: "I can't.", 0.8: fenced(GOOD)}
    state = run(opened)
    assert state.outcome == "passed", state.finished
    assert state.code == GOOD
    assert "escalate" not in turns.asked


def test_a_stop_by_the_user_ends_them_all(opened: Services, turns: Turns) -> None:
    endless = Reply(text=fenced(GOOD) * 400, pause=0.05)
    turns.by_temperature = {0.0: endless, 0.6: endless, 0.8: endless}
    run_id = opened.runs.start("add two numbers, add(1, 1) == 2")
    follow(opened, run_id, lambda s: sum(bool(c.text) for c in s.calls if c.purpose == "code") == 3)
    opened.runs.cancel(run_id)
    assert follow(opened, run_id).outcome == "cancelled"


def test_a_stop_while_one_of_them_is_executed_is_a_stop(opened: Services, turns: Turns) -> None:
    slow = fenced("import time\ntime.sleep(60)\n" + GOOD)
    endless = Reply(text=fenced(GOOD) * 400, pause=0.05)
    turns.by_temperature = {0.0: endless, 0.6: slow, 0.8: endless}
    run_id = opened.runs.start("add two numbers, add(1, 1) == 2")
    follow(opened, run_id, lambda s: bool(s.cases) and s.candidate("s1"))
    time.sleep(0.3)
    opened.runs.cancel(run_id)
    state = follow(opened, run_id)
    assert state.outcome == "cancelled", state.finished


def test_a_first_candidate_without_an_answer_loses_no_other(opened: Services, turns: Turns) -> None:
    turns.by_temperature = {0.0: Reply(status=400), 0.6: fenced(GOOD), 0.8: fenced(WRONG)}
    state = run(opened)
    assert state.outcome == "passed", state.finished
    assert state.code == GOOD


def test_a_shared_mistake_outvotes_no_case_that_another_passes(
    opened: Services, turns: Turns
) -> None:
    turns.tests = "assert add(2, 3) == 5\nassert add(2, 2) == 4\nassert add(5, 1) == 6"
    same = "def add(a, b):\n    d = a - b\n    return d\n"
    turns.by_temperature = {0.0: fenced(WRONG), 0.6: fenced(same), 0.8: fenced(GOOD)}
    state = follow(opened, opened.runs.start("add two numbers, add(0, 0) == 0"))
    assert state.outcome == "passed", state.finished
    assert state.code == GOOD
    assert not any(case.disputed for case in state.cases)

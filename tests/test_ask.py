"""A recorded question: what a run's log tells of a call that has to wait."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from endpoint_helpers import MODEL, config
from fake_ollama import FakeOllama, Reply
from test_endpoints_waiting import wait_for

from core.ask import ask
from core.config import EndpointConfig, RoleConfig
from core.endpoints import Client
from core.events import CallQueued, Payload, RunStarted
from core.lines import lines
from core.log import EventLog
from core.steps import Json
from core.writer import Writer


class Steps:
    """Steps that are done and not remembered."""

    def step(self, name: str, work: Callable[[], Json]) -> Json:
        return work()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """A run's log and writer, and a client of one server that takes a call at a time."""
    log = EventLog(tmp_path / "events.db")
    log.create("r", RunStarted(goal="add two numbers", config_digest="d", rung="t"))
    with FakeOllama() as server:
        made = config(server.url)
        endpoint = EndpointConfig(url=server.url, kind="ollama", max_inflight=1)
        entry = RoleConfig(model=MODEL, endpoints=(endpoint,))
        settings = replace(made, models={**made.models, "generator": entry})
        client, writer = Client(lambda: settings), Writer(log, "r")
        yield SimpleNamespace(log=log, server=server, client=client, writer=writer)
        client.close()
        writer.close()
    log.close()


def asked(run: SimpleNamespace, name: str) -> str:
    answer = ask(
        run.writer,
        Steps(),  # type: ignore[arg-type]
        run.client,
        name=name,
        role="generator",
        purpose="code",
        prompt=lambda: "add",
        temperature=0.0,
        max_tokens=10,
        cancel=run.writer.cancel,
    )
    return answer.text


def payloads(run: SimpleNamespace, call: str) -> list[Payload]:
    every = [event.payload for event in run.log.since("r")]
    return [one for one in every if getattr(one, "call", "") == call]


def test_a_call_that_waits_says_so_once_in_the_log(run: SimpleNamespace) -> None:
    gate = threading.Event()
    run.server.script = [Reply(text="slow", pause=gate), Reply(text="slow", pause=gate), "last"]
    threads = [threading.Thread(target=asked, args=(run, name)) for name in ("a", "b", "c")]
    for number, thread in enumerate(threads):
        thread.start()
        if number == 0:
            assert run.server.wait(lambda: len(run.server.chats) == 1)
        else:
            call = f"{'abc'[number]}.1.1"
            assert wait_for(lambda c=call: len(payloads(run, c)) == 2, 10)  # type: ignore[misc]
    gate.set()
    for thread in threads:
        thread.join()
    kinds = {name: [type(one).__name__ for one in payloads(run, f"{name}.1.1")] for name in "abc"}
    whole = ["PromptWritten", "RequestSent", "TokensArrived", "ReplyReceived"]
    assert kinds == {
        "a": whole,
        "b": ["PromptWritten", "CallQueued", *whole[1:]],
        "c": ["PromptWritten", "CallQueued", *whole[1:]],
    }
    waits = [event for event in run.log.since("r") if isinstance(event.payload, CallQueued)]
    assert [event.payload.position for event in waits] == [1, 2]
    assert lines(waits[1]) == ("generator: waiting for a free endpoint (place 2 in the queue)...",)
    assert run.writer.state().call("c.1.1").queued == 0


def test_a_busy_server_that_is_waited_for_shows_as_a_failure_and_a_wait(
    run: SimpleNamespace,
) -> None:
    run.server.script = [Reply(status=503, error="Loading model"), "loaded"]
    assert asked(run, "a") == "loaded"
    kinds = [type(one).__name__ for one in payloads(run, "a.1.1")]
    assert kinds[:5] == [
        "PromptWritten",
        "RequestSent",
        "EndpointFailed",
        "CallQueued",
        "RequestSent",
    ]

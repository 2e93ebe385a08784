"""Servers that ask for a break (503, 429): waited for, in order, and never taken for absent."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from endpoint_helpers import MODEL, Clock, Recorder, ask, client_for
from fake_ollama import FakeOllama, Reply
from test_endpoints_builtin import FakeBuiltin
from test_endpoints_waiting import Queued, wait_for

from core.config import EndpointConfig, Timeouts
from core.endpoints.faults import Effect
from core.endpoints.lease import Lease, Wanted
from core.endpoints.rotation import Rotation
from core.errors import NoEndpointLeft

A = EndpointConfig(url="http://a:1")
BUSY = Reply(status=503, error="server busy, please try again")


def begun(rot: Rotation) -> Lease:
    lease = rot.begin(Wanted(role="generator", model=MODEL, endpoints=(A,)))
    assert lease is not None
    return lease


def played(*steps: Reply | Callable[[], Reply]) -> Callable[[object], Reply]:
    """A script whose steps may wait for the test before they answer."""
    left = iter(steps)

    def script(body: object) -> Reply:
        step = next(left)
        return step() if callable(step) else step

    return script


def started(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call)
    thread.start()
    return thread


def test_who_comes_while_a_busy_server_is_asked_again_waits_in_the_queue() -> None:
    gate, watcher = threading.Event(), Queued()

    def once_told() -> Reply:
        gate.wait(10)
        return Reply(text="first")

    script = played(BUSY, once_told, Reply(text="second"))
    with (
        FakeOllama(script=script) as server,
        FakeOllama() as spare,
        client_for(server.url, builtin=(builtin := FakeBuiltin(spare.url))) as client,
    ):
        first = started(lambda: ask(client))
        assert server.wait(lambda: len(server.chats) == 2, 10)  # its break is over, it thinks
        second = started(lambda: ask(client, watcher=watcher))
        wait_for(lambda: bool(watcher.calls) or not second.is_alive(), 10)
        assert (watcher.calls, len(server.chats)) == ([("queued", 1)], 2)
        gate.set()
        first.join()
        second.join()
    assert "".join(watcher.of("token")) == "second"
    assert (builtin.roles, spare.requests) == ([], [])


def test_the_first_token_after_a_break_lets_the_others_in() -> None:
    gate, watcher = threading.Event(), Recorder()
    long = Reply(text="0123456789" * 4, free=1, pause=gate)
    with (
        FakeOllama(script=[BUSY, long, "short"]) as server,
        client_for(server.url) as client,
    ):
        first = started(lambda: ask(client, watcher=watcher))
        assert watcher.arrived.wait(10)
        assert ask(client).text == "short"
        assert first.is_alive()
        gate.set()
        first.join()


def test_a_lone_server_that_limits_the_rate_is_waited_for() -> None:
    limited = Reply(status=429, error="slow down", headers={"Retry-After": "1"})
    watcher = Queued()
    with FakeOllama(script=[limited, "fine"]) as server, client_for(server.url) as client:
        reply = ask(client, watcher=watcher)
    assert (reply.text, [one.error for one in reply.attempts]) == ("fine", ["rate_limited"])
    assert watcher.of("queued") == [1]


def test_a_break_that_outlasts_the_call_is_an_error_and_no_case_for_the_builtin() -> None:
    limited = Reply(status=429, error="come back tomorrow", headers={"Retry-After": "9999"})
    with (
        FakeOllama(script=[limited]) as server,
        FakeOllama() as spare,
        client_for(
            server.url, builtin=(builtin := FakeBuiltin(spare.url)), timeouts=Timeouts(total_s=5)
        ) as client,
    ):
        for _ in range(2):
            with pytest.raises(NoEndpointLeft, match="limits our rate: come back tomorrow"):
                ask(client)
    assert len(server.chats) == 2
    assert builtin.roles == []


def test_breaks_and_cooldowns_grow_each_by_itself() -> None:
    clock = Clock()
    rot = Rotation(clock, lambda: 1.0)

    def wait_after(effect: Effect) -> float:
        wait_s = rot.release(begun(rot), effect, "x")
        clock.now += wait_s
        return wait_s

    assert [wait_after(Effect.BUSY) for _ in range(6)] == [1, 2, 4, 8, 15, 15]
    assert [wait_after(Effect.OPEN) for _ in range(2)] == [2, 4]
    assert wait_after(Effect.BUSY) == 15
    rot.release(begun(rot))
    assert wait_after(Effect.BUSY) == 1
    assert wait_after(Effect.OPEN) == 8  # one reply is no minute of health


def test_a_reply_from_before_a_break_ends_its_growth_too() -> None:
    clock = Clock()
    rot = Rotation(clock, lambda: 1.0)
    under_way = begun(rot)
    for expected in (1, 2):
        assert rot.release(begun(rot), Effect.BUSY, "x") == expected
        clock.now += expected
    rot.release(under_way)
    assert rot.release(begun(rot), Effect.BUSY, "x") == 1

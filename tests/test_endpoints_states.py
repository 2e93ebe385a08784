"""An endpoint's states: what opens it, who finds out whether it is back, what a result proves."""

from __future__ import annotations

import threading

import pytest
from endpoint_helpers import MODEL, Clock, Recorder, ask, client_for, dead_url
from fake_ollama import FakeOllama, Reply

from core.config import EndpointConfig
from core.endpoints.faults import Effect
from core.endpoints.health import Health
from core.endpoints.lease import Lease, Wanted
from core.endpoints.rotation import Rotation
from core.endpoints.states import Block, State
from core.errors import BadReply, NoEndpointLeft

A, B = EndpointConfig(url="http://a:1"), EndpointConfig(url="http://b:1")


def want(*endpoints: EndpointConfig, probe_s: float = 10.0) -> Wanted:
    return Wanted(role="generator", model=MODEL, endpoints=endpoints, probe_s=probe_s)


def begun(rot: Rotation, *endpoints: EndpointConfig) -> Lease:
    lease = rot.begin(want(*endpoints))
    assert lease is not None
    return lease


def test_half_of_the_recent_requests_failing_opens_it_too() -> None:
    rot = Rotation(Clock(), lambda: 1.0)
    outcomes = [None, Effect.STRIKE, None, Effect.STRIKE, None, Effect.STRIKE]
    waits = [rot.release(begun(rot, A), effect, "500") for effect in outcomes]
    assert waits == [0, 0, 0, 0, 0, 2]
    assert rot.view(A).state == "open"


def test_few_failures_among_many_requests_open_nothing() -> None:
    rot = Rotation(Clock(), lambda: 1.0)
    for number in range(100):
        rot.release(begun(rot, A), Effect.STRIKE if number % 3 == 0 else None, "500")
    assert rot.view(A).state in ("healthy", "suspect")


def test_50_threads_on_an_endpoint_that_is_back_make_one_probe() -> None:  # scenario 6
    clock = Clock()
    rot = Rotation(clock, lambda: 1.0)
    rot.release(begun(rot, A), Effect.OPEN, "refused")
    clock.now += 2
    start, probes, lock = threading.Barrier(50), list[Lease](), threading.Lock()

    def work() -> None:
        start.wait()
        lease = rot.begin(want(A))
        if lease is not None:
            with lock:
                probes.append(lease)

    threads = [threading.Thread(target=work) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [probe] = probes
    assert rot.passed_over(A, MODEL) is Block.PROBING
    rot.release(probe)
    assert rot.view(A).state == "healthy"


def test_a_lost_probe_is_replaced_and_says_nothing_when_it_comes_late() -> None:  # scenario 6
    clock = Clock()
    rot = Rotation(clock, lambda: 1.0)
    rot.release(begun(rot, A), Effect.OPEN, "refused")
    clock.now += 2
    lost = begun(rot, A)
    clock.now += 9
    assert rot.begin(want(A)) is None
    clock.now += 1
    second = begun(rot, A)
    rot.release(lost)  # a success, of a probe that was given up
    assert rot.view(A).state == "half_open"
    assert rot.begin(want(A)) is None
    rot.release(second, Effect.OPEN, "refused")
    assert rot.view(A).state == "open"
    assert rot.view(A).in_flight == 0


def test_a_changed_entry_gives_a_misconfigured_endpoint_another_chance() -> None:
    rot = Rotation(Clock(), lambda: 1.0)
    rot.release(begun(rot, A), Effect.MISCONFIGURED, "key rejected")
    rot.release(begun(rot, B), Effect.OPEN, "refused")
    for one in (A, B):
        rot.mended(one.id)
    assert (rot.view(A).state, rot.view(B).state) == ("unknown", "open")


def test_out_of_memory_keeps_one_model_away_for_five_minutes() -> None:
    clock = Clock()
    rot = Rotation(clock, lambda: 1.0)
    assert rot.release(begun(rot, A), Effect.MODEL_UNFIT, "no memory") == 300
    rot.found(A.id, [MODEL], [])  # that it is listed does not make it fit
    assert rot.passed_over(A, MODEL) is Block.MODEL
    assert rot.passed_over(A, "tinyllama") is None
    clock.now += 300
    assert rot.passed_over(A, MODEL) is None


def test_drained_and_disabled_ones_get_no_new_calls_and_say_so() -> None:  # scenario 25
    rot = Rotation(Clock(), lambda: 1.0)
    under_way = begun(rot, A)
    drained = EndpointConfig(url=A.url, drain=True)
    off = EndpointConfig(url=B.url, disabled=True)
    assert rot.begin(want(drained, off)) is None
    assert rot.outlook(want(drained, off), ()).kind == "nobody"
    assert rot.insist(want(drained, off), ()) is None
    assert (rot.view(drained).state, rot.view(off).state) == (State.DRAINING, State.DISABLED)
    assert rot.view(drained).in_flight == 1
    rot.release(under_way)
    assert rot.view(drained).in_flight == 0
    assert begun(rot, A).url == A.url


@pytest.mark.parametrize("effect", [effect for effect in Effect if effect is not Effect.NONE])
def test_no_failure_is_held_against_the_model_and_the_endpoint_at_once(effect: Effect) -> None:
    health = Health()
    health.taken(0.0, 10.0)
    health.failed(effect, MODEL, "x", 0.0, 1.0, 0.0)
    assert (health.block("other", 0.0) is None) or not health.without


def test_a_forgotten_endpoint_starts_anew_once_nothing_is_under_way() -> None:
    rot = Rotation(Clock(), lambda: 1.0)
    lease = begun(rot, A)
    rot.keep([B.id])
    assert rot.view(A).in_flight == 1
    rot.release(lease, Effect.OPEN, "refused")
    rot.keep([B.id])
    assert rot.view(A).state == "unknown"


def test_all_down_and_soon_back_is_waited_for() -> None:
    dead = [dead_url(), dead_url()]
    watcher = Recorder()
    with client_for(*dead) as client:
        with pytest.raises(NoEndpointLeft):
            ask(client)
        with FakeOllama(script=["back"], port=int(dead[0].rpartition(":")[2])):
            assert ask(client, watcher=watcher).text == "back"
    # Of the two cooldowns the one that ended first was waited for; its endpoint may be the other.
    assert len(watcher.of("failed")) <= 1


def test_replies_that_break_are_tried_again_twice_at_most() -> None:
    broken = [Reply(status=500, error="llama runner process has terminated")]
    with (
        FakeOllama(script=broken) as one,
        FakeOllama(script=broken) as two,
        FakeOllama(script=broken) as three,
        FakeOllama() as four,
        client_for(one.url, two.url, three.url, four.url) as client,
        pytest.raises(NoEndpointLeft, match=r"3 endpoints tried .*No further endpoint was asked"),
    ):
        ask(client)
    assert four.chats == []


def test_a_reply_without_an_end_is_tried_again_once() -> None:
    endless = [Reply(done=False)]
    with (
        FakeOllama(script=endless) as one,
        FakeOllama(script=endless) as two,
        FakeOllama() as three,
        client_for(one.url, two.url, three.url) as client,
        pytest.raises(NoEndpointLeft, match="2 endpoints tried"),
    ):
        ask(client)
    assert three.chats == []


def test_a_storm_of_broken_replies_runs_out_of_retries() -> None:
    clock = Clock()
    broken = [Reply(error="CUDA error")]
    gave_up = 0
    with (
        FakeOllama(script=broken) as bad,
        FakeOllama(script=["fine"]) as good,
        client_for(bad.url, good.url, clock=clock) as client,
    ):
        for _ in range(24):
            client._parts.rotation._picker._health.clear()  # forget that it is broken
            try:
                ask(client)
            except NoEndpointLeft:
                gave_up += 1
        assert gave_up == 2  # 12 of 24 calls began there; the budget is 10 a minute
        clock.now += 61
        assert ask(client).text == "fine"


def test_an_error_that_ends_a_call_tells_what_was_tried_before_it() -> None:
    dead = dead_url()
    bad = [Reply(status=400, error="invalid temperature")]
    with (
        FakeOllama(script=bad) as server,
        client_for(dead, server.url) as client,
        pytest.raises(BadReply, match=r"invalid temperature \(before that: .*refused"),
    ):
        ask(client)

"""Whole calls that wait: told where they stand, served in time, or an error that says why."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from endpoint_helpers import HELLO, MODEL, Recorder, ask, config, wait_for
from fake_ollama import FakeOllama, Reply

from core.cancel import Cancel
from core.config import Config, EndpointConfig, RoleConfig, Timeouts
from core.endpoints import Client, Request
from core.endpoints.faults import Effect
from core.endpoints.lease import Wanted
from core.endpoints.rotation import Rotation
from core.errors import Cancelled, NoEndpointLeft


class Queued(Recorder):
    def queued(self, *, position: int) -> None:
        self.calls.append(("queued", position))


def capped(cap: int, *urls: str, total_s: float = 20) -> Config:
    limits = Timeouts(connect_s=2, first_byte_s=10, idle_s=10, total_s=total_s)
    made = config(*urls, timeouts=limits)
    entry = RoleConfig(
        model=MODEL,
        endpoints=tuple(EndpointConfig(url=url, kind="ollama", max_inflight=cap) for url in urls),
    )
    return Config(models={**made.models, "generator": entry}, timeouts=limits)


def test_a_call_waits_for_a_full_endpoint_and_says_so() -> None:
    gate, watcher = threading.Event(), Queued()
    with FakeOllama(script=[Reply(text="slow", pause=gate), "fine"]) as server:
        settings = capped(1, server.url)
        client = Client(lambda: settings)
        first = threading.Thread(target=ask, args=(client,))
        first.start()
        assert server.wait(lambda: len(server.chats) == 1)
        second = threading.Thread(target=ask, args=(client,), kwargs={"watcher": watcher})
        second.start()
        assert wait_for(lambda: watcher.of("queued") == [1], 5)
        assert len(server.chats) == 1
        assert client.status()[1].waiting == 1
        gate.set()
        first.join()
        second.join()
        client.close()
    assert "".join(watcher.of("token")) == "fine"


def test_a_call_that_waited_in_vain_says_where_it_stood() -> None:  # scenario 27
    gate = threading.Event()
    with FakeOllama(script=[Reply(text="slow", pause=gate)]) as server:
        settings = capped(1, server.url, total_s=0.4)
        client = Client(lambda: settings)
        gone = Cancel()
        first = threading.Thread(target=_until_cancelled, args=(client, gone))
        first.start()
        assert server.wait(lambda: len(server.chats) == 1)
        began = time.monotonic()
        with pytest.raises(NoEndpointLeft, match=r"full: 1 of 1 calls under way \(place 1"):
            ask(client)
        assert 0.15 < time.monotonic() - began < 0.4  # half of the call's time
        assert client.status()[1].figures.errors["queue_timeout"] == 1
        gone.set()
        first.join()
        client.close()


def test_who_comes_too_late_for_one_that_is_back_waits_for_its_next_slot() -> None:
    gate = threading.Event()
    script = [Reply(text="slow", pause=gate)]
    with FakeOllama(script=script) as first, FakeOllama(script=script) as second:
        settings = capped(1, first.url, second.url, total_s=240)
        client = Client(lambda: settings)
        for endpoint in settings.role("generator").endpoints:
            client._parts.rotation.lost(endpoint.id, Effect.OPEN, "down")
        with ThreadPoolExecutor(5) as pool:
            calls = [pool.submit(ask, client) for _ in range(5)]
            assert wait_for(lambda: len(first.chats) + len(second.chats) == 2, 10)
            # The other three have waited for a cooldown that is over, and the servers are full.
            assert wait_for(lambda: client.status()[1].waiting == 3, 5)
            gate.set()
            assert {call.result(timeout=60).text for call in calls} == {"slow"}
        client.close()


def test_a_full_queue_says_what_is_full_and_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.endpoints.waiting.QUEUE_LIMIT", 1)
    gate, watcher = threading.Event(), Queued()
    with FakeOllama(script=[Reply(text="slow", pause=gate), "fine"]) as server:
        settings = capped(1, server.url)
        client = Client(lambda: settings)
        first = threading.Thread(target=ask, args=(client,))
        first.start()
        assert server.wait(lambda: len(server.chats) == 1)
        second = threading.Thread(target=ask, args=(client,), kwargs={"watcher": watcher})
        second.start()
        assert wait_for(lambda: watcher.of("queued") == [1], 5)
        with pytest.raises(NoEndpointLeft) as caught:
            ask(client)
        gate.set()
        first.join()
        second.join()
        client.close()
    message = caught.value.message
    assert f"{server.url}: full: 1 of 1 calls under way. The queue is full: 1 call" in message
    assert "raise `max_inflight`" in message


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        (Effect.OPEN, "in a cooldown after a failure: said so"),
        (Effect.BUSY, "asked for a break: said so"),
        (Effect.MODEL_MISSING, f"has no {MODEL}, or no memory for it"),
    ],
)
def test_what_keeps_calls_away_is_called_by_its_name(effect: Effect, words: str) -> None:
    endpoint = EndpointConfig(url="http://a:1", max_inflight=1)
    rot = Rotation(time.monotonic, lambda: 1.0)
    lease = rot.begin(Wanted(role="generator", model=MODEL, endpoints=(endpoint,)))
    assert lease is not None
    assert rot.why_not(endpoint, MODEL) == "full: 1 of 1 calls under way"
    rot.release(lease, effect, "said so")
    assert rot.why_not(endpoint, MODEL) == words


def _until_cancelled(client: Client, cancel: Cancel) -> None:
    with pytest.raises((Cancelled, NoEndpointLeft)):
        ask(client, cancel=cancel, request=Request(messages=HELLO.messages, run="r"))


@pytest.mark.parametrize("suffix", ["", "/v1"])
def test_the_only_server_is_asked_again_after_the_break_it_wanted(suffix: str) -> None:
    loading = Reply(status=503, error="Loading model")
    watcher = Queued()
    with FakeOllama(script=[loading, "fine"]) as server:
        settings = config(f"{server.url}{suffix}")
        client = Client(lambda: settings)
        began = time.monotonic()
        reply = ask(client, watcher=watcher)
        client.close()
    assert (reply.text, [one.error for one in reply.attempts]) == ("fine", ["busy"])
    assert 0.9 < time.monotonic() - began < 2.5
    assert watcher.of("queued") == [1]


def test_a_server_that_stays_busy_is_an_error_when_the_time_for_waiting_is_up() -> None:
    busy = Reply(status=503, error="server busy, please try again.")
    with FakeOllama(script=[busy]) as server:
        settings = config(server.url, timeouts=Timeouts(total_s=1.0))
        client = Client(lambda: settings)
        with pytest.raises(NoEndpointLeft, match="is busy: server busy, please try again"):
            ask(client)
        client.close()
    assert len(server.chats) == 1  # its break is longer than the call would wait


def test_a_slow_endpoint_does_not_hold_the_quick_one_back() -> None:  # scenario 7
    """Two endpoints of one slot each, of which one is at its first call for as long as it takes."""
    calls, gate = 24, threading.Event()
    slow = [Reply(text="x", pause=gate), "x"]
    with FakeOllama(script=slow) as one, FakeOllama(script=["x"]) as two:
        settings = capped(1, one.url, two.url)
        client = Client(lambda: settings)
        with ThreadPoolExecutor(4) as pool:
            done = [pool.submit(ask, client) for _ in range(calls)]
            # Turns that wait would let the quick one serve no more than the slow one does.
            assert wait_for(lambda: len(two.chats) == calls - 1, 15), len(two.chats)
            assert len(one.chats) == 1
            gate.set()
        assert [one.result().text for one in done] == ["x"] * calls
        done = [ask(client) for _ in range(4)]
        client.close()
        assert len(one.chats) == 3  # its turns have come again

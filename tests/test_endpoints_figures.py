"""What is counted and timed, per endpoint and per role, in bounded memory."""

from __future__ import annotations

import itertools
import threading

import pytest
from endpoint_helpers import HELLO, MODEL, Recorder, ask, client_for, dead_url
from fake_ollama import FakeOllama, Reply

from core.cancel import Cancel
from core.config import EndpointConfig
from core.endpoints.figures import NO_FIGURES, POINTS, WINDOW, Ledger, quantile
from core.errors import Cancelled, NoEndpointLeft


def test_quantiles() -> None:
    ordered = [float(n) for n in range(1, 101)]
    assert (quantile(ordered, 0.5), quantile(ordered, 0.95)) == (50, 95)
    assert (quantile([3.0], 0.95), quantile([], 0.5)) == (3.0, 0.0)


def test_figures_are_over_the_last_calls_and_memory_is_bounded() -> None:
    ticks = itertools.count()
    ledger = Ledger(lambda: float(next(ticks)))
    for number in range(1000):
        ledger.began("a")
        ledger.served("a", seconds=number + 2.0, first_token_s=number + 1.0, tokens=50)
    figures = ledger.of("a")
    assert (figures.calls, figures.in_flight, len(figures.points)) == (1000, 0, POINTS)
    assert figures.seconds_p50 == 1001 - WINDOW / 2
    assert figures.seconds_p95 == 1001 - WINDOW / 20
    assert figures.first_token_p50_s == figures.seconds_p50 - 1
    assert figures.tokens_per_s == 50
    assert [point.at for point in figures.points] == [float(n) for n in range(940, 1000)]
    assert len(ledger._meters["a"].served) == WINDOW


def test_failures_count_by_class_and_cancelled_calls_not_at_all() -> None:
    ledger = Ledger()
    ledger.began("a", "b")
    ledger.failed("a", "refused", seconds=0.1)
    ledger.dropped("b")
    assert ledger.of("a").errors == {"refused": 1}
    assert (ledger.of("b").calls, ledger.of("b").in_flight) == (0, 0)
    assert ledger.of("nobody") == NO_FIGURES
    ledger.keep(["a"])
    assert list(ledger._meters) == ["a"]


def test_endpoints_and_roles_are_measured_apart() -> None:
    dead = dead_url()
    with (
        FakeOllama(script=[Reply(text="0123456789" * 10, pause=0.002)]) as server,
        client_for(dead, server.url) as client,
    ):
        for _ in range(4):
            ask(client)
        role = client.status()[1]
    down, up = (row[0].figures for row in role.endpoints)
    assert (down.calls, down.errors) == (1, {"refused": 1})
    assert (up.calls, up.errors, up.in_flight) == (4, {}, 0)
    assert 0 < up.first_token_p50_s <= up.first_token_p95_s <= up.seconds_p95
    assert 10 < up.tokens_per_s < 13 / 0.002
    assert [point.error for point in down.points] == ["refused"]
    assert [point.error for point in up.points] == [""] * 4
    # The role's call was served, by another endpoint than the first: no error of the role's.
    assert (role.figures.calls, role.figures.errors) == (4, {})
    assert role.figures.seconds_p50 >= up.seconds_p50 * 0.9
    assert client.status()[0].figures == NO_FIGURES


def test_a_lost_call_counts_as_the_roles_error_by_its_last_class() -> None:
    with client_for(dead_url(), dead_url()) as client:
        with pytest.raises(NoEndpointLeft):
            ask(client)
        assert client.status()[1].figures.errors == {"refused": 1}


def test_a_call_under_way_is_in_flight_and_a_cancelled_one_leaves_nothing() -> None:
    cancel = Cancel()

    class Looker(Recorder):
        def token(self, text: str) -> None:
            status = client.status()[1]
            self.calls.append(
                ("seen", (status.figures.in_flight, status.endpoints[0][0].in_flight))
            )
            cancel.set()

    watcher = Looker()
    with (
        FakeOllama(script=[Reply(text=MODEL * 9, hang="middle")]) as server,
        client_for(server.url) as client,
    ):
        with pytest.raises(Cancelled):
            ask(client, watcher=watcher, cancel=cancel)
        figures = client.status()[1].figures
    assert watcher.of("seen")[0] == (1, 1)
    assert (figures.calls, figures.in_flight, figures.errors) == (0, 0, {})


def test_waiting_for_a_slot_does_not_slow_the_roles_tokens() -> None:
    gate = threading.Event()
    reply = Reply(text="0123456789" * 4, pause=0.01)
    with (
        FakeOllama(script=[Reply(text="0123456789", chunk=5, pause=gate), reply]) as server,
        client_for(server.url) as client,
    ):
        one_at_a_time = [EndpointConfig(url=server.url, max_inflight=1)]

        def call(watcher: Recorder) -> None:
            client.chat_at(
                "generator", MODEL, one_at_a_time, HELLO, watcher=watcher, cancel=Cancel()
            )

        holder, waiter = Recorder(), Recorder()
        threads = [threading.Thread(target=call, args=(one,)) for one in (holder, waiter)]
        threads[0].start()
        assert server.wait(lambda: server.chats)
        threads[1].start()
        while not client.status()[1].waiting:
            threads[1].join(0.01)
        threads[1].join(0.3)  # it waits for so long at least
        gate.set()
        for thread in threads:
            thread.join()
        role = client.status()[1]
    own, endpoint = role.figures.points[-1], role.endpoints[0][0].figures
    assert own.seconds > 0.3
    assert own.tokens_per_s == pytest.approx(endpoint.points[-1].tokens_per_s)
    assert role.figures.tokens_per_s == pytest.approx(endpoint.tokens_per_s)


def test_a_reply_in_one_piece_says_nothing_about_speed() -> None:
    ledger = Ledger()
    ledger.began("a", "a")
    ledger.served("a", seconds=1.005, first_token_s=1.0, tokens=500)
    assert ledger.of("a").tokens_per_s == 0
    assert ledger.of("a").points[0].tokens_per_s == 0
    ledger.served("a", seconds=3.0, first_token_s=1.0, tokens=20)
    assert ledger.of("a").tokens_per_s == 10


@pytest.mark.parametrize("off", [{"disabled": True}, {"drain": True}])
def test_what_was_not_asked_is_nobodys_last_error(off: dict[str, bool]) -> None:
    dead = dead_url()
    with client_for(dead) as client:
        for endpoints, word in (
            ([EndpointConfig(url=dead), EndpointConfig(url=dead_url(), **off)], "refused"),
            ([EndpointConfig(url=dead, **off)], "disabled" if "disabled" in off else "draining"),
        ):
            with pytest.raises(NoEndpointLeft):
                client.chat_at(
                    "generator", MODEL, endpoints, HELLO, watcher=Recorder(), cancel=Cancel()
                )
            assert client.status()[1].figures.points[-1].error == word

"""Names are looked up where a hang can't hold a call, once at a time, and remembered for 30 s."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

import pytest
from endpoint_helpers import Clock, ask, client_for
from fake_ollama import FakeOllama

from core.cancel import Cancel
from core.config import Timeouts
from core.endpoints import Client
from core.endpoints.resolver import THREADS, Address, Resolver
from core.errors import Cancelled, NoEndpointLeft


class Names:
    """A name server: `answer` decides, `asked` remembers."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.stuck = threading.Event()
        self.down = False

    def __call__(self, host: str, port: int) -> list[Address]:
        self.asked.append(host)
        if host.startswith("hang"):
            self.stuck.wait(10)
        if self.down or host.startswith("unknown"):
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


@pytest.fixture
def names():  # type: ignore[no-untyped-def]
    made = Names()
    yield made
    made.stuck.set()


def use(client: Client, names: Names, clock: Callable[[], float] = time.monotonic) -> None:
    client._parts.http._resolver = Resolver(names, clock)


def limits(**seconds: float) -> Timeouts:
    return Timeouts(**{"connect_s": 0.3, "first_byte_s": 2, "idle_s": 2, "total_s": 2, **seconds})


def test_a_name_that_hangs_costs_its_own_limit_and_no_call(names: Names) -> None:  # scenario 18
    with (
        FakeOllama(script=["fine"]) as good,
        client_for("http://hang.test:1", good.url, timeouts=limits()) as client,
    ):
        use(client, names)
        began = time.monotonic()
        reply = ask(client)
        assert 0.25 < time.monotonic() - began < 0.7
    [attempt] = reply.attempts
    assert (reply.text, attempt.error) == ("fine", "dns")
    assert attempt.message == (
        "Host hang.test did not resolve within 0.3 s (is the name server up?)"
    )


def test_the_total_limit_holds_against_a_name_that_hangs(names: Names) -> None:  # scenario 18
    with client_for("http://hang.test:1/v1", timeouts=limits(connect_s=5, total_s=0.3)) as client:
        use(client, names)
        began = time.monotonic()
        with pytest.raises(NoEndpointLeft):
            ask(client)
        assert 0.25 < time.monotonic() - began < 0.45


def test_a_cancel_does_not_wait_for_a_name(names: Names) -> None:  # scenarios 18, 26
    cancel = Cancel()
    with client_for("http://hang.test:1/v1", timeouts=limits(connect_s=5)) as client:
        use(client, names)
        threading.Timer(0.1, cancel.set).start()
        began = time.monotonic()
        with pytest.raises(Cancelled):
            ask(client, cancel=cancel)
        assert time.monotonic() - began < 0.2


def test_an_unknown_name_is_avoided_for_half_a_minute(names: Names) -> None:  # scenario 18
    with FakeOllama() as good, client_for("http://unknown.test:1", good.url) as client:
        use(client, names)
        [attempt] = ask(client).attempts
        ask(client)
    assert (attempt.error, names.asked) == ("dns", ["unknown.test"])
    assert 24 <= attempt.cooldown_s <= 36


def test_what_was_found_is_remembered_for_30_seconds(names: Names) -> None:
    clock = Clock()
    resolver = Resolver(names, clock)
    for _ in range(3):
        pending = resolver.begin("a.test", 80)
        assert pending.done.wait(5)
    assert len(names.asked) == 1
    clock.now += 30
    assert resolver.begin("a.test", 80).done.wait(5)
    assert len(names.asked) == 2
    resolver.forget("a.test", 80)
    assert resolver.begin("a.test", 80).done.wait(5)
    assert len(names.asked) == 3
    resolver.close()


def test_a_failure_is_not_remembered(names: Names) -> None:
    names.down = True
    resolver = Resolver(names)
    pending = resolver.begin("a.test", 80)
    assert pending.done.wait(5)
    assert isinstance(pending.error, OSError)
    names.down = False
    again = resolver.begin("a.test", 80)
    assert again.done.wait(5)
    assert len(again.addresses) == 1
    resolver.close()


def test_the_same_name_is_looked_up_once_at_a_time(names: Names) -> None:
    resolver = Resolver(names)
    pending = [resolver.begin("hang.test", 80) for _ in range(20)]
    names.stuck.set()
    assert all(one.done.wait(5) for one in pending)
    assert names.asked == ["hang.test"]
    resolver.close()


def test_hanging_names_leave_a_bounded_number_of_threads(names: Names) -> None:
    resolver = Resolver(names)
    for number in range(50):
        resolver.begin(f"hang{number}.test", 80)
    time.sleep(0.05)
    mine = [one for one in threading.enumerate() if one.name == "resolver"]
    assert len(mine) >= THREADS
    assert len(names.asked) == THREADS
    names.stuck.set()
    resolver.close()


def test_one_name_that_hangs_does_not_hold_others_up(names: Names) -> None:
    resolver = Resolver(names)
    resolver.begin("hang.test", 80)
    assert resolver.begin("a.test", 80).done.wait(1)
    resolver.close()

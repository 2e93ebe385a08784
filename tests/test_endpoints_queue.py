"""Calls that must wait: bounded, first come first served, fair between runs, cancellable."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from endpoint_helpers import MODEL, Clock, wait_for
from hypothesis import given, settings
from hypothesis import strategies as st

from core.cancel import Cancel
from core.config import EndpointConfig
from core.endpoints.faults import Effect
from core.endpoints.lease import Lease, Wanted
from core.endpoints.queue import FairQueue
from core.endpoints.rotation import Rotation
from core.endpoints.waiting import QUEUE_LIMIT, QueueFull
from core.errors import Cancelled

A = EndpointConfig(url="http://a:1", max_inflight=1)
B = EndpointConfig(url="http://b:1", max_inflight=1)


def test_runs_are_served_in_turn_and_each_in_its_own_order() -> None:
    queue = FairQueue[str]()
    for name in ("a1", "a2", "a3", "b1", "c1", "b2"):
        queue.add(name[0], name)
    assert list(queue) == ["a1", "b1", "c1", "a2", "b2", "a3"]
    assert queue.position("a2") == 4
    queue.served("a", "a1")
    assert list(queue) == ["b1", "c1", "a2", "b2", "a3"]
    queue.remove("c", "c1")
    queue.remove("c", "c1")
    assert (len(queue), queue.position("c1")) == (4, 0)


@given(st.lists(st.sampled_from(["a", "b", "c", None]), max_size=30))
def test_who_waits_is_overtaken_at_most_once_by_each_other_run(runs: list[str | None]) -> None:
    queue = FairQueue[tuple[str | None, int]]()
    for number, run in enumerate(runs):
        queue.add(run, (run, number))
    served = []
    while len(queue):
        one = next(iter(queue))
        queue.served(one[0], one)
        served.append(one)
    for run in set(runs):
        own = [one for one in served if one[0] == run]
        assert own == sorted(own, key=lambda one: one[1])
    others = len(set(runs)) - 1
    for place, (run, _) in enumerate(served):
        nth = [one[0] for one in served[:place]].count(run)
        assert place <= nth * (others + 1) + others


class Waiting:
    """A call that waits for a lease in a thread of its own."""

    def __init__(
        self,
        rot: Rotation,
        endpoints: Callable[[], tuple[EndpointConfig, ...]],
        run: str | None = None,
        limit_s: float = 5.0,
    ) -> None:
        self.cancel, self.places = Cancel(), list[int]()
        self.lease: Lease | None = None
        self.error: BaseException | None = None
        self.seconds = 0.0
        self._rot, self._endpoints, self._run, self._limit_s = rot, endpoints, run, limit_s
        self._queued = threading.Event()
        self.thread = threading.Thread(target=self._wait)
        self.thread.start()
        assert self._queued.wait(5)

    def _wait(self) -> None:
        began = time.monotonic()

        def wanted() -> Wanted:
            return want(*self._endpoints(), run=self._run)

        try:
            self.lease = self._rot.wait(
                wanted, (), limit_s=self._limit_s, cancel=self.cancel, told=self._told
            )
        except (Cancelled, QueueFull) as error:
            self.error = error
        finally:
            self.seconds = time.monotonic() - began
            self._queued.set()

    def _told(self, place: int) -> None:
        self.places.append(place)
        self._queued.set()

    def end(self) -> Lease | None:
        self.thread.join(5)
        assert not self.thread.is_alive()
        return self.lease


def want(*endpoints: EndpointConfig, run: str | None = None) -> Wanted:
    return Wanted(role="generator", model=MODEL, endpoints=endpoints, run=run)


def taken(rot: Rotation, *endpoints: EndpointConfig) -> Lease:
    lease = rot.begin(want(*endpoints))
    assert lease is not None
    return lease


def test_a_released_slot_goes_to_who_waited_first() -> None:  # scenario 27
    rot = Rotation(time.monotonic, lambda: 1.0)
    held = taken(rot, A)
    waiting = [Waiting(rot, lambda: (A,)) for _ in range(4)]
    assert [one.places[0] for one in waiting] == [1, 2, 3, 4]
    assert rot.waiting("generator") == 4
    for one in waiting:
        rot.release(held)
        lease = one.end()
        assert lease is not None
        assert rot.begin(want(A)) is None  # who comes just then does not overtake
        held = lease
    rot.release(held)
    assert rot.view(A).in_flight == 0
    assert waiting[3].places[0] == 4
    assert waiting[3].places == sorted(waiting[3].places, reverse=True)


def test_a_release_wakes_only_who_gets_the_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.endpoints.waiting.LOOK_S", 60.0)
    rot, asked, lock = Rotation(time.monotonic, lambda: 1.0), 0, threading.Lock()

    def endpoints() -> tuple[EndpointConfig, ...]:
        nonlocal asked
        with lock:
            asked += 1  # who wakes up asks anew
        return (A,)

    held, count = taken(rot, A), 40
    waiting = [Waiting(rot, endpoints, limit_s=60.0) for _ in range(count)]
    for one in waiting[: count // 2]:
        rot.release(held)
        lease = one.end()
        assert lease is not None
        held = lease
    for one in waiting[count // 2 :]:
        one.cancel.set()
        one.end()
    rot.release(held)
    # On coming, on looking, on being told its place; and once more when served or cancelled.
    assert asked <= 4 * count


def test_who_can_use_what_comes_free_need_not_wait_for_who_cannot() -> None:
    rot = Rotation(time.monotonic, lambda: 1.0)
    a, b = taken(rot, A), taken(rot, B)
    waiting = [Waiting(rot, lambda: (A,)) for _ in range(3)] + [Waiting(rot, lambda: (B,))]
    rot.release(b)
    served = waiting[3].end()
    assert served is not None
    assert served.url == B.url
    rot.release(a)
    for one in waiting[:3]:
        lease = one.end()
        assert lease is not None
        rot.release(lease)


def test_one_run_with_many_calls_does_not_hold_up_another() -> None:
    rot = Rotation(time.monotonic, lambda: 1.0)
    held = taken(rot, A)
    many = [Waiting(rot, lambda: (A,), "many") for _ in range(3)]
    one = Waiting(rot, lambda: (A,), "one")
    assert one.places == [2]
    rot.release(held)
    first = many[0].end()
    assert first is not None
    rot.release(first)
    second = one.end()
    assert second is not None
    for waiter in many[1:]:
        waiter.cancel.set()
        waiter.end()
    rot.release(second)


def test_a_wait_ends_with_its_limit_and_with_a_cancel() -> None:  # scenarios 26, 27
    rot = Rotation(time.monotonic, lambda: 1.0)
    held = taken(rot, A)
    late = Waiting(rot, lambda: (A,), limit_s=0.1)
    assert late.end() is None
    assert 0.09 < late.seconds < 0.4
    stopped = Waiting(rot, lambda: (A,))
    began = time.monotonic()
    stopped.cancel.set()
    stopped.end()
    assert time.monotonic() - began < 0.1
    assert isinstance(stopped.error, Cancelled)
    assert rot.waiting("generator") == 0
    rot.release(held)
    assert rot.view(A).in_flight == 0


def test_the_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:  # scenario 27
    assert QUEUE_LIMIT == 256
    monkeypatch.setattr("core.endpoints.waiting.QUEUE_LIMIT", 2)
    rot = Rotation(time.monotonic, lambda: 1.0)
    held = taken(rot, A)
    waiting = [Waiting(rot, lambda: (A,)) for _ in range(3)]
    assert isinstance(waiting[2].error, QueueFull)
    for one in waiting[:2]:
        one.cancel.set()
        one.end()
    rot.release(held)


def test_who_waits_takes_what_a_change_of_the_configuration_brings() -> None:  # scenario 24
    rot = Rotation(time.monotonic, lambda: 1.0)
    taken(rot, A)
    now = [(A,)]
    waiting = Waiting(rot, lambda: now[0])
    now[0] = (B,)
    lease = waiting.end()
    assert lease is not None
    assert lease.url == B.url


def test_who_waits_is_woken_when_a_busy_server_had_its_break() -> None:
    clock = Clock()
    rot = Rotation(clock, lambda: 1.0)
    rot.release(taken(rot, A), Effect.BUSY, "busy")
    waiting = Waiting(rot, lambda: (A,))
    clock.now += 1
    rot.found(A.id, [], [])  # any change looks after those who wait
    assert waiting.end() is not None


@settings(max_examples=10, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", None]), min_size=1, max_size=8), st.integers(1, 3))
def test_nobody_who_waits_is_forgotten(runs: list[str | None], slots: int) -> None:
    rot = Rotation(time.monotonic, lambda: 1.0)
    one = EndpointConfig(url="http://a:1", max_inflight=slots)
    held = [taken(rot, one) for _ in range(slots)]
    waiting = [Waiting(rot, lambda: (one,), run) for run in runs]
    left = list(waiting)
    while left:
        rot.release(held.pop(0))
        assert wait_for(lambda: any(one.lease is not None for one in left), 5.0)
        done = next(one for one in left if one.lease is not None)
        left.remove(done)
        lease = done.end()
        assert lease is not None
        held.append(lease)
    for lease in held:
        rot.release(lease)
    assert rot.view(one).in_flight == 0

"""Whose turn it is: pure tests with a clock that stands still."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from endpoint_helpers import Clock
from hypothesis import given, settings
from hypothesis import strategies as st

from core.config import EndpointConfig
from core.endpoints.faults import Effect
from core.endpoints.lease import Lease, View, Wanted
from core.endpoints.rotation import Rotation

A, B, C = "http://a:1", "http://b:1", "http://c:1"
M = "codellama"


class Turns(Rotation):
    """A rotation over bare URLs."""

    def begin(self, role: str, urls: list[str], model: str) -> Lease | None:  # type: ignore[override]
        return super().begin(wanted(role, urls, model))

    def retry(self, urls: list[str], model: str, tried: list[str]) -> Lease | None:  # type: ignore[override]
        return super().retry(wanted("generator", urls, model), tried)

    def insist(self, urls: list[str], model: str, tried: list[str]) -> Lease | None:  # type: ignore[override]
        return super().insist(wanted("generator", urls, model), tried)

    def view(self, url: str) -> View:  # type: ignore[override]
        return super().view(EndpointConfig(url=url))

    def passed_over(self, url: str, model: str) -> bool:  # type: ignore[override]
        return super().passed_over(EndpointConfig(url=url), model) is not None


def wanted(role: str, urls: list[str], model: str) -> Wanted:
    endpoints = tuple(EndpointConfig(url=url) for url in urls)
    return Wanted(role=role, model=model, endpoints=endpoints)


def rotation(clock: Clock | None = None) -> Turns:
    return Turns(clock or Clock(), lambda: 1.0)


def turn(rot: Turns, urls: list[str], role: str = "generator") -> str:
    lease = rot.begin(role, urls, M)
    assert lease is not None
    rot.release(lease)
    return lease.url


def fail(rot: Turns, lease: Lease | None, effect: Effect = Effect.OPEN) -> float:
    assert lease is not None
    return rot.release(lease, effect, "broken")


def test_calls_alternate_strictly() -> None:
    rot = rotation()
    assert [turn(rot, [A, B]) for _ in range(5)] == [A, B, A, B, A]


def test_roles_that_alternate_on_the_same_endpoints_each_get_all_of_them() -> None:
    rot = rotation()
    turns = [(role, turn(rot, [A, B], role)) for _ in range(10) for role in ("generator", "triage")]
    assert Counter(turns) == {
        ("generator", A): 5,
        ("generator", B): 5,
        ("triage", A): 5,
        ("triage", B): 5,
    }
    assert rot.counters == {"generator": 10, "triage": 10}


def test_64_threads_get_exact_shares() -> None:
    rot, taken, lock = rotation(), Counter[str](), threading.Lock()
    start = threading.Barrier(64)

    def work() -> None:
        start.wait()
        mine = [turn(rot, [A, B, C]) for _ in range(60)]
        with lock:
            taken.update(mine)

    threads = [threading.Thread(target=work) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken == {A: 1280, B: 1280, C: 1280}
    assert [rot.view(url).in_flight for url in (A, B, C)] == [0, 0, 0]


def test_with_one_of_three_down_the_others_share_evenly() -> None:
    rot = rotation()
    fail(rot, rot.begin("generator", [A, B, C], M))
    assert Counter(turn(rot, [A, B, C]) for _ in range(20)) == {B: 10, C: 10}


def test_retries_go_on_from_the_failed_one_and_leave_the_cursor_alone() -> None:
    rot = rotation()
    first = rot.begin("generator", [A, B, C], M)
    fail(rot, first, Effect.STRIKE)
    again = rot.retry([A, B, C], M, [A])
    assert again is not None
    assert again.url == B
    fail(rot, again, Effect.STRIKE)
    last = rot.retry([A, B, C], M, [A, B])
    assert last is not None
    assert last.url == C
    assert turn(rot, [A, B, C]) == B


def test_the_cursor_survives_edits_of_the_list() -> None:
    rot = rotation()
    assert turn(rot, [A, B]) == A
    assert turn(rot, [C, A, B]) == B
    assert turn(rot, [C, A]) == C  # B was taken out and was the last
    assert turn(rot, [A, C]) == A


def test_a_cooldown_doubles_to_a_minute_with_one_probe_after_each() -> None:
    clock = Clock()
    rot = rotation(clock)
    waits = []
    for _ in range(7):
        lease = rot.begin("generator", [A, B], M)
        while lease is not None and lease.url == B:  # step to A's turn
            rot.release(lease)
            lease = rot.begin("generator", [A, B], M)
        waits.append(fail(rot, lease))
        assert [turn(rot, [A, B]) for _ in range(4)] == [B] * 4
        clock.now += waits[-1]
    assert waits == [2, 4, 8, 16, 32, 60, 60]


def test_one_probe_at_a_time_and_success_closes_it() -> None:
    clock = Clock()
    rot = rotation(clock)
    fail(rot, rot.begin("generator", [A], M))
    assert rot.begin("generator", [A], M) is None
    clock.now += 2
    assert rot.view(A).state == "half_open"
    probe = rot.begin("generator", [A], M)
    assert probe is not None
    assert rot.begin("generator", [A], M) is None
    rot.release(probe)
    assert rot.view(A).state == "healthy"
    assert turn(rot, [A]) == A


def test_an_abandoned_probe_lets_the_next_one_through() -> None:
    clock = Clock()
    rot = rotation(clock)
    fail(rot, rot.begin("generator", [A], M))
    clock.now += 2
    probe = rot.begin("generator", [A], M)
    assert probe is not None
    rot.release(probe, Effect.NONE)
    assert rot.begin("generator", [A], M) is not None


def test_late_failures_of_earlier_requests_change_nothing() -> None:
    clock = Clock()
    rot = rotation(clock)
    leases = [rot.begin("generator", [A], M) for _ in range(5)]
    assert fail(rot, leases[0]) == 2
    assert [fail(rot, lease) for lease in leases[1:3]] == [2, 2]
    clock.now += 2
    probe = rot.begin("generator", [A], M)
    assert probe is not None
    assert fail(rot, leases[3]) == 0
    rot.release(probe)
    assert fail(rot, leases[4]) == 0
    assert rot.view(A).state == "healthy"


def test_three_strikes_open_and_a_success_between_starts_over() -> None:
    rot = rotation()
    for _ in range(2):
        assert fail(rot, rot.begin("generator", [A], M), Effect.STRIKE) == 0
    for _ in range(6):
        turn(rot, [A])
    waits = [fail(rot, rot.begin("generator", [A], M), Effect.STRIKE) for _ in range(3)]
    assert waits == [0, 0, 2]


def test_a_minute_of_health_forgets_old_cooldowns() -> None:
    clock = Clock()
    rot = rotation(clock)
    for expected in (2, 4):
        assert fail(rot, rot.begin("generator", [A], M)) == expected
        clock.now += expected
    turn(rot, [A])
    clock.now += 60
    assert fail(rot, rot.begin("generator", [A], M)) == 2


def test_a_missing_model_is_avoided_for_a_minute_others_there_are_not() -> None:
    clock = Clock()
    rot = rotation(clock)
    assert fail(rot, rot.begin("generator", [A, B], M), Effect.MODEL_MISSING) == 60
    assert [turn(rot, [A, B]) for _ in range(3)] == [B, B, B]
    other = rot.begin("triage", [A, B], "tinyllama")
    assert other is not None
    assert other.url == A
    clock.now += 60
    assert turn(rot, [A, B]) == A


def test_a_look_that_finds_the_model_ends_the_wait() -> None:
    rot = rotation()
    fail(rot, rot.begin("generator", [A], M), Effect.MODEL_MISSING)
    rot.found(A, [M], [])
    assert turn(rot, [A]) == A


def test_a_look_brings_back_who_was_unreachable_but_not_who_hung() -> None:
    rot = rotation()
    fail(rot, rot.begin("generator", [A], M), Effect.OPEN)
    for _ in range(3):
        fail(rot, rot.begin("generator", [B], M), Effect.STRIKE)
    for url in (A, B):
        rot.found(url, [M], [])
    assert (rot.view(A).state, rot.view(B).state) == ("half_open", "open")


def test_a_look_that_fails_prolongs_the_cooldown() -> None:
    clock = Clock()
    rot = rotation(clock)
    for expected in (2, 4, 8):
        rot.lost(A, Effect.OPEN, "refused")
        assert rot.view(A).cooldown_s == expected
        clock.now += 1


def test_a_single_endpoint_is_never_refused_when_insisted_upon() -> None:
    rot = rotation()
    for _ in range(3):
        lease = rot.begin("generator", [A], M) or rot.insist([A], M, [])
        fail(rot, lease)
    assert rot.insist([A], M, []) is not None
    assert rot.insist([A], M, [A]) is None


def test_a_lease_is_given_back_once() -> None:
    rot = rotation()
    lease = rot.begin("generator", [A], M)
    assert lease is not None
    rot.release(lease)
    rot.release(lease, Effect.OPEN)
    assert (rot.view(A).in_flight, rot.view(A).state) == (0, "healthy")


@pytest.mark.parametrize(("effect", "state"), [(Effect.BUSY, "busy"), (Effect.OPEN, "open")])
def test_the_state_tells_the_reason(effect: Effect, state: str) -> None:
    rot = rotation()
    fail(rot, rot.begin("generator", [A], M), effect)
    assert rot.view(A).state == state
    assert rot.view(A).message == "broken"


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.sampled_from(["generator", "triage"])),
        st.tuples(st.just("end"), st.sampled_from([None, *Effect])),
        st.tuples(st.just("wait"), st.floats(0, 90)),
    ),
    max_size=80,
)


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 5), ACTIONS)
def test_any_interleaving_keeps_the_books(count: int, actions: list[tuple[str, object]]) -> None:
    clock = Clock()
    rot, urls = rotation(clock), [f"http://h{number}:1" for number in range(count)]
    leases: list[Lease] = []
    begun = Counter[str]()
    for action, value in actions:
        if action == "begin":
            begun[str(value)] += 1
            free = [url for url in urls if not rot.passed_over(url, M)]
            lease = rot.begin(str(value), urls, M)
            assert (lease is None) == (not free)  # no eligible endpoint is refused
            if lease is not None:
                assert lease.url in free
                leases.append(lease)
        elif action == "end" and leases:
            effect = value if isinstance(value, Effect) else None
            assert 0 <= rot.release(leases.pop(0), effect) <= 300
        elif action == "wait":
            clock.now += float(str(value))
        flying = Counter(lease.url for lease in leases)
        assert all(rot.view(url).in_flight == flying[url] for url in urls)
    assert rot.counters == dict(begun)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.lists(st.sampled_from(["generator", "triage", "overseer"])))
def test_healthy_endpoints_differ_by_at_most_one(count: int, roles: list[str]) -> None:
    rot, urls = rotation(), [f"http://h{number}:1" for number in range(count)]
    shares = Counter((role, turn(rot, urls, role)) for role in roles)
    for role in set(roles):
        counts = [shares[role, url] for url in urls]
        assert max(counts) - min(counts) <= 1

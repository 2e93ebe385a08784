"""Who is chosen among those that may be asked: each strategy by itself, then any interleaving."""

from __future__ import annotations

import random
from collections import Counter

from endpoint_helpers import Clock
from hypothesis import given, settings
from hypothesis import strategies as st

from core.config import EndpointConfig, Strategy
from core.config.endpoint import STRATEGIES
from core.endpoints.faults import Effect
from core.endpoints.latency import PeakEwma
from core.endpoints.lease import Lease, Wanted
from core.endpoints.rotation import Rotation
from core.endpoints.strategies import Candidate, choose, quicker, smooth

M = "codellama"


def candidates(*weights: int) -> list[Candidate]:
    names = "abcdefgh"
    return [Candidate(id=names[i], place=i, weight=w) for i, w in enumerate(weights)]


def first_two(count: int) -> tuple[int, int]:
    return 0, 1


def test_weights_are_spread_smoothly() -> None:
    credit: dict[str, int] = {}
    chosen = []
    for _ in range(14):
        one, after = smooth(candidates(5, 1, 1), credit)
        credit = dict(after)
        chosen.append(one.id)
    assert "".join(chosen) == "aabacaa" * 2  # as nginx does


@given(st.integers(1, 6), st.integers(0, 30))
def test_equal_weights_are_strict_turns(count: int, calls: int) -> None:
    credit: dict[str, int] = {}
    for number in range(calls):
        one, after = smooth(candidates(*[1] * count), credit)
        credit = dict(after)
        assert one.place == number % count


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_weights_give_exact_shares(weights: list[int]) -> None:
    credit: dict[str, int] = {}
    shares = Counter[str]()
    for _ in range(sum(weights)):
        one, after = smooth(candidates(*weights), credit)
        credit = dict(after)
        shares[one.id] += 1
    assert shares == {one.id: one.weight for one in candidates(*weights)}
    assert set(credit.values()) == {0}


def test_least_in_flight_counts_by_weight_and_ties_go_in_turn() -> None:
    def least(*turn: Candidate) -> str:
        return choose("least_inflight", turn, {}, first_two)[0].id

    a, b = Candidate(id="a", place=0, in_flight=2), Candidate(id="b", place=1, in_flight=2)
    assert (least(a, b), least(b, a)) == ("a", "b")
    heavy = Candidate(id="c", place=2, in_flight=3, weight=2)
    assert least(a, b, heavy) == "c"


def test_latency_takes_the_quicker_of_two_from_three_endpoints_on() -> None:
    slow = Candidate(id="slow", place=0, first_token_s=2.0)
    busy = Candidate(id="busy", place=1, first_token_s=0.5, in_flight=9)
    quick = Candidate(id="quick", place=2, first_token_s=1.0)
    assert quicker([slow, busy, quick], lambda count: (0, 2)) is quick
    assert quicker([slow, busy, quick], lambda count: (2, 1)) is quick
    assert quicker([slow, busy, quick], lambda count: (1, 0)) is slow
    assert quicker([slow, quick], lambda count: (0, 1)) is slow


def test_warm_first_goes_in_turn_among_the_warm() -> None:
    def warm(*turn: Candidate) -> str:
        return choose("warm_first", turn, {}, first_two)[0].id

    a, b = Candidate(id="a", place=0), Candidate(id="b", place=1, warm=True)
    assert (warm(a, b), warm(a)) == ("b", "a")


def test_a_peak_counts_at_once_and_is_forgotten_slowly() -> None:
    average = PeakEwma()
    average.observe(1.0, 100.0)
    average.observe(5.0, 101.0)
    assert average.at_time(101.0) == 5.0
    average.observe(1.0, 102.0)
    assert 4.5 < average.at_time(102.0) < 5.0
    assert average.at_time(112.0) < 2.0


def wanted(
    endpoints: list[EndpointConfig], strategy: Strategy = "round_robin", size: int = 0
) -> Wanted:
    return Wanted(
        role="generator",
        model=M,
        endpoints=tuple(endpoints),
        strategy=strategy,
        context_size=size,
    )


def endpoints_of(count: int, cap: int = 32) -> list[EndpointConfig]:
    return [EndpointConfig(url=f"http://h{n}:1", max_inflight=cap) for n in range(count)]


def test_a_full_endpoint_is_skipped_and_not_waited_for() -> None:
    rot = Rotation(Clock(), lambda: 1.0)
    [a, b] = [
        EndpointConfig(url="http://a:1", max_inflight=1),
        EndpointConfig(url="http://b:1", max_inflight=3),
    ]
    leases = [rot.begin(wanted([a, b])) for _ in range(5)]
    assert [lease and lease.url[7] for lease in leases] == ["a", "b", "b", "b", None]


def test_warm_first_goes_by_what_was_just_seen_in_memory() -> None:
    clock = Clock()
    rot = Rotation(clock, lambda: 1.0)
    [a, b] = endpoints_of(2)
    rot.resident(b.id, {"codellama:latest": 8192})
    picked = []
    for size in (8192, 4096, 16384, 8192):
        lease = rot.begin(wanted([a, b], "warm_first", size))
        assert lease is not None
        rot.release(lease)
        picked.append(lease.url)
    # With too small a context the model would be loaded anew, so it is not warm.
    assert picked == [b.url, b.url, a.url, b.url]
    clock.now += 6
    cold = rot.begin(wanted([a, b], "warm_first", 8192))
    assert cold is not None
    assert cold.url == a.url


def test_a_storm_of_503_gets_next_to_no_calls() -> None:  # scenario 16
    clock = Clock()
    rot = Rotation(clock, lambda: 1.0)
    bad, good = endpoints_of(2)
    asked = Counter[str]()
    under_way: list[Lease] = []
    for _ in range(600):  # the good one takes 1 s a call, the bad one refuses at once
        clock.now += 0.1
        lease = rot.begin(wanted([bad, good], "least_inflight"))
        if lease is not None:
            asked[lease.url] += 1
            if lease.url == bad.url:
                rot.release(lease, Effect.BUSY, "busy")
            else:
                under_way.append(lease)
        if len(under_way) > 10:
            rot.release(under_way.pop(0))
    assert asked[bad.url] < 0.05 * sum(asked.values())


ACTIONS = st.lists(
    st.one_of(
        st.just(("begin", 0)),
        st.tuples(st.just("end"), st.integers(0, 7)),
        st.tuples(st.just("fail"), st.integers(0, 7)),
        st.tuples(st.just("again"), st.integers(0, 7)),
        st.tuples(st.just("reload"), st.integers(1, 4)),
        st.tuples(st.just("wait"), st.integers(0, 70)),
    ),
    max_size=100,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(STRATEGIES), st.integers(1, 3), ACTIONS, st.randoms(use_true_random=False))
def test_any_interleaving_keeps_the_books(
    strategy: Strategy, cap: int, actions: list[tuple[str, int]], rng: random.Random
) -> None:
    """No slot is overbooked or lost, no lease counts twice, nobody eligible is refused."""
    clock = Clock()

    def draw(count: int) -> tuple[int, int]:
        one, other = rng.sample(range(count), 2)
        return one, other

    rot = Rotation(clock, lambda: 1.0, draw)
    listed, leases = endpoints_of(3, cap), list[Lease]()
    for action, value in actions:
        if action == "begin":
            free = [one.id for one in listed if rot.passed_over(one, M) is None]
            lease = rot.begin(wanted(listed, strategy))
            assert (lease is None) == (not free)
            if lease is not None:
                assert lease.endpoint.id in free
                leases.append(lease)
        elif action == "end" and leases:
            rot.release(leases.pop(value % len(leases)), first_token_s=float(value))
        elif action == "fail" and leases:
            lease = leases.pop(value % len(leases))
            rot.release(lease, list(Effect)[value % len(Effect)], "broken")
            rot.release(lease)  # a second release changes nothing
        elif action == "again" and leases:
            again = rot.retry(wanted(listed, strategy), [leases[0].endpoint.id])
            if again is not None:
                assert again.endpoint.id != leases[0].endpoint.id
                leases.append(again)
        elif action == "reload":
            listed = endpoints_of(value, cap)[:: -1 if value % 2 else 1]
        elif action == "wait":
            clock.now += value
        flying = Counter(lease.endpoint.id for lease in leases)
        for one in endpoints_of(4, cap):
            assert rot.view(one).in_flight == flying[one.id] <= cap


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 5), st.sets(st.integers(0, 4)), st.integers(1, 60))
def test_strict_turns_differ_by_at_most_one_among_the_eligible(
    count: int, down: set[int], calls: int
) -> None:
    rot, listed = Rotation(Clock(), lambda: 1.0), endpoints_of(count)
    up = [one for place, one in enumerate(listed) if place not in down]
    for place in down & set(range(count)):
        rot.lost(listed[place].id, Effect.OPEN, "refused")
    shares = Counter[str]()
    for _ in range(calls if up else 0):
        lease = rot.begin(wanted(listed))
        assert lease is not None
        rot.release(lease)
        shares[lease.endpoint.id] += 1
    counts = [shares[one.id] for one in up]
    assert max(counts, default=0) - min(counts, default=0) <= 1
    assert sum(counts) == sum(shares.values())


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["round_robin", "weighted"]), st.integers(2, 5), st.integers(1, 9))
def test_no_eligible_endpoint_starves(strategy: Strategy, count: int, weight: int) -> None:
    rot = Rotation(Clock(), lambda: 1.0)
    listed = [
        EndpointConfig(url=f"http://h{n}:1", weight=weight if n == 0 else 1) for n in range(count)
    ]
    shares = Counter[str]()
    for _ in range(weight + count - 1):
        lease = rot.begin(wanted(listed, strategy))
        assert lease is not None
        rot.release(lease)
        shares[lease.endpoint.id] += 1
    assert len(shares) == count

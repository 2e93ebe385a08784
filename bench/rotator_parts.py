"""What the rotator's bench measures besides ordinary calls."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench import rotator_clients as clients
from core.cancel import Cancel
from core.endpoints import Client, Message, Request
from core.errors import AppError

WORKERS = 4
TOTAL_S = 0.5  # the limit that the overshoot is measured against
WARM_UP = 0.25  # part of the time that mixed speeds are not yet counted
SHORT = Request(messages=(Message(role="user", content="hello"),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """One of two endpoints refuses. `touched`: calls that were sent to it first, -1 not known."""

    client: str
    calls: int
    failed: int
    touched: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixed:
    """Two servers that take one request at a time, one slower by `ratio`. `possible` is the sum of
    what each gives to a raw socket alone."""

    ratio: str
    per_second: float
    possible: float

    @property
    def share(self) -> float:
        """Of what both could do at most."""
        return self.per_second / self.possible


@dataclass(frozen=True, slots=True, kw_only=True)
class Overshoot:
    """How far past its total limit a call ended: the worst of some, in milliseconds."""

    server: str
    worst_ms: float


def pick_us(urls: Sequence[str], rounds: int, calls: int) -> float:
    """Microseconds to choose an endpoint and give it back, in the fastest round, as timeit does."""
    pick = clients.pick_and_release(urls)
    means = []
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(calls):
            pick()
        means.append((time.perf_counter() - began) / calls)
    return 1e6 * min(means)


def dead(alive: str, refusing: str, calls: int) -> Dead:
    """Calls of ours with one of two endpoints dead."""
    used, watching, failed = clients.client([refusing, alive]), clients.Watching(), 0
    try:
        for _ in range(calls):
            try:
                used.chat("generator", SHORT, watcher=watching, cancel=Cancel())
            except AppError:
                failed += 1
    finally:
        used.close()
    return Dead(client="ours", calls=calls, failed=failed, touched=len(watching.failed_at))


def mixed(slow: str, fast: str, slow_ms: int, fast_ms: int, seconds: float) -> Mixed:
    """Throughput with one request at a time for each."""
    alone_s = WARM_UP * seconds
    possible = _alone(slow, slow_ms, alone_s) + _alone(fast, fast_ms, alone_s)
    used = clients.client([slow, fast], max_inflight=1)
    began = time.monotonic()
    counted_from, ends = began + WARM_UP * seconds, began + (1 + WARM_UP) * seconds
    counts = [0] * WORKERS

    def work(number: int) -> None:
        while time.monotonic() < ends:
            used.chat("generator", SHORT, watcher=clients.Watching(), cancel=Cancel())
            counts[number] += counted_from <= time.monotonic() < ends

    threads = [threading.Thread(target=work, args=(number,)) for number in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    used.close()
    return Mixed(
        ratio=f"1:{slow_ms // fast_ms}",
        per_second=sum(counts) / seconds,
        possible=possible,
    )


def _alone(url: str, milliseconds: int, seconds: float) -> float:
    """Requests a second that this server gives to a single caller who loses no time."""
    calls = max(1, round(1000 * seconds / milliseconds))
    with clients.raw(url) as call:
        began = time.monotonic()
        for _ in range(calls):
            call()
        return calls / (time.monotonic() - began)


def long_line_s(url: str, times: int = 3) -> float:
    """Seconds for a reply whose one line is as long as a line may be; the median."""
    used = clients.client([url])
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        text = used.chat("generator", SHORT, watcher=clients.Watching(), cancel=Cancel()).text
        seconds.append(time.perf_counter() - began)
        assert len(text) > 8_000_000
    used.close()
    return sorted(seconds)[times // 2]


def overshoot(server: str, url: str, times: int) -> Overshoot:
    """Calls to a server that never ends its reply."""
    worst_s = 0.0
    for _ in range(times):
        used = clients.client([url], clients.timeouts(TOTAL_S))
        worst_s = max(worst_s, _ends_after_s(used) - TOTAL_S)
        used.close()
    return Overshoot(server=server, worst_ms=1000 * worst_s)


def _ends_after_s(used: Client) -> float:
    began = time.perf_counter()
    try:
        used.chat("generator", SHORT, watcher=clients.Watching(), cancel=Cancel())
    except AppError:
        return time.perf_counter() - began
    raise AssertionError("a reply without an end was taken for a whole one")

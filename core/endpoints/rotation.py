"""Whose turn it is, and who is passed over. Pure: no I/O, the clock comes in, one lock.

Strict round robin per role: a call's first attempt goes to the successor of the endpoint that the
role's last call went to, found by identity, so that edits of the list don't disturb it. Endpoints
that are passed over are stepped over without shifting the share of the others.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from core.endpoints.faults import Effect
from core.endpoints.health import Health, State


@dataclass(slots=True, eq=False)
class Lease:
    """The right to send one request to `url`. Given back with `Rotation.release`."""

    url: str
    model: str
    generation: int
    probe: bool
    released: bool = False


@dataclass(slots=True)
class _Cursor:
    """The endpoint of the role's last call, and its index then, in case it was taken out."""

    url: str
    index: int

    def next_index(self, urls: Sequence[str]) -> int:
        return (urls.index(self.url) + 1 if self.url in urls else self.index) % len(urls)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """An endpoint's health at one moment. `opened`: in a cooldown, or no success since one."""

    state: State
    opened: bool
    message: str
    cooldown_s: float
    in_flight: int
    calls: int
    failures: int


class Rotation:
    """Per-role cursors and counters over endpoints whose health all roles share. Thread-safe.

    `jitter` gives the factor for each cooldown, best around 1.
    """

    def __init__(self, clock: Callable[[], float], jitter: Callable[[], float]) -> None:
        self._clock = clock
        self._jitter = jitter
        self._lock = threading.Lock()
        self._cursors: dict[str, _Cursor] = {}
        self._counters: dict[str, int] = {}
        self._health: dict[str, Health] = {}

    def begin(self, role: str, urls: Sequence[str], model: str) -> Lease | None:
        """Count a call and take its first endpoint, moving the cursor; None: all passed over."""
        with self._lock:
            self._counters[role] = self._counters.get(role, 0) + 1
            cursor = self._cursors.get(role)
            start = cursor.next_index(urls) if cursor else 0
            lease = self._take(urls, start, model)
            if lease is not None:
                self._cursors[role] = _Cursor(lease.url, urls.index(lease.url))
            return lease

    def retry(self, urls: Sequence[str], model: str, tried: Sequence[str]) -> Lease | None:
        """The next endpoint after the last one tried, without moving the cursor."""
        with self._lock:
            return self._take(urls, _after(urls, tried), model, tried)

    def insist(self, urls: Sequence[str], model: str, tried: Sequence[str]) -> Lease | None:
        """An endpoint that was passed over, before the call is lost: soonest back first."""
        with self._lock:
            left = [url for url in urls if url not in tried]
            if not left:
                return None
            now = self._clock()
            url = min(left, key=lambda url: self._of(url).free_at(model, now))
            return self._lease(url, model)

    def release(
        self, lease: Lease, effect: Effect | None = None, message: str = "", base_s: float = 0.0
    ) -> float:
        """Give a lease back; the seconds for which its endpoint (or model there) is passed over.

        `effect` None: it served. Effect.NONE: it says nothing about the endpoint. `base_s` is the
        least cooldown. A second release does nothing.
        """
        with self._lock:
            if lease.released:
                return 0.0
            lease.released = True
            health = self._of(lease.url)
            health.in_flight -= 1
            if lease.probe and lease.generation == health.generation:
                health.probing = False
            now = self._clock()
            if effect is None:
                health.served(lease.model, lease.generation, now)
                return 0.0
            if effect is not Effect.NONE:
                health.failures += 1
            if lease.generation != health.generation and effect in _WHOLE_ENDPOINT:
                return health.cooldown_s(now)  # began before the present cooldown: nothing new
            return health.failed(effect, lease.model, message, now, self._jitter(), base_s)

    def found(self, url: str, models: Collection[str], missing: Collection[str]) -> None:
        """A look at the endpoint: it answers; which of the wanted models it has and lacks."""
        with self._lock:
            self._of(url).answered(models, missing, self._clock())

    def lost(self, url: str, effect: Effect, message: str, base_s: float = 0.0) -> None:
        """A look at the endpoint failed."""
        with self._lock:
            self._of(url).lost(effect, message, self._clock(), self._jitter(), base_s)

    def view(self, url: str) -> View:
        """The endpoint's health now."""
        with self._lock:
            health, now = self._of(url), self._clock()
            return View(
                state=health.state_at(now),
                opened=health.opened,
                message=health.message,
                cooldown_s=health.cooldown_s(now),
                in_flight=health.in_flight,
                calls=health.calls,
                failures=health.failures,
            )

    def passed_over(self, url: str, model: str) -> bool:
        """Whether a call for this model would be sent elsewhere now."""
        with self._lock:
            return not self._of(url).eligible(model, self._clock())

    @property
    def counters(self) -> dict[str, int]:
        """Calls begun, by role."""
        with self._lock:
            return dict(self._counters)

    def _take(
        self, urls: Sequence[str], start: int, model: str, tried: Collection[str] = ()
    ) -> Lease | None:
        now = self._clock()
        for step in range(len(urls)):
            url = urls[(start + step) % len(urls)]
            if url not in tried and self._of(url).eligible(model, now):
                return self._lease(url, model)
        return None

    def _lease(self, url: str, model: str) -> Lease:
        health = self._of(url)
        probe = health.opened
        if probe:
            health.probing = True
        health.in_flight += 1
        health.calls += 1
        return Lease(url, model, health.generation, probe)

    def _of(self, url: str) -> Health:
        health = self._health.get(url)
        if health is None:
            health = self._health[url] = Health()
        return health


_WHOLE_ENDPOINT = frozenset(Effect) - {Effect.MODEL_MISSING, Effect.MODEL_UNFIT, Effect.NONE}


def _after(urls: Sequence[str], tried: Sequence[str]) -> int:
    return (urls.index(tried[-1]) + 1) % len(urls) if tried and tried[-1] in urls else 0

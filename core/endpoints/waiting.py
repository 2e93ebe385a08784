"""A bounded, fair queue for endpoints that are full or busy.

A slot that comes free goes to who has waited for it, not to who comes just then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from core.cancel import Cancel
from core.endpoints.lease import Lease, Wanted
from core.endpoints.picker import Picker
from core.endpoints.queue import FairQueue

QUEUE_LIMIT = 256
# How often a waiting call looks whether the configuration, or its place, has changed.
LOOK_S = 1.0


class QueueFull(Exception):
    """As many calls wait as may: `limit`."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class _Waiter:
    def __init__(self, wanted: Wanted, tried: Sequence[str], lock: threading.Lock) -> None:
        self.run = wanted.run
        self.tried = tried
        self.want(wanted)
        self.lease: Lease | None = None
        self.changed = threading.Condition(lock)

    def want(self, wanted: Wanted) -> None:
        self.wanted = wanted
        # Those with the same key get an endpoint or not for the same reasons.
        self.key = (wanted.model, tuple(one.id for one in wanted.left(self.tried)))

    def wake(self) -> None:
        with self.changed:
            self.changed.notify()


class WaitingRoom:
    """Those who wait for one of the picker's endpoints. `lock` is what guards the picker."""

    def __init__(self, clock: Callable[[], float], lock: threading.Lock, picker: Picker) -> None:
        self._clock = clock
        self._lock = lock
        self._picker = picker
        self._queue: FairQueue[_Waiter] = FairQueue()

    def count(self, role: str) -> int:
        """How many wait for the role. The caller holds the lock."""
        return sum(one.wanted.role == role for one in self._queue)

    def serve(self) -> None:
        """Give what is free to those who wait, in their order. The caller holds the lock."""
        if not self._queue:
            return
        hopeless = set[tuple[str, tuple[str, ...]]]()
        for waiter in list(self._queue):
            if waiter.key in hopeless:
                continue
            if waiter.tried:
                waiter.lease = self._picker.again(waiter.wanted, waiter.tried)
            else:
                waiter.lease = self._picker.first(waiter.wanted)
            if waiter.lease is None:
                hopeless.add(waiter.key)
            else:
                # The others learn of their new places when they look: nobody wakes for nothing.
                self._queue.served(waiter.run, waiter)
                waiter.changed.notify()

    def wait(
        self,
        wanted: Callable[[], Wanted],
        tried: Sequence[str],
        *,
        limit_s: float,
        cancel: Cancel,
        told: Callable[[int], None],
    ) -> Lease | None:
        """A lease within `limit_s` seconds; None when none came free or `cancel` was set.

        `wanted` is asked again each second; `told` gets the place in the queue then, 1 for the next
        one, where it has changed. Raises QueueFull.
        """
        waiter = _Waiter(wanted(), tried, self._lock)
        with self._lock:
            if len(self._queue) >= QUEUE_LIMIT:
                raise QueueFull(QUEUE_LIMIT)
            self._queue.add(waiter.run, waiter)
        take_back = cancel.on_set(waiter.wake)
        kept = False
        try:
            self._stay(waiter, wanted, limit_s, cancel, told)
            kept = True
        finally:
            take_back()
            with self._lock:
                self._queue.remove(waiter.run, waiter)
                if waiter.lease is not None and not kept:
                    self._picker.give_back(waiter.lease)
                    self.serve()
        return waiter.lease

    def _stay(
        self,
        waiter: _Waiter,
        wanted: Callable[[], Wanted],
        limit_s: float,
        cancel: Cancel,
        told: Callable[[int], None],
    ) -> None:
        end, real_end = self._clock() + limit_s, time.monotonic() + limit_s
        place = 0
        while True:
            now_wanted = wanted()
            with self._lock:
                waiter.want(now_wanted)
                if waiter.lease is None:
                    self.serve()
                left_s = min(end - self._clock(), real_end - time.monotonic())
                if waiter.lease is not None or cancel.is_set() or left_s <= 0:
                    return
                outlook = self._picker.outlook(waiter.wanted, waiter.tried)
                if outlook.kind in ("missing", "nobody"):
                    return
                before, place = place, self._queue.position(waiter)
                if place == before:
                    waiter.changed.wait(min(left_s, LOOK_S, outlook.wait_s or LOOK_S))
            if place != before:
                told(place)

"""Deadlines that hold: one thread shuts down the sockets of exchanges that ran out of time.

A read timeout restarts with every byte, so a dripping server defeats it; `close()` from another
thread waits for the reader. Shutting the socket down does neither.
"""

from __future__ import annotations

import contextlib
import math
import socket
import threading
import time
from collections.abc import Callable
from typing import Literal

Phase = Literal["dns", "connect", "first_byte", "idle", "total"]
StopReason = Literal["cancel", "dns", "connect", "first_byte", "idle", "total"]
# While calls come and go the thread wakes this often: sooner than Stream.finish sets its limit, so
# that an ordinary call never has to wake it.
TICK_S = 0.15


class Guard:
    """What may stop one request: a phase's limit, the total limit, or a cancel."""

    def __init__(self, watchdog: Watchdog, total_s: float) -> None:
        self._watchdog = watchdog
        self._lock = threading.Lock()
        self._sock: socket.socket | None = None
        self._wake: Callable[[], None] | None = None
        self._total_due = time.monotonic() + total_s
        self._phase: Phase = "total"
        self.due = self._total_due
        self.stopped: StopReason | None = None

    def limit(self, phase: Phase, seconds: float) -> None:
        """The phase that begins now may take `seconds`; the total limit stays."""
        due = time.monotonic() + seconds
        self._phase = phase if due < self._total_due else "total"
        sooner = due < self.due
        self.due = min(due, self._total_due)
        if sooner:
            self._watchdog.hurry(self.due)

    def pause(self) -> None:
        """Only the total limit counts, while the caller works on what it was given."""
        self._phase = "total"
        self.due = self._total_due

    def attach(self, sock: socket.socket) -> None:
        """From now on a stop shuts down `sock`; at once if the stop has come already."""
        with self._lock:
            self._sock = sock
            if self.stopped:
                _shut_down(sock)

    def detach(self) -> None:
        """The socket serves somebody else now: leave it alone."""
        with self._lock:
            self._sock = None

    def awake(self, wake: Callable[[], None] | None) -> None:
        """From now on a stop calls `wake`, which is quick; at once if the stop has come already."""
        with self._lock:
            self._wake = wake
            if self.stopped and wake is not None:
                wake()

    def ring(self) -> None:
        """Time is up."""
        self.stop(self._phase)

    def stop(self, reason: StopReason) -> None:
        """Shut the socket down; the first reason given stays. Thread-safe, quick, never raises."""
        with self._lock:
            if self.stopped:
                return
            self.stopped = reason
            if self._sock is not None:
                _shut_down(self._sock)
            if self._wake is not None:
                self._wake()


def _shut_down(sock: socket.socket) -> None:
    # The base class's method: SSLSocket.shutdown would drop the TLS layer under a reading thread.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


class Watchdog:
    """Rings each guard when it is due. Its thread starts with the first guard."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._guards: set[Guard] = set()
        self._wake_at = math.inf
        self._used = False  # since the thread last looked
        self._thread: threading.Thread | None = None
        self._closed = False

    def guard(self, total_s: float) -> Guard:
        """A new guard, rung at the latest after `total_s` seconds, until `dismiss`."""
        guard = Guard(self, total_s)
        with self._condition:
            self._guards.add(guard)
            self._used = True
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            self._hurry(guard.due)
        return guard

    def dismiss(self, guard: Guard) -> None:
        """The exchange ended."""
        with self._condition:
            self._guards.discard(guard)

    def hurry(self, due: float) -> None:
        """Something is due at `due`: wake up in time for it."""
        with self._condition:
            self._hurry(due)

    def _hurry(self, due: float) -> None:
        if due < self._wake_at:
            self._wake_at = due
            self._condition.notify()

    def close(self) -> None:
        """End the thread; guards no longer ring."""
        with self._condition:
            self._closed = True
            self._condition.notify()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=5.0)

    def _run(self) -> None:
        while True:
            with self._condition:
                if self._closed:
                    return
                now = time.monotonic()
                late = [guard for guard in self._guards if guard.due <= now]
                self._guards.difference_update(late)
                if not late:
                    active, self._used = self._used or bool(self._guards), False
                    soonest = min((guard.due for guard in self._guards), default=math.inf)
                    self._wake_at = min(soonest, now + TICK_S) if active else math.inf
                    wait_s = None if math.isinf(self._wake_at) else self._wake_at - now
                    self._condition.wait(wait_s)
                    continue
            for guard in late:
                guard.ring()

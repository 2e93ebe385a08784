"""How often requests that a server had begun may be sent again elsewhere: retries must not
become the load that keeps everything down."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

WINDOW_S = 60.0
SHARE = 0.2
LEAST = 10
# Within one call.
PER_CALL = 2


class RetryBudget:
    """A fifth of the last minute's calls, and at least 10, may be retried. Thread-safe."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._calls: deque[float] = deque()
        self._retries: deque[float] = deque(maxlen=100_000)

    def called(self) -> None:
        """A call begins."""
        with self._lock:
            self._calls.append(self._clock())
            self._forget()

    def take(self) -> bool:
        """Whether one more retry is within the budget; it counts then."""
        with self._lock:
            self._forget()
            if len(self._retries) >= max(LEAST, SHARE * len(self._calls)):
                return False
            self._retries.append(self._clock())
            return True

    def _forget(self) -> None:
        oldest = self._clock() - WINDOW_S
        for times in (self._calls, self._retries):
            while times and times[0] <= oldest:
                times.popleft()

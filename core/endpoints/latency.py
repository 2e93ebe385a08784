"""How long an endpoint takes to its first token: an average that believes bad news at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

TAU_S = 10.0


@dataclass(slots=True)
class PeakEwma:
    """A moving average that jumps to each peak and forgets it with a time constant of 10 s.

    In seconds. It sinks while nothing is measured, so that a slow endpoint is tried again.
    """

    value_s: float = 0.0
    at: float = 0.0

    def observe(self, sample_s: float, now: float) -> None:
        """A request took `sample_s` to its first token."""
        kept = self._kept(now)
        old = self.value_s
        self.value_s = sample_s if sample_s > old else old * kept + sample_s * (1 - kept)
        self.at = now

    def at_time(self, now: float) -> float:
        """The average now, 0 when nothing was ever measured."""
        return self.value_s * self._kept(now)

    def _kept(self, now: float) -> float:
        return math.exp(-max(0.0, now - self.at) / TAU_S)

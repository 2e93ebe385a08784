"""What the rotation is asked for, and what it gives."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from core.config import EndpointConfig, Strategy
from core.endpoints.health import PROBE_LOST_S
from core.endpoints.states import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An endpoint for one request of `role` to `model`. `run` None: of no run.

    `context_size` in tokens is what the request needs. A probe that has not ended after `probe_s`
    seconds is taken for lost.
    """

    role: str
    model: str
    endpoints: tuple[EndpointConfig, ...]
    strategy: Strategy = "round_robin"
    run: str | None = None
    context_size: int = 0
    probe_s: float = PROBE_LOST_S

    def left(self, tried: Collection[str]) -> list[EndpointConfig]:
        """Those that take calls and are not in `tried`, which has ids."""
        return [one for one in self.endpoints if not one.off and one.id not in tried]


@dataclass(slots=True, eq=False)
class Lease:
    """The right to send one request to `endpoint`. Given back with `Rotation.release`."""

    endpoint: EndpointConfig
    model: str
    generation: int
    probe: bool
    released: bool = False

    @property
    def url(self) -> str:
        """The endpoint's URL."""
        return self.endpoint.url


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Why nobody is free. `wait_s`: until that may change by itself, 0 when only others can.

    slots: a call that ends, or a busy server's break, would do. cooling: all that is left are in a
    cooldown or being probed; `full` where they are all at their limit besides, so that none can be
    tried early. missing: all lack the model. nobody: there is none left at all.
    """

    kind: Literal["free", "slots", "cooling", "missing", "nobody"]
    wait_s: float = 0.0
    full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """An endpoint's health at one moment. `opened`: in a cooldown, or no success since one.

    `has_served`: at least one call, ever. `first_token_s` is the moving average that the strategy
    `latency` goes by, 0 if not measured.
    """

    state: State
    opened: bool
    message: str
    cooldown_s: float
    in_flight: int
    calls: int
    failures: int
    first_token_s: float = field(default=0.0)
    has_served: bool = False

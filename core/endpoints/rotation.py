"""Leases on endpoints: at once where one is free, else after waiting. One lock, no I/O."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence

from core.cancel import Cancel
from core.config import EndpointConfig
from core.endpoints.faults import Effect
from core.endpoints.lease import Lease, Outlook, View, Wanted
from core.endpoints.obstacles import OFF, in_words
from core.endpoints.picker import Picker
from core.endpoints.states import Block, State
from core.endpoints.strategies import Draw
from core.endpoints.waiting import WaitingRoom
from core.errors import Cancelled


class Rotation:
    """Per-role turns and counters over endpoints whose health all roles share. Thread-safe.

    `jitter` gives the factor for each cooldown, best around 1; `draw` two different random numbers.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        jitter: Callable[[], float],
        draw: Draw = lambda count: (0, 1),
    ) -> None:
        self._clock = clock
        self._jitter = jitter
        self._lock = threading.Lock()
        self._picker = Picker(clock, draw)
        self._counters: dict[str, int] = {}
        self._room = WaitingRoom(clock, self._lock, self._picker)

    def begin(self, wanted: Wanted) -> Lease | None:
        """Count a call and take its first endpoint, moving the cursor; None: all passed over."""
        with self._lock:
            self._counters[wanted.role] = self._counters.get(wanted.role, 0) + 1
            self._room.serve()
            return self._picker.first(wanted)

    def retry(self, wanted: Wanted, tried: Sequence[str]) -> Lease | None:
        """The next endpoint after the last one tried, without moving the cursor."""
        with self._lock:
            self._room.serve()
            return self._picker.again(wanted, tried)

    def insist(self, wanted: Wanted, tried: Sequence[str]) -> Lease | None:
        """An endpoint that was passed over, before the call is lost: soonest back first."""
        with self._lock:
            return self._picker.insist(wanted, tried)

    def outlook(self, wanted: Wanted, tried: Sequence[str]) -> Outlook:
        """Why nobody is free, and what waiting may bring."""
        with self._lock:
            return self._picker.outlook(wanted, tried)

    def wait(
        self,
        wanted: Callable[[], Wanted],
        tried: Sequence[str],
        *,
        limit_s: float,
        cancel: Cancel,
        told: Callable[[int], None],
    ) -> Lease | None:
        """Queue for an endpoint; see WaitingRoom.wait."""
        lease = self._room.wait(wanted, tried, limit_s=limit_s, cancel=cancel, told=told)
        try:
            cancel.check()
        except Cancelled:
            if lease is not None:
                self.release(lease, Effect.NONE)
            raise
        return lease

    def release(
        self,
        lease: Lease,
        effect: Effect | None = None,
        message: str = "",
        base_s: float = 0.0,
        first_token_s: float = 0.0,
    ) -> float:
        """Give a lease back; the seconds for which its endpoint (or model there) is passed over.

        `effect` None: it served, with its first token after `first_token_s`. Effect.NONE: it says
        nothing about the endpoint. `base_s` is the least cooldown. A second release does nothing.
        """
        with self._lock:
            if not self._picker.give_back(lease):
                return 0.0
            try:
                return self._back(lease, effect, message, base_s, first_token_s)
            finally:
                self._room.serve()

    def _back(
        self, lease: Lease, effect: Effect | None, message: str, base_s: float, first_token_s: float
    ) -> float:
        health, now = self._picker.of(lease.endpoint.id), self._clock()
        if effect is None:
            if first_token_s:
                health.first_token.observe(first_token_s, now)
            health.served(lease.model, lease.generation, now)
            return 0.0
        if effect is not Effect.NONE:
            health.failures += 1
        if lease.generation != health.generation and effect in _WHOLE_ENDPOINT:
            return health.cooldown_s(now)  # began before the present cooldown: nothing new
        return health.failed(effect, lease.model, message, now, self._jitter(), base_s)

    def accepted(self, lease: Lease) -> None:
        """The request's first token came."""
        if not lease.probe:
            return  # nothing was to be found out
        with self._lock:
            self._picker.of(lease.endpoint.id).accepted(lease.generation, self._clock())
            self._room.serve()

    def found(self, identity: str, models: Collection[str], missing: Collection[str]) -> None:
        """A look at the endpoint: it answers; which of the wanted models it has and lacks."""
        with self._lock:
            self._picker.of(identity).answered(models, missing, self._clock())
            self._room.serve()

    def lost(self, identity: str, effect: Effect, message: str, base_s: float = 0.0) -> None:
        """A look at the endpoint failed. Where calls were served before, that counts only if nobody
        is there: a server may well serve calls and refuse the list of its models."""
        with self._lock:
            health = self._picker.of(identity)
            if health.has_served and effect is not Effect.OPEN:
                return
            health.lost(effect, message, self._clock(), self._jitter(), base_s)

    def resident(self, identity: str, models: Mapping[str, int]) -> None:
        """What the endpoint holds in memory now: canonical name -> context in tokens, 0 unknown."""
        with self._lock:
            now = self._clock()
            held = {model: (now, tokens) for model, tokens in models.items()}
            self._picker.of(identity).resident = held

    def mended(self, identity: str) -> None:
        """The endpoint's settings or its key changed: what was wrong with them may be right now."""
        with self._lock:
            self._picker.of(identity).mended()
            self._room.serve()

    def keep(self, known: Collection[str]) -> None:
        """Forget endpoints that are in no configuration, once nothing is under way there."""
        with self._lock:
            self._picker.keep(known)

    def view(self, endpoint: EndpointConfig) -> View:
        """The endpoint's health now."""
        with self._lock:
            health, now = self._picker.of(endpoint.id), self._clock()
            state = health.state_at(now)
            if endpoint.off:
                state = State.DISABLED if endpoint.disabled else State.DRAINING
            return View(
                state=state,
                opened=health.opened or endpoint.off,
                message=OFF[state] if endpoint.off else health.message,
                cooldown_s=0.0 if endpoint.off else health.cooldown_s(now),
                in_flight=health.in_flight,
                calls=health.calls,
                failures=health.failures,
                first_token_s=health.first_token.at_time(now),
                has_served=health.has_served,
            )

    def passed_over(self, endpoint: EndpointConfig, model: str) -> Block | None:
        """Why a call for this model would be sent elsewhere now."""
        with self._lock:
            return self._picker.block(endpoint, model)

    def why_not(self, endpoint: EndpointConfig, model: str) -> str:
        """What keeps calls for this model away from it now, in words; '' when nothing does."""
        with self._lock:
            health = self._picker.of(endpoint.id)
            return in_words(self._picker.block(endpoint, model), endpoint, model, health)

    @property
    def counters(self) -> dict[str, int]:
        """Calls begun, by role."""
        with self._lock:
            return dict(self._counters)

    def waiting(self, role: str) -> int:
        """Calls of the role in the queue."""
        with self._lock:
            return self._room.count(role)


_WHOLE_ENDPOINT = frozenset(Effect) - {Effect.MODEL_MISSING, Effect.MODEL_UNFIT, Effect.NONE}

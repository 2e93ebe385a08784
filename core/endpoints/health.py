"""One endpoint's health: what its failures and successes make of it. Pure; times are given."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from core.endpoints.faults import Effect
from core.endpoints.latency import PeakEwma
from core.endpoints.names import canonical
from core.endpoints.states import RESTS, Block, State

COOLDOWN_S = 2.0
COOLDOWN_CAP_S = 60.0
BUSY_S = 1.0
BUSY_CAP_S = 15.0
MISSING_S = 60.0
UNFIT_S = 300.0
STEADY_S = 60.0  # healthy for so long: the next cooldown starts small again
STRIKES = 3
# As bad as three strikes in a row: half of the last 20 results, once there are 5.
RECENT, RECENT_FROM, RECENT_SHARE = 20, 5, 0.5
PROBE_LOST_S = 300.0
WARM_S = 5.0  # what was in a server's memory longer ago may be gone


_CLOSED = (State.HEALTHY, State.UNKNOWN, State.SUSPECT)
_OPENING: dict[Effect, State] = {
    Effect.OPEN: State.OPEN,
    Effect.STRIKE: State.OPEN,
    Effect.BUSY: State.BUSY,
    Effect.RATE_LIMITED: State.RATE_LIMITED,
    Effect.MISCONFIGURED: State.MISCONFIGURED,
}


@dataclass(slots=True, eq=False)
class Health:
    """Mutable; its owner holds the lock. `generation` counts the cooldowns, so that the late
    result of a request from before a cooldown can be told from its probe's."""

    state: State = State.UNKNOWN
    message: str = ""
    until: float = 0.0
    strikes: int = 0
    openings: int = 0
    breaks: int = 0  # that it asked for itself, since it last served
    healthy_since: float = 0.0
    generation: int = 0
    probing_until: float = 0.0  # a probe that takes longer is given up
    unreachable: bool = False  # the present cooldown began because nobody answered at all
    has_served: bool = False
    in_flight: int = 0
    calls: int = 0
    failures: int = 0
    without: dict[str, float] = field(default_factory=dict)  # model -> passed over until
    recent: deque[bool] = field(default_factory=lambda: deque(maxlen=RECENT))  # True: a strike
    first_token: PeakEwma = field(default_factory=PeakEwma)
    resident: dict[str, tuple[float, int]] = field(default_factory=dict)  # model -> seen at, tokens

    @property
    def opened(self) -> bool:
        """In a cooldown, or past it with no success since."""
        return self.state not in _CLOSED

    def state_at(self, now: float) -> State:
        """The state, with a cooldown that ran out shown as half open."""
        return State.HALF_OPEN if self.opened and now >= self.until else self.state

    def cooldown_s(self, now: float) -> float:
        """Seconds until the endpoint may be tried again."""
        return max(0.0, self.until - now) if self.opened else 0.0

    def block(self, model: str, now: float) -> Block | None:
        """What keeps a request for `model` away; past a cooldown they go one at a time."""
        if self.without and self.without.get(model, 0.0) > now:
            return Block.MODEL
        if not self.opened:
            return None
        rests = self.state in RESTS
        if now < self.until:
            return Block.BUSY if rests else Block.COOLING
        if now < self.probing_until:
            return Block.BUSY if rests else Block.PROBING
        return None

    def taken(self, now: float, probe_s: float) -> bool:
        """A request goes there; whether it is the one that finds out if it is well again."""
        self.in_flight += 1
        self.calls += 1
        if self.opened:
            if self.probing_until and now >= self.probing_until:
                self.generation += 1  # the earlier probe is lost, and says nothing if it comes late
            self.probing_until = now + probe_s
        return self.opened

    def warm(self, model: str, tokens: int, now: float) -> bool:
        """Whether it was just seen to have the model in memory, with so many tokens of context."""
        at, context = self.resident.get(canonical(model), (-WARM_S, 0))
        return now - at <= WARM_S and (context == 0 or context >= tokens)

    def mended(self) -> None:
        """Its part of the configuration was changed: a fault in that is worth another look."""
        if self.state is State.MISCONFIGURED:
            self.state, self.message, self.strikes, self.until = State.UNKNOWN, "", 0, 0.0
            self.generation += 1
            self.probing_until = 0.0

    def free_at(self, model: str, now: float) -> float:
        """When it will be eligible again, to choose among those that are not."""
        return max(self.until if self.opened else 0.0, self.without.get(model, 0.0), now)

    def served(self, model: str, generation: int, now: float) -> None:
        """A request succeeded."""
        self.without.pop(model, None)
        self.recent.append(False)
        self.has_served = True
        self.breaks = 0  # whenever the request began: the server has time again
        if generation != self.generation:
            return
        if self.opened:
            self.recent.clear()
        if self.state is not State.HEALTHY:
            self.healthy_since = now
        self.state, self.message, self.strikes = State.HEALTHY, "", 0
        self.unreachable = False

    def accepted(self, generation: int, now: float) -> None:
        """A request's first token came. Whoever asked for a break has ended it; whether one that
        broke or hung is well again, only a whole reply tells."""
        if generation == self.generation and self.state in RESTS and now >= self.until:
            self.state, self.message, self.strikes = State.HEALTHY, "", 0
            self.healthy_since = now

    def answered(self, models: Collection[str], missing: Collection[str], now: float) -> None:
        """A look at it succeeded. That is no proof that it generates, so at most half open."""
        for model in models:
            if self.without.get(model, 0.0) - now <= MISSING_S:  # unfit lasts, whatever is listed
                self.without.pop(model, None)
        for model in missing:
            self.without[model] = now + MISSING_S
        if self.unreachable:  # after hangs or 500s an answer to a look is no news
            self.until = min(self.until, now)

    def failed(
        self, effect: Effect, model: str, message: str, now: float, jitter: float, base_s: float
    ) -> float:
        """A request failed; the seconds for which it, or the model there, is passed over."""
        if effect is Effect.NONE:
            return 0.0
        if effect in (Effect.MODEL_MISSING, Effect.MODEL_UNFIT):
            wait_s = MISSING_S if effect is Effect.MODEL_MISSING else UNFIT_S
            self.without[model] = now + wait_s
            return wait_s
        self.message = message
        if self.opened and now < self.until:
            return self.until - now  # tried as a last resort: no news
        if self.state is State.HEALTHY and now - self.healthy_since >= STEADY_S:
            self.openings = 0
        self.strikes += 1
        if effect is Effect.STRIKE:
            self.recent.append(True)
            if not self.opened and self.strikes < STRIKES and not self._often():
                self.state = State.SUSPECT
                return 0.0
        return self._open(effect, now, jitter, base_s)

    def _often(self) -> bool:
        count = len(self.recent)
        return count >= RECENT_FROM and sum(self.recent) >= RECENT_SHARE * count

    def lost(self, effect: Effect, message: str, now: float, jitter: float, base_s: float) -> None:
        """A look at it failed: the next cooldown begins."""
        if effect in _OPENING:
            self.message = message
            self._open(effect, now, jitter, base_s)

    def _open(self, effect: Effect, now: float, jitter: float, base_s: float) -> float:
        if effect in (Effect.BUSY, Effect.RATE_LIMITED):
            wait_s = self._break_s(effect, base_s)
            self.breaks += 1
        elif effect is Effect.MISCONFIGURED:
            wait_s = COOLDOWN_CAP_S
        else:
            growth = 2.0 ** min(self.openings, 10)
            wait_s = min(max(COOLDOWN_S * growth, base_s) * jitter, COOLDOWN_CAP_S)
            self.openings += 1
        self.state = _OPENING[effect]
        self.unreachable = effect is Effect.OPEN
        self.until = now + wait_s
        self.generation += 1
        self.probing_until = 0.0
        return wait_s

    def _break_s(self, effect: Effect, base_s: float) -> float:
        growth = 2.0 ** min(self.breaks, 10)
        if effect is Effect.BUSY:
            return min(BUSY_S * growth, BUSY_CAP_S)
        return min(base_s or COOLDOWN_S * growth, COOLDOWN_CAP_S)

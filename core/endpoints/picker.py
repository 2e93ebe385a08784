"""Picks endpoints by strategy and health. Not thread-safe: its owner holds the lock.

Strict turns per role: a call's first attempt goes to the successor of the endpoint that the role's
last call went to, found by identity, so that edits of the list don't disturb it. Endpoints that
are passed over are stepped over without shifting the share of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from core.config import EndpointConfig
from core.endpoints.health import Health
from core.endpoints.lease import Lease, Outlook, Wanted
from core.endpoints.states import Block
from core.endpoints.strategies import Candidate, Draw, choose


@dataclass(slots=True)
class _Cursor:
    """The endpoint of the role's last call, and its index then, in case it was taken out."""

    id: str
    index: int

    def next_index(self, endpoints: Sequence[EndpointConfig]) -> int:
        index = self.index
        if index < len(endpoints) and endpoints[index].id == self.id:
            return (index + 1) % len(endpoints)
        return _after(endpoints, self.id, index)


class Picker:
    """The roles' cursors and credits, and the endpoints' health, which all roles share."""

    def __init__(self, clock: Callable[[], float], draw: Draw) -> None:
        self._clock = clock
        self._draw = draw
        self._cursors: dict[str, _Cursor] = {}
        self._credits: dict[str, Mapping[str, int]] = {}
        self._health: dict[str, Health] = {}

    def of(self, identity: str) -> Health:
        """An endpoint's health; a new one is taken for well."""
        health = self._health.get(identity)
        if health is None:
            health = self._health[identity] = Health()
        return health

    def keep(self, known: Collection[str]) -> None:
        """Forget endpoints that are in no configuration and have nothing under way."""
        for identity in [one for one in self._health if one not in known]:
            if self._health[identity].in_flight == 0:
                del self._health[identity]

    def block(self, endpoint: EndpointConfig, model: str) -> Block | None:
        """What keeps a request away from it now."""
        return self._block(endpoint, model, self._clock())

    def _block(self, endpoint: EndpointConfig, model: str, now: float) -> Block | None:
        if endpoint.drain or endpoint.disabled:
            return Block.OFF
        health = self.of(endpoint.id)
        found = health.block(model, now)
        return found or (Block.FULL if health.in_flight >= endpoint.max_inflight else None)

    def first(self, wanted: Wanted) -> Lease | None:
        """For a call's first attempt: moves the role's cursor. None when all are passed over."""
        cursor = self._cursors.get(wanted.role)
        places = self._free(wanted, cursor.next_index(wanted.endpoints) if cursor else 0, ())
        if wanted.strategy == "round_robin":
            for place in places:
                endpoint = wanted.endpoints[place]
                self._cursors[wanted.role] = _Cursor(endpoint.id, place)
                return self._lease(wanted, endpoint)
            return None
        return self._choose(wanted, [self._candidate(wanted, place) for place in places])

    def _choose(self, wanted: Wanted, turn: list[Candidate]) -> Lease | None:
        if not turn:
            return None
        credit = self._credits.get(wanted.role, {})
        chosen, credit = choose(wanted.strategy, turn, credit, self._draw)
        if credit:
            known = {one.id for one in wanted.endpoints}
            self._credits[wanted.role] = {key: credit[key] for key in credit if key in known}
        self._cursors[wanted.role] = _Cursor(chosen.id, chosen.place)
        return self._lease(wanted, wanted.endpoints[chosen.place])

    def again(self, wanted: Wanted, tried: Sequence[str]) -> Lease | None:
        """For a later attempt: after the last one tried, and the cursor stays."""
        start = _after(wanted.endpoints, tried[-1]) if tried else 0
        turn = [self._candidate(wanted, place) for place in self._free(wanted, start, tried)]
        if not turn:
            return None
        strategy = "round_robin" if wanted.strategy == "weighted" else wanted.strategy
        chosen, _ = choose(strategy, turn, {}, self._draw)
        return self._lease(wanted, wanted.endpoints[chosen.place])

    def insist(self, wanted: Wanted, tried: Collection[str]) -> Lease | None:
        """One that was passed over though not full, before the call is lost: soonest back first."""
        now = self._clock()
        left = [one for one in wanted.left(tried) if self.of(one.id).in_flight < one.max_inflight]
        if not left:
            return None
        soonest = min(left, key=lambda one: self.of(one.id).free_at(wanted.model, now))
        return self._lease(wanted, soonest)

    def give_back(self, lease: Lease) -> bool:
        """The request ended, or was never sent; False when that was known already."""
        if lease.released:
            return False
        lease.released = True
        health = self.of(lease.endpoint.id)
        health.in_flight -= 1
        if lease.probe and lease.generation == health.generation:
            health.probing_until = 0.0
        return True

    def outlook(self, wanted: Wanted, tried: Collection[str]) -> Outlook:
        """What waiting may bring."""
        now = self._clock()
        left = wanted.left(tried)
        blocks = {one.id: self.block(one, wanted.model) for one in left}
        if not left:
            return Outlook(kind="nobody")
        if None in blocks.values():
            return Outlook(kind="free")
        ends = {
            key: self.of(key).free_at(wanted.model, now) - now
            for key, block in blocks.items()
            if block in (Block.BUSY, Block.COOLING)
        }
        kinds = set(blocks.values())
        if Block.FULL in kinds:
            return Outlook(kind="slots")
        if Block.BUSY in kinds:
            return Outlook(kind="slots", wait_s=min(ends.values()))
        if kinds & {Block.COOLING, Block.PROBING}:
            full = all(self.of(one.id).in_flight >= one.max_inflight for one in left)
            return Outlook(kind="cooling", wait_s=min(ends.values(), default=0.0), full=full)
        return Outlook(kind="missing")

    def _free(self, wanted: Wanted, start: int, tried: Collection[str]) -> Iterator[int]:
        """The places of those that may be asked, in strict order from `start` on."""
        endpoints, now = wanted.endpoints, self._clock()
        for step in range(len(endpoints)):
            place = (start + step) % len(endpoints)
            endpoint = endpoints[place]
            if endpoint.id not in tried and self._block(endpoint, wanted.model, now) is None:
                yield place

    def _candidate(self, wanted: Wanted, place: int) -> Candidate:
        endpoint = wanted.endpoints[place]
        health, now = self.of(endpoint.id), self._clock()
        return Candidate(
            id=endpoint.id,
            place=place,
            weight=endpoint.weight,
            in_flight=health.in_flight,
            first_token_s=health.first_token.at_time(now),
            warm=health.warm(wanted.model, wanted.context_size, now),
        )

    def _lease(self, wanted: Wanted, endpoint: EndpointConfig) -> Lease:
        health = self.of(endpoint.id)
        probe = health.taken(self._clock(), wanted.probe_s)
        return Lease(endpoint, wanted.model, health.generation, probe)


def _after(endpoints: Sequence[EndpointConfig], identity: str, otherwise: int = 0) -> int:
    ids = [one.id for one in endpoints]
    return (ids.index(identity) + 1 if identity in ids else otherwise) % len(ids)

"""Whose turn it is among those that may be asked. Pure: what it goes by comes in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.config import Strategy

# Below this many, a choice between two at random is no choice.
LATENCY_FROM = 3
# What an endpoint that was never measured is taken to need: little, so that it gets measured.
UNMEASURED_S = 0.001

# Two different numbers from 0 to below the one given.
Draw = Callable[[int], tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An endpoint that may be asked: `place` in its role's list, `first_token_s` as a peak moving
    average (0: never measured), `warm` when it has the model in memory."""

    id: str
    place: int
    weight: int = 1
    in_flight: int = 0
    first_token_s: float = 0.0
    warm: bool = False

    @property
    def cost(self) -> float:
        """What one more call there is expected to wait, for its weight."""
        return max(self.first_token_s, UNMEASURED_S) * (self.in_flight + 1) / self.weight


def choose(
    strategy: Strategy, turn: Sequence[Candidate], credit: Mapping[str, int], draw: Draw
) -> tuple[Candidate, Mapping[str, int]]:
    """One of `turn`, and the credit after that.

    `turn` is not empty and begins with the one whose turn it strictly is. `credit` is what
    `weighted` keeps between calls, by id; the other strategies leave it alone.
    """
    match strategy:
        case "round_robin":
            return turn[0], credit
        case "weighted":
            return smooth(turn, credit)
        case "least_inflight":
            return min(turn, key=lambda one: one.in_flight / one.weight), credit
        case "latency":
            return quicker(turn, draw), credit
        case "warm_first":
            return next((one for one in turn if one.warm), turn[0]), credit


def smooth(
    turn: Sequence[Candidate], credit: Mapping[str, int]
) -> tuple[Candidate, Mapping[str, int]]:
    """nginx's smooth weighted round robin: shares by weight, spread as evenly as can be.

    Equal weights give the same order as strict turns.
    """
    listed = sorted(turn, key=lambda one: one.place)
    after = {**credit, **{one.id: credit.get(one.id, 0) + one.weight for one in listed}}
    best = max(listed, key=lambda one: after[one.id])  # the first of those with most
    after[best.id] -= sum(one.weight for one in listed)
    return best, after


def quicker(turn: Sequence[Candidate], draw: Draw) -> Candidate:
    """The one of two at random with the lower cost; in turn where there are fewer than three."""
    if len(turn) < LATENCY_FROM:
        return turn[0]
    one, other = sorted(draw(len(turn)))
    return min(turn[one], turn[other], key=lambda candidate: candidate.cost)

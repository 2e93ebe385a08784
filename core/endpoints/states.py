"""What an endpoint is taken for, and why a request may not go there."""

from __future__ import annotations

from enum import Enum


class State(str, Enum):
    """What the endpoint is taken for."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    SUSPECT = "suspect"
    OPEN = "open"
    HALF_OPEN = "half_open"
    BUSY = "busy"
    RATE_LIMITED = "rate_limited"
    MISCONFIGURED = "misconfigured"
    DRAINING = "draining"
    DISABLED = "disabled"


RESTS = (State.BUSY, State.RATE_LIMITED)  # it asked for a break: calls wait for these


class Block(str, Enum):
    """Why a request may not go there now."""

    OFF = "off"  # drained or disabled
    MODEL = "model"  # it lacks the model, or memory for it
    COOLING = "cooling"
    PROBING = "probing"  # past its cooldown, and the one request that finds out is under way
    BUSY = "busy"  # it asked for a break itself, or is being asked whether that is over
    FULL = "full"

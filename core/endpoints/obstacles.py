"""What keeps calls away from an endpoint, in words for people."""

from __future__ import annotations

from core.config import EndpointConfig
from core.endpoints.health import Health
from core.endpoints.states import Block, State

OFF = {
    State.DISABLED: "disabled in the configuration",
    State.DRAINING: "being drained: calls under way end, no new ones come",
}


def in_words(block: Block | None, endpoint: EndpointConfig, model: str, health: Health) -> str:
    """The end of a sentence that begins with the endpoint's URL; '' where nothing is in the way."""
    match block:
        case None:
            return ""
        case Block.OFF:
            return OFF[State.DISABLED if endpoint.disabled else State.DRAINING]
        case Block.MODEL:
            return f"has no {model}, or no memory for it"
        case Block.FULL:
            return f"full: {health.in_flight} of {endpoint.max_inflight} calls under way"
        case Block.BUSY:
            return f"asked for a break: {health.message}"
        case Block.COOLING | Block.PROBING:
            return f"in a cooldown after a failure: {health.message}"

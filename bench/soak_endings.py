"""How the calls of a soak end, and which of these ends the servers' faults explain."""

from __future__ import annotations

from collections.abc import Mapping

from core.endpoints.faults import FAULTS
from core.errors import AppError, Cancelled, NoEndpointLeft, StreamInterrupted

# Of the calls that an endpoint was there for; what the faults cut off in the middle is 2 to 3 %.
SERVED_FLOOR = 0.95
SERVED, CANCELLED, RAISED, NOBODY = "served", "cancelled", "watcher raised", "nobody there"
_BREAKS = ("cut", "malformed", "reset", "stream_error", "unfinished")
_SILENCES = ("first_byte_timeout", "idle_timeout")
# Besides: broken off after its first token, or broken too often before it.
EXPECTED = {SERVED, CANCELLED, RAISED, NOBODY} | {
    f"{how}: {error}" for how in ("interrupted", "gave up") for error in _BREAKS + _SILENCES
}


def ending(error: Exception) -> str:
    """How a call that raised `error` ended, in a few words."""
    match error:
        case Cancelled():
            return CANCELLED
        case StreamInterrupted():
            return f"interrupted: {error.error_class}"
        case NoEndpointLeft():
            errors = [str(getattr(one, "error", "?")) for one in error.attempts]
            if all(one in FAULTS and FAULTS[one].absent for one in errors):
                return NOBODY
            return f"gave up: {errors[-1]}"
        case AppError():
            return f"{type(error).__name__}: {error.message}"
        case _:
            return repr(error)


def served_share(endings: Mapping[str, int]) -> float:
    """Of the calls that an endpoint was there for, and that the caller did not end itself."""
    beside = sum(endings.get(name, 0) for name in (CANCELLED, RAISED, NOBODY))
    counted = sum(endings.values()) - beside
    return endings.get(SERVED, 0) / max(1, counted)

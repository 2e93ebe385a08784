"""A call's error as one word, for counting."""

from __future__ import annotations

from core.errors import AppError, EndpointError, NoEndpointLeft

# The reasons of endpoints that were not asked: no errors of theirs.
_NOT_ASKED = ("disabled", "draining", "queue_timeout")


def error_word(error: AppError) -> str:
    """The error's class for counting; of a call that asked several endpoints, the last one's, and
    where none was asked, why."""
    if isinstance(error, EndpointError):
        return error.error_class
    if not isinstance(error, NoEndpointLeft):
        return error.code
    words = [str(getattr(attempt, "error", error.code)) for attempt in error.attempts]
    asked = [word for word in words if word not in _NOT_ASKED]
    return (asked or words or [error.code])[-1]

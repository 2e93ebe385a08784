"""The lines about the machine: sandbox, built-in model, who serves which role. No network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.embedded import Progress
    from core.endpoints import RoleStatus
    from core.sandbox import Rung
    from core.services import Services

_BUSY = ("fetching", "verifying", "starting")


def rung(services: Services) -> Rung:
    """The sandbox that generated code runs in."""
    return services.sandbox.rung


def builtin(services: Services) -> tuple[Progress, ...]:
    """What the built-in models are doing, as far as there is anything to tell."""
    if services.builtin is None:
        return ()
    return tuple(p for p in services.builtin.progress() if p.phase in (*_BUSY, "failed"))


def busy(progress: tuple[Progress, ...]) -> bool:
    """Whether it changes by the second."""
    return any(one.phase in _BUSY for one in progress)


def by_reason(roles: Iterable[RoleStatus]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Each distinct `why` once, in the order met, with the names of its roles."""
    found: dict[str, tuple[str, ...]] = {}
    for known in roles:
        found[known.why] = (*found.get(known.why, ()), known.role)
    return tuple(found.items())


def names(words: Iterable[str]) -> str:
    """Like "a", "a and b" or "a, b and c"."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def sentence(text: str) -> str:
    """With a full stop, if it ends without a mark."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def time_left(seconds: float) -> str:
    """Like "40 s" or "12 min"."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"

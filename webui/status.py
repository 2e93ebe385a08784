"""The lines about the machine: sandbox, built-in model, who serves which role. No network."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.embedded import Progress
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


def time_left(seconds: float) -> str:
    """Like "40 s" or "12 min"."""
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"

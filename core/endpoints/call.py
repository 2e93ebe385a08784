"""One call while it lasts: what was tried, and the error that tells all of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from core.cancel import Cancel
from core.config import Config, EndpointConfig
from core.endpoints.lease import Wanted
from core.endpoints.values import Attempt, Builtin, QueueWatcher, Request, Watcher
from core.errors import AppError, BuiltinUnavailable, EndpointError, NoEndpointLeft
from core.events import Role


@dataclass(slots=True, kw_only=True)
class Call:
    """`refresh` gives what is wanted by the configuration of that moment, for calls that wait.

    `due` is when it must have ended, by the failover's clock; `patience_s` for how much longer it
    may wait for an endpoint.
    """

    role: Role
    wanted: Wanted
    refresh: Callable[[], Wanted]
    request: Request
    watcher: Watcher
    cancel: Cancel
    config: Config
    builtin: Builtin | None
    due: float = 0.0
    patience_s: float = 0.0
    why_not: Callable[[EndpointConfig, str], str] = lambda endpoint, model: ""
    place: int = 0  # in the queue, when it last waited
    turned_away: str = ""  # the word for endpoints that it was not let to
    begun: int = 0  # requests that failed after a server had begun with them
    attempts: list[Attempt] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)  # ids
    busy: set[str] = field(default_factory=set)  # ids of those that only asked for a break
    absent: bool = True  # so far nobody was there who could have served the model
    unavailable: BuiltinUnavailable | None = None

    def queued(self, place: int) -> None:
        """It waits at this place of the queue."""
        self.place = place
        self.turned_away = "queue_timeout"
        self.absent = False
        if isinstance(self.watcher, QueueWatcher):
            self.watcher.queued(position=place)

    def note(
        self, url: str, model: str, error: EndpointError, seconds: float, cooldown_s: float
    ) -> None:
        """An attempt failed: keep it and tell the watcher."""
        failed = Attempt(
            endpoint=url,
            model=model,
            error=error.error_class,
            message=error.message,
            seconds=seconds,
            cooldown_s=cooldown_s,
        )
        self.attempts.append(failed)
        self.watcher.failed(
            endpoint=url, error=failed.error, message=failed.message, cooldown_s=cooldown_s
        )

    def spared(self) -> list[str]:
        """Whom not to ask again when those that were busy may be; never empty, so that what comes
        next is no first attempt."""
        return [one for one in self.tried if one not in self.busy] or [""]

    def with_history(self, error: EndpointError) -> EndpointError:
        """The error of the last attempt, its message completed by those before it."""
        earlier = "; ".join(f"{one.endpoint}: {one.message}" for one in self.attempts[:-1])
        if earlier:
            error.message = f"{error.message} (before that: {earlier})"
            error.args = (error.message,)
        return error

    def nobody(self, mend: str = "") -> AppError:
        """No endpoint is left that could be tried."""
        if self.unavailable is not None:
            tried = "".join(f" {one.message}." for one in self.attempts)
            return BuiltinUnavailable(f"{self.unavailable.message}{tried}")
        missing = [one.endpoint for one in self.attempts if one.error == "model_missing"]
        if missing:
            mend = f"Run `ollama pull {self.wanted.model}` on {', '.join(missing)}. {mend}".strip()
        return NoEndpointLeft(self.role, (*self.attempts, *self._not_asked()), mend)

    def _not_asked(self) -> list[Attempt]:
        """Those that no request was sent to, with the reason."""
        left = [one for one in self.wanted.endpoints if one.id not in self.tried]
        reasons = {one.id: self._reason(one) for one in left}
        return [
            Attempt(
                endpoint=one.url,
                model=self.wanted.model,
                error=reasons[one.id][0],
                message=reasons[one.id][1],
                seconds=0.0,
                cooldown_s=0.0,
            )
            for one in left
            if reasons[one.id][0]
        ]

    def _reason(self, endpoint: EndpointConfig) -> tuple[str, str]:
        if endpoint.disabled:
            return "disabled", "disabled in the configuration"
        if endpoint.drain:
            return "draining", "being drained, so it takes no new calls"
        if not self.turned_away:
            return "", ""
        why = self.why_not(endpoint, self.wanted.model) or "not free in time"
        place = f" (place {self.place} in the queue)" if self.place else ""
        return self.turned_away, f"{why}{place}"

"""One call: endpoint after endpoint until one replies, then the built-in model, then an error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from core.cancel import Cancel
from core.config import Config
from core.endpoints import attempt, faults
from core.endpoints.attempt import Target
from core.endpoints.faults import Effect
from core.endpoints.http import Http
from core.endpoints.kinds import Kinds
from core.endpoints.rotation import Lease, Rotation
from core.endpoints.stream import Deadlines
from core.endpoints.values import Attempt, Builtin, Reply, Request, Watcher
from core.errors import (
    AppError,
    BuiltinUnavailable,
    EndpointError,
    NoEndpointLeft,
    StreamInterrupted,
)
from core.events import Role

# A built-in server that died is asked for again this often in one call.
BUILTIN_TRIES = 2


@dataclass(slots=True, kw_only=True)
class Call:
    """One call while it lasts. `endpoints`: URL -> kind, in rotation order."""

    role: Role
    model: str
    endpoints: dict[str, str]
    request: Request
    watcher: Watcher
    cancel: Cancel
    config: Config
    builtin: Builtin | None
    attempts: list[Attempt] = field(default_factory=list)
    absent: bool = True  # so far nobody was there who could have served the model
    unavailable: BuiltinUnavailable | None = None

    @property
    def urls(self) -> list[str]:
        """The endpoints in rotation order."""
        return list(self.endpoints)

    @property
    def tried(self) -> list[str]:
        """Those that have failed."""
        return [one.endpoint for one in self.attempts]


class Failover:
    """Carries calls out. Thread-safe."""

    def __init__(
        self, http: Http, kinds: Kinds, rotation: Rotation, clock: Callable[[], float]
    ) -> None:
        self._http = http
        self._kinds = kinds
        self._rotation = rotation
        self._clock = clock

    def run(self, call: Call) -> Reply:
        """The reply; raises as Client.chat says."""
        call.cancel.check()
        due = self._clock() + call.config.timeouts.total_s
        lease = self._rotation.begin(call.role, call.urls, call.model)
        while True:
            if lease is None and call.builtin is not None and call.absent:
                reply = self._ask_builtin(call, call.builtin)
            else:
                lease = lease or self._rotation.insist(call.urls, call.model, call.tried)
                if lease is None:
                    raise _nobody(call)
                reply = self._try(call, lease, due)
            if reply is not None:
                return reply
            lease = self._rotation.retry(call.urls, call.model, call.tried)

    def _try(self, call: Call, lease: Lease, due: float) -> Reply | None:
        """One endpoint's reply; None when it failed and the next may be tried."""
        began = self._clock()
        try:
            reply = self._send(call, lease.url, call.endpoints[lease.url], lease.model, due)
            self._rotation.release(lease)
            return reply
        except EndpointError as error:
            fault = faults.fault_of(error)
            cooldown_s = self._rotation.release(lease, fault.effect, error.message, fault.base_s)
            _note(call, lease.url, lease.model, error, self._clock() - began, cooldown_s)
            call.absent = call.absent and fault.absent
            if isinstance(error, StreamInterrupted):
                raise
            if error.error_class == "total_timeout":
                raise _nobody(call) from error
            if fault.final:
                raise
            return None
        finally:
            self._rotation.release(lease, Effect.NONE)  # cancelled, or the watcher raised

    def _ask_builtin(self, call: Call, builtin: Builtin) -> Reply | None:
        """The built-in model's reply; None when it can't be had."""
        for _ in range(BUILTIN_TRIES):
            try:
                url, model = builtin.acquire(call.role, call.cancel)
            except BuiltinUnavailable as error:
                call.builtin, call.unavailable = None, error
                return None
            began = self._clock()  # waiting for it to arrive is not part of the call
            due = began + call.config.timeouts.total_s
            try:
                return self._send(call, url, "openai", model, due)
            except EndpointError as error:
                _note(call, url, model, error, self._clock() - began, 0.0)
                fault = faults.fault_of(error)
                if isinstance(error, StreamInterrupted) or fault.final:
                    raise
                if not fault.absent:
                    break
        raise _nobody(call)

    def _send(self, call: Call, url: str, kind: str, model: str, due: float) -> Reply:
        limits = call.config.timeouts
        reply = attempt.send(
            self._http,
            self._kinds,
            Target(
                url=url,
                kind=kind,
                model=model,
                context_size=call.config.context_size(model),
                keep_alive=call.config.keep_alive,
            ),
            call.request,
            deadlines=Deadlines(
                connect_s=limits.connect_s,
                first_byte_s=limits.first_byte_s,
                idle_s=limits.idle_s,
                total_s=max(0.0, due - self._clock()),
            ),
            watcher=call.watcher,
            cancel=call.cancel,
        )
        return replace(reply, attempts=tuple(call.attempts))


def _note(
    call: Call, url: str, model: str, error: EndpointError, seconds: float, cooldown_s: float
) -> None:
    failed = Attempt(
        endpoint=url,
        model=model,
        error=error.error_class,
        message=error.message,
        seconds=seconds,
        cooldown_s=cooldown_s,
    )
    call.attempts.append(failed)
    call.watcher.failed(
        endpoint=url, error=failed.error, message=failed.message, cooldown_s=cooldown_s
    )


def _nobody(call: Call) -> AppError:
    if call.unavailable is not None:
        tried = "".join(f" {one.message}." for one in call.attempts)
        return BuiltinUnavailable(f"{call.unavailable.message}{tried}")
    missing = [one.endpoint for one in call.attempts if one.error == "model_missing"]
    mend = f"Run `ollama pull {call.model}` on {', '.join(missing)}." if missing else ""
    return NoEndpointLeft(call.role, tuple(call.attempts), mend)

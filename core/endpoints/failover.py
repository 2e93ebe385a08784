"""One call: endpoint after endpoint until one replies, then the built-in model, then an error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from core.config import EndpointConfig
from core.endpoints import attempt, faults
from core.endpoints.attempt import Target
from core.endpoints.budget import PER_CALL, RetryBudget
from core.endpoints.call import Call
from core.endpoints.faults import Effect, Fault
from core.endpoints.figures import Ledger
from core.endpoints.http import Http
from core.endpoints.kinds import Kinds
from core.endpoints.lease import Lease
from core.endpoints.patience import PATIENCE_S, Patience
from core.endpoints.rotation import Rotation
from core.endpoints.stream import Deadlines
from core.endpoints.values import Builtin, Reply
from core.errors import BuiltinUnavailable, EndpointError, StreamInterrupted

# A built-in server that died is asked for this often in one call.
BUILTIN_TRIES = 2
_DIED = ("reset", "cut")  # how that shows where it had taken the request


class Failover:
    """Carries calls out. Thread-safe."""

    def __init__(
        self,
        http: Http,
        kinds: Kinds,
        rotation: Rotation,
        ledger: Ledger,
        clock: Callable[[], float],
    ) -> None:
        self._http = http
        self._kinds = kinds
        self._rotation = rotation
        self._ledger = ledger
        self._budget = RetryBudget(clock)
        self._patience = Patience(rotation, clock)
        self._clock = clock

    def run(self, call: Call) -> Reply:
        """The reply; raises as Client.chat says."""
        call.cancel.check()
        total_s = call.config.timeouts.total_s
        began = self._clock()
        call.due, call.patience_s = began + total_s, min(PATIENCE_S, total_s / 2)
        self._budget.called()
        lease = self._rotation.begin(call.wanted)
        while True:
            lease = lease or self._patience.lease(call)
            if lease is None and call.builtin is not None and call.absent:
                reply = self._ask_builtin(call, call.builtin)
            else:
                lease = lease or self._rotation.insist(call.wanted, call.tried)
                if lease is None:
                    if self._patience.is_worth_it(call):
                        continue
                    raise call.nobody()
                reply = self._try(call, lease)
            if reply is not None:
                return reply
            lease = self._rotation.retry(call.wanted, call.tried)
            if lease is None:
                self._patience.spare_busy(call)

    def _try(self, call: Call, lease: Lease) -> Reply | None:
        """One endpoint's reply; None when it failed and the next may be tried."""
        began, key = self._clock(), lease.endpoint.id
        self._ledger.began(key)
        call.turned_away = ""  # what it waited for, it has got
        settled = False
        try:
            reply = self._send(
                call, lease.endpoint, lease.model, lambda: self._rotation.accepted(lease)
            )
            self._rotation.release(lease, first_token_s=reply.first_token_s)
            self._ledger.served(
                key,
                seconds=reply.seconds,
                first_token_s=reply.first_token_s,
                tokens=reply.tokens_out,
            )
            settled = True
            return reply
        except EndpointError as error:
            fault = faults.fault_of(error)
            seconds = self._clock() - began
            cooldown_s = self._rotation.release(lease, fault.effect, error.message, fault.base_s)
            self._ledger.failed(key, error.error_class, seconds=seconds)
            settled = True
            call.tried.append(key)
            if fault.effect in (Effect.BUSY, Effect.RATE_LIMITED):
                call.busy.add(key)
            call.note(lease.url, lease.model, error, seconds, cooldown_s)
            self._go_on(call, error, fault)
            return None
        finally:
            self._rotation.release(lease, Effect.NONE)  # cancelled, or the watcher raised
            if not settled:
                self._ledger.dropped(key)

    def _go_on(self, call: Call, error: EndpointError, fault: Fault) -> None:
        """Return when the next endpoint may be tried; else raise the call's error."""
        call.absent = call.absent and fault.absent
        if error.error_class == "total_timeout" and not isinstance(error, StreamInterrupted):
            raise call.nobody() from error
        if isinstance(error, StreamInterrupted) or fault.final:
            raise call.with_history(error)
        if fault.effect is not Effect.STRIKE and error.error_class != "unfinished":
            return
        # The server had begun: doing it again elsewhere costs somebody's time each time.
        call.begun += 1
        if not call.wanted.left(call.tried):
            return
        twice = [one.error for one in call.attempts].count("unfinished") > 1
        if twice or call.begun > PER_CALL or not self._budget.take():
            raise call.nobody("No further endpoint was asked: too many replies broke") from error

    def _ask_builtin(self, call: Call, builtin: Builtin) -> Reply | None:
        """The built-in model's reply; None when it can't be had."""
        url, left_s = "", call.config.timeouts.total_s
        for _ in range(BUILTIN_TRIES):
            try:
                url, model = builtin.acquire(call.role, call.cancel, broken=url)
            except BuiltinUnavailable as error:
                call.builtin, call.unavailable = None, error
                return None
            began = self._clock()  # waiting for it to arrive is not part of the call
            call.due = began + left_s
            try:
                return self._send(
                    call, EndpointConfig(url=url, kind="openai"), model, continues=True
                )
            except EndpointError as error:
                seconds = self._clock() - began
                left_s -= seconds
                call.note(url, model, error, seconds, 0.0)
                fault = faults.fault_of(error)
                if isinstance(error, StreamInterrupted) or fault.final:
                    raise call.with_history(error) from error.__cause__
                if not fault.absent and error.error_class not in _DIED:
                    break
        raise call.nobody()

    def _send(
        self,
        call: Call,
        endpoint: EndpointConfig,
        model: str,
        accepted: Callable[[], None] = lambda: None,
        *,
        continues: bool = False,
    ) -> Reply:
        limits = call.config.timeouts
        reply = attempt.send(
            self._http,
            self._kinds,
            Target(
                endpoint=endpoint,
                model=model,
                context_size=call.config.context_size(model),
                keep_alive=call.config.keep_alive,
                continues=continues,
            ),
            call.request,
            deadlines=Deadlines(
                connect_s=limits.connect_s,
                first_byte_s=limits.first_byte_s,
                idle_s=limits.idle_s,
                total_s=max(0.0, call.due - self._clock()),
            ),
            watcher=call.watcher,
            cancel=call.cancel,
            accepted=accepted,
        )
        return replace(reply, attempts=tuple(call.attempts))

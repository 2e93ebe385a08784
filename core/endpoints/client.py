"""The one door to the model servers."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from core.cancel import Cancel
from core.config import Config, EndpointConfig, RoleConfig
from core.endpoints.call import Call
from core.endpoints.failover import Failover
from core.endpoints.figures import Ledger
from core.endpoints.http import Http
from core.endpoints.kinds import Kinds
from core.endpoints.lease import Wanted
from core.endpoints.monitor import Monitor
from core.endpoints.rotation import Rotation
from core.endpoints.slot import held
from core.endpoints.values import Builtin, Reply, Request, RoleStatus, Watcher
from core.events import Role


class Client:
    """Sends requests to the endpoints of a role. Thread-safe.

    `config` is asked once per call, so a change holds from the next call on. `builtin` serves
    roles whose endpoints can't, while the config's `embedded` is "auto". `clock` in seconds.
    """

    def __init__(
        self,
        config: Callable[[], Config],
        *,
        builtin: Builtin | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._builtin = builtin
        self._clock = clock
        self._forked = threading.Lock()
        self._made = _Parts.of(config, builtin, clock)

    @property
    def counters(self) -> dict[str, int]:
        """Calls begun, by role."""
        return self._parts.rotation.counters

    def chat(self, role: Role, request: Request, *, watcher: Watcher, cancel: Cancel) -> Reply:
        """The reply of the role's next endpoint, or of another one if that fails.

        Each endpoint is tried once; where all are full or busy the call waits in a queue. Raises
        NoEndpointLeft, StreamInterrupted when a token was given to `watcher` already, EndpointError
        for a request that no endpoint would take, BuiltinUnavailable, Cancelled.
        """
        return self._run(role, lambda: self._config().role(role), request, watcher, cancel)

    def chat_at(
        self,
        role: Role,
        model: str,
        endpoints: Sequence[EndpointConfig],
        request: Request,
        *,
        watcher: Watcher,
        cancel: Cancel,
    ) -> Reply:
        """As `chat`, with a model and endpoints in place of the config's."""
        entry = RoleConfig(model=model, endpoints=tuple(endpoints))
        return self._run(role, lambda: entry, request, watcher, cancel)

    def slot(
        self, endpoint: EndpointConfig, model: str, *, limit_s: float, cancel: Cancel
    ) -> AbstractContextManager[None]:
        """One of the endpoint's calls at a time, for a request that another client sends.

        Entering it waits for one, at most `limit_s` seconds. Raises Unreachable, Cancelled.
        """
        return held(self._parts.rotation, endpoint, model, limit_s=limit_s, cancel=cancel)

    def probe(self, timeout_s: float = 2.0) -> tuple[RoleStatus, ...]:
        """Ask every endpoint now, 16 at once, and give the status after that.

        `timeout_s`, above 0, is how long a server may say nothing before it counts as unreachable;
        one that keeps talking gets twice that. In the background, `start`, it is 2 s.
        """
        return self._parts.monitor.probe(timeout_s)

    def status(self) -> tuple[RoleStatus, ...]:
        """What is known of every role's endpoints, without asking anybody."""
        return self._parts.monitor.status()

    def start(self) -> None:
        """Look after the endpoints in the background, the first time at once."""
        self._parts.monitor.start()

    def close(self) -> None:
        """End the background threads and close all connections."""
        if self._made.pid == os.getpid():  # a parent's threads and sockets are not ours to end
            self._made.monitor.close()
            self._made.http.close()

    @property
    def _parts(self) -> _Parts:
        """New ones after a fork: threads don't survive it, and sockets must not be shared."""
        if self._made.pid != os.getpid():
            with self._forked:
                if self._made.pid != os.getpid():
                    started = self._made.monitor.started
                    self._made = _Parts.of(self._config, self._builtin, self._clock)
                    if started:
                        self._made.monitor.start()
        return self._made

    def _run(
        self,
        role: Role,
        entry: Callable[[], RoleConfig],
        request: Request,
        watcher: Watcher,
        cancel: Cancel,
    ) -> Reply:
        config, parts = self._config(), self._parts

        def wanted() -> Wanted:
            found = entry()
            return Wanted(
                role=role,
                model=found.model,
                endpoints=found.endpoints,
                strategy=found.strategy,
                run=request.run,
                context_size=self._config().context_size(found.model),
                probe_s=config.timeouts.first_byte_s,
            )

        call = Call(
            role=role,
            wanted=wanted(),
            refresh=wanted,
            why_not=parts.rotation.why_not,
            request=request,
            watcher=watcher,
            cancel=cancel,
            config=config,
            builtin=self._builtin if config.embedded == "auto" else None,
        )
        parts.monitor.noticed(config)
        with parts.ledger.call(role) as ended:
            reply = parts.failover.run(call)
            streamed_s = reply.seconds - reply.first_token_s
            ended(reply.first_token_s, streamed_s, reply.tokens_out)
            return reply


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What a client consists of in one process."""

    pid: int
    http: Http
    rotation: Rotation
    ledger: Ledger
    failover: Failover
    monitor: Monitor

    @staticmethod
    def of(
        config: Callable[[], Config], builtin: Builtin | None, clock: Callable[[], float]
    ) -> _Parts:
        spread = random.Random()
        http, ledger = Http(), Ledger()
        rotation = Rotation(
            clock, lambda: spread.uniform(0.8, 1.2), lambda count: _two(spread, count)
        )
        kinds = Kinds(http)
        return _Parts(
            pid=os.getpid(),
            http=http,
            rotation=rotation,
            ledger=ledger,
            failover=Failover(http, kinds, rotation, ledger, clock),
            monitor=Monitor(config, http, kinds, rotation, ledger, has_builtin=builtin is not None),
        )


def _two(spread: random.Random, count: int) -> tuple[int, int]:
    one, other = spread.sample(range(count), 2)
    return one, other

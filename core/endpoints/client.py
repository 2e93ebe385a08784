"""The one door to the model servers."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping

from core.cancel import Cancel
from core.config import Config
from core.endpoints.failover import Call, Failover
from core.endpoints.http import Http
from core.endpoints.kinds import Kinds
from core.endpoints.monitor import Monitor
from core.endpoints.rotation import Rotation
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
        spread = random.Random()
        self._rotation = Rotation(clock, lambda: spread.uniform(0.8, 1.2))
        self._http = Http()
        self._kinds = Kinds(self._http)
        self._failover = Failover(self._http, self._kinds, self._rotation, clock)
        self._monitor = Monitor(
            config, self._http, self._kinds, self._rotation, has_builtin=builtin is not None
        )

    @property
    def counters(self) -> dict[str, int]:
        """Calls begun, by role."""
        return self._rotation.counters

    def chat(self, role: Role, request: Request, *, watcher: Watcher, cancel: Cancel) -> Reply:
        """The reply of the role's next endpoint, or of another one if that fails.

        Each endpoint is tried once. Raises NoEndpointLeft, StreamInterrupted when a token was
        given to `watcher` already, EndpointError for a request that no endpoint would take,
        BuiltinUnavailable, Cancelled.
        """
        config = self._config()
        entry = config.role(role)
        kinds = {one.url: one.kind for one in entry.endpoints}
        return self.chat_at(role, entry.model, kinds, request, watcher=watcher, cancel=cancel)

    def chat_at(
        self,
        role: Role,
        model: str,
        endpoints: Mapping[str, str],
        request: Request,
        *,
        watcher: Watcher,
        cancel: Cancel,
    ) -> Reply:
        """As `chat`, with a model and endpoints (URL -> kind) in place of the config's."""
        config = self._config()
        call = Call(
            role=role,
            model=model,
            endpoints=dict(endpoints),
            request=request,
            watcher=watcher,
            cancel=cancel,
            config=config,
            builtin=self._builtin if config.embedded == "auto" else None,
        )
        return self._failover.run(call)

    def probe(self, timeout_s: float = 2.0) -> tuple[RoleStatus, ...]:
        """Ask every endpoint now, all at once, at most about `timeout_s` seconds."""
        return self._monitor.probe(timeout_s)

    def status(self) -> tuple[RoleStatus, ...]:
        """What is known of every role's endpoints, without asking anybody."""
        return self._monitor.status()

    def start(self) -> None:
        """Look after the endpoints in the background, the first time at once."""
        self._monitor.start()

    def close(self) -> None:
        """End the background thread and close all connections."""
        self._monitor.close()
        self._http.close()

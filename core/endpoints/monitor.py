"""Looks after all endpoints: asks them in the background and on demand, and tells their status."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from core.cancel import Cancel
from core.config import Config, EndpointConfig
from core.endpoints.board import Board
from core.endpoints.changes import Changes, all_endpoints
from core.endpoints.faults import FAULTS
from core.endpoints.figures import Ledger
from core.endpoints.http import Http
from core.endpoints.kinds import Kinds
from core.endpoints.probe import look, resident
from core.endpoints.rotation import Rotation
from core.endpoints.states import State
from core.endpoints.values import RoleStatus
from core.events import ROLES

TICK_S = 5.0
WARM_TICK_S = 2.0  # what is in memory must be known well within health.WARM_S
EVERYTHING_S = 60.0
PROBE_S = 2.0
PROBES_AT_ONCE = 16

_log = logging.getLogger("core.endpoints")


class Monitor:
    """Keeps the last look at each endpoint. Thread-safe."""

    def __init__(
        self,
        config: Callable[[], Config],
        http: Http,
        kinds: Kinds,
        rotation: Rotation,
        ledger: Ledger,
        *,
        has_builtin: bool,
    ) -> None:
        self._config = config
        self._http = http
        self._kinds = kinds
        self._rotation = rotation
        self._board = Board(kinds, rotation, ledger)
        self._changes = Changes(config, http, rotation, ledger)
        self._has_builtin = has_builtin
        self._stop = Cancel()
        self._thread: threading.Thread | None = None

    @property
    def started(self) -> bool:
        """Whether it asks in the background."""
        return self._thread is not None

    def noticed(self, config: Config) -> None:
        """A call is about to go by this configuration."""
        self._changes.notice(config)

    def probe(self, timeout_s: float) -> tuple[RoleStatus, ...]:
        """Ask every endpoint at once; the status after that."""
        self._look_at(all_endpoints(self._config()), timeout_s)
        return self.status()

    def status(self) -> tuple[RoleStatus, ...]:
        """Every role's endpoints as last seen."""
        config = self._config()
        builtin = self._has_builtin and config.embedded == "auto"
        return tuple(self._board.role(role, config.role(role), builtin) for role in ROLES)

    def start(self) -> None:
        """Begin to ask in the background; a second call does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="endpoints", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Stop asking; looks under way are broken off."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5.0)

    def _run(self) -> None:
        since_all_s = since_tick_s = EVERYTHING_S
        while True:
            warm = False
            try:
                config = self._config()
                self._changes.notice(config, secrets=True)
                endpoints = all_endpoints(config)
                self._board.keep(endpoints)
                self._kinds.keep(endpoints)
                warm = self._look_for_warm(config)
                if since_all_s >= EVERYTHING_S:
                    since_all_s = since_tick_s = 0.0
                    self._look_at(endpoints, PROBE_S)
                elif since_tick_s >= TICK_S:
                    since_tick_s = 0.0
                    down = {key: one for key, one in endpoints.items() if self._is_down(one)}
                    self._look_at(down, PROBE_S)
            except Exception:
                if not self._stop.is_set():
                    _log.exception("Looking after the endpoints failed; trying again")
            pause_s = WARM_TICK_S if warm else TICK_S
            if self._stop.wait(pause_s):
                return
            since_all_s += pause_s
            since_tick_s += pause_s

    def _is_down(self, endpoint: EndpointConfig) -> bool:
        """So looked at often: a look costs no call, and finds out soon when it is back."""
        return self._rotation.view(endpoint).state in (State.OPEN, State.HALF_OPEN)

    def _look_for_warm(self, config: Config) -> bool:
        """Ask who has which model in memory, where a role goes by that; whether any does."""
        endpoints = {
            one.id: one
            for role in config.models.values()
            if role.strategy == "warm_first"
            for one in role.endpoints
            if not one.off and self._kinds.known(one) == "ollama" and not self._is_down(one)
        }
        self._for_each(endpoints, self._ask_warm)
        return any(role.strategy == "warm_first" for role in config.models.values())

    def _ask_warm(self, endpoint: EndpointConfig) -> None:
        models = resident(self._http, endpoint, PROBE_S, self._stop)
        self._rotation.resident(endpoint.id, models)

    def _look_at(self, endpoints: Mapping[str, EndpointConfig], timeout_s: float) -> None:
        awake = {key: one for key, one in endpoints.items() if not one.disabled}
        self._for_each(awake, lambda one: self._look(one, timeout_s))

    def _for_each(
        self, endpoints: Mapping[str, EndpointConfig], work: Callable[[EndpointConfig], None]
    ) -> None:
        if endpoints:
            with ThreadPoolExecutor(min(len(endpoints), PROBES_AT_ONCE), "probe") as pool:
                list(pool.map(work, endpoints.values()))

    def _look(self, endpoint: EndpointConfig, timeout_s: float) -> None:
        found = look(self._http, self._kinds, endpoint, timeout_s, self._stop)
        self._board.found[endpoint.id] = found
        if not found.reachable:
            fault = FAULTS[found.error]
            if fault.absent and found.proves:
                self._rotation.lost(endpoint.id, fault.effect, found.message, fault.base_s)
            return
        wanted = {entry.model for entry in self._config().models.values()}
        having = {model for model in wanted if found.has(model)}
        # Only Ollama's list is sure to be whole; others load or accept models that they don't list.
        missing = wanted - having if found.kind == "ollama" else set[str]()
        self._rotation.found(endpoint.id, having, missing)

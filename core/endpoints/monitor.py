"""Looks after all endpoints: asks them in the background and on demand, and tells their status."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from core.cancel import Cancel
from core.config import Config, EndpointConfig, RoleConfig
from core.endpoints.faults import FAULTS
from core.endpoints.health import State
from core.endpoints.http import Http
from core.endpoints.kinds import Kinds
from core.endpoints.probe import Found, look
from core.endpoints.rotation import Rotation, View
from core.endpoints.values import EndpointStatus, RoleStatus
from core.events import ROLES, Role

TICK_S = 5.0
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
        *,
        has_builtin: bool,
    ) -> None:
        self._config = config
        self._http = http
        self._kinds = kinds
        self._rotation = rotation
        self._has_builtin = has_builtin
        self._found: dict[str, Found] = {}
        self._stop = Cancel()
        self._thread: threading.Thread | None = None

    def probe(self, timeout_s: float) -> tuple[RoleStatus, ...]:
        """Ask every endpoint at once; the status after that."""
        self._look_at(_all_endpoints(self._config()), timeout_s)
        return self.status()

    def status(self) -> tuple[RoleStatus, ...]:
        """Every role's endpoints as last seen."""
        config = self._config()
        builtin = self._has_builtin and config.embedded == "auto"
        return tuple(self._role_status(role, config.role(role), builtin) for role in ROLES)

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
        since_all_s = EVERYTHING_S
        while True:
            try:
                endpoints = _all_endpoints(self._config())
                if since_all_s >= EVERYTHING_S:
                    since_all_s = 0.0
                else:
                    endpoints = {u: e for u, e in endpoints.items() if self._is_down(u)}
                self._look_at(endpoints, PROBE_S)
            except Exception:
                if not self._stop.is_set():
                    _log.exception("Looking after the endpoints failed; trying again")
            if self._stop.wait(TICK_S):
                return
            since_all_s += TICK_S

    def _is_down(self, url: str) -> bool:
        """So looked at often: a look costs no call, and finds out soon when it is back."""
        return self._rotation.view(url).state in (State.OPEN, State.HALF_OPEN)

    def _look_at(self, endpoints: dict[str, EndpointConfig], timeout_s: float) -> None:
        if not endpoints:
            return
        with ThreadPoolExecutor(min(len(endpoints), PROBES_AT_ONCE), "probe") as pool:
            list(pool.map(lambda one: self._look(one, timeout_s), endpoints.values()))

    def _look(self, endpoint: EndpointConfig, timeout_s: float) -> None:
        url = endpoint.url
        found = look(self._http, self._kinds, url, endpoint.kind, timeout_s, self._stop)
        self._found[url] = found
        if not found.reachable:
            fault = FAULTS[found.error]
            if fault.absent:
                self._rotation.lost(url, fault.effect, found.message, fault.base_s)
            return
        wanted = {entry.model for entry in self._config().models.values()}
        having = {model for model in wanted if found.has(model)}
        # Only Ollama's list is sure to be whole; others load or accept models that they don't list.
        missing = wanted - having if found.kind == "ollama" else set[str]()
        self._rotation.found(url, having, missing)

    def _role_status(self, role: Role, entry: RoleConfig, builtin: bool) -> RoleStatus:
        rows = [self._endpoint_status(endpoint, entry.model) for endpoint in entry.endpoints]
        obstacles = [self._obstacle(endpoint.url, entry.model) for endpoint in entry.endpoints]
        unserved = all(obstacles)
        return RoleStatus(
            role=role,
            model=entry.model,
            endpoints=tuple(rows),
            served_by_builtin=unserved and builtin,
            why="; ".join(obstacles) if unserved else "",
        )

    def _obstacle(self, url: str, model: str) -> str:
        """Why the endpoint would not be the one to serve the model, '' when it would."""
        found, view = self._found.get(url), self._rotation.view(url)
        if view.opened:
            return view.message
        if found and found.error and FAULTS[found.error].absent:
            return found.message
        if self._rotation.passed_over(url, model):
            return f"{url} does not have {model}"
        return ""

    def _endpoint_status(
        self, endpoint: EndpointConfig, model: str
    ) -> tuple[EndpointStatus, bool | None, str]:
        found = self._found.get(endpoint.url)
        view = self._rotation.view(endpoint.url)
        has = found.has(model) if found else None
        status = EndpointStatus(
            url=endpoint.url,
            kind=self._kinds.known(endpoint.url, endpoint.kind),
            state=view.state.value,
            reachable=found.reachable if found else None,
            models=found.models if found else (),
            message=view.message or (found.message if found else ""),
            in_flight=view.in_flight,
            cooldown_s=view.cooldown_s,
            calls=view.calls,
            failures=view.failures,
        )
        return status, has, _mend(status, view, has, model)


def _mend(status: EndpointStatus, view: View, has: bool | None, model: str) -> str:
    if has is False:
        if status.kind == "ollama":
            return f"ollama pull {model}"
        return f"load {model} there, or name one that it lists"
    return status.message if view.opened else ""


def _all_endpoints(config: Config) -> dict[str, EndpointConfig]:
    entries = config.models.values()
    return {endpoint.url: endpoint for entry in entries for endpoint in entry.endpoints}

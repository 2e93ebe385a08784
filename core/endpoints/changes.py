"""What a changed configuration, or a changed key, means for what is known of the endpoints."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable

from core.config import Config, EndpointConfig
from core.endpoints.figures import Ledger
from core.endpoints.http import Http
from core.endpoints.rotation import Rotation
from core.endpoints.secrets import access
from core.errors import EndpointError
from core.events import ROLES


class Changes:
    """Compares each configuration with the one before it. Thread-safe."""

    def __init__(
        self, current: Callable[[], Config], http: Http, rotation: Rotation, ledger: Ledger
    ) -> None:
        self._current = current
        self._http = http
        self._rotation = rotation
        self._ledger = ledger
        self._one_at_a_time = threading.Lock()
        self._config: Config | None = None
        self._endpoints: dict[str, EndpointConfig] = {}
        self._marks: dict[str, bytes] = {}

    def notice(self, config: Config, *, secrets: bool = False) -> None:
        """Give endpoints whose settings changed another chance, and forget those that left.

        `config` is what the caller goes by, and `secrets` has keys compared too, which reads files.
        """
        if config is self._config and not secrets:
            return
        with self._one_at_a_time:
            # The caller may be late, with a configuration from before the one noticed last.
            self._compare(self._current(), secrets)

    def _compare(self, config: Config, secrets: bool) -> None:
        endpoints = all_endpoints(config)
        marks = {key: _mark(one) for key, one in endpoints.items()} if secrets else {}
        before, marked = self._endpoints, self._marks
        self._config, self._endpoints = config, endpoints
        if secrets:
            self._marks = marks
        for key, one in endpoints.items():
            rekeyed = key in marks and key in marked and marks[key] != marked[key]
            if rekeyed or (key in before and before[key] != one):
                self._rotation.mended(key)
        self._rotation.keep(endpoints)
        self._http.tidy()
        self._ledger.keep([*endpoints, *ROLES])


def all_endpoints(config: Config) -> dict[str, EndpointConfig]:
    """Every endpoint of every role, by id; the first role's entry where several have it."""
    found: dict[str, EndpointConfig] = {}
    for entry in config.models.values():
        for endpoint in entry.endpoints:
            found.setdefault(endpoint.id, endpoint)
    return found


def _mark(endpoint: EndpointConfig) -> bytes:
    """Changes with the endpoint's secrets, and says nothing about them."""
    try:
        secrets = access(endpoint).secrets
    except EndpointError:
        return b""
    return hashlib.sha256("\n".join(secrets).encode()).digest()

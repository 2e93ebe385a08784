"""Which protocol an endpoint of kind `auto` speaks: asked once, then remembered."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from dataclasses import replace
from typing import Any, Literal

from core.cancel import Cancel
from core.config import EndpointConfig
from core.endpoints import faults
from core.endpoints.http import Http
from core.endpoints.secrets import hide
from core.endpoints.stream import Deadlines
from core.errors import EndpointError

Kind = Literal["ollama", "openai"]
PROBE_S = 5.0


class Kinds:
    """Remembers each endpoint's kind. Thread-safe: two threads may ask twice, to the same end."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._known: dict[str, Kind] = {}

    def known(self, endpoint: EndpointConfig) -> str:
        """The kind as configured, or as found earlier, or 'auto'."""
        kind = endpoint.kind
        return kind if kind != "auto" else self._known.get(endpoint.id, "auto")

    def resolve(self, endpoint: EndpointConfig, cancel: Cancel, limits: Deadlines) -> Kind:
        """The kind; raises EndpointError when nobody answers or what answers is neither.

        `limits` are the call's: its total limit is for both questions that may have to be asked.
        """
        if endpoint.kind != "auto":
            return endpoint.kind
        known = self._known.get(endpoint.id)
        if known is None:
            try:
                known = self._known[endpoint.id] = self._ask(endpoint, cancel, limits)
            except EndpointError as error:
                hide(error, endpoint)
                raise
        return known

    def forget(self, endpoint: EndpointConfig) -> None:
        """The endpoint turned out to lack that API; ask again next time."""
        self._known.pop(endpoint.id, None)

    def keep(self, known: Collection[str]) -> None:
        """Forget all endpoints but these."""
        for identity in [one for one in list(self._known) if one not in known]:
            self._known.pop(identity, None)

    def _ask(self, endpoint: EndpointConfig, cancel: Cancel, limits: Deadlines) -> Kind:
        limits = replace(limits, first_byte_s=min(PROBE_S, limits.first_byte_s))
        began = time.monotonic()

        def get(path: str) -> tuple[int, bytes]:
            return self._http.fetch(endpoint, path, limits=limits.since(began), cancel=cancel)

        status, body = get("/api/version")
        if status == 200 and "version" in _object(body):
            return "ollama"
        if 300 <= status < 400:
            # Worth saying where to: the POST would be refused with the same address.
            return "openai"
        status, body = get("/v1/models")
        if status in (401, 403, 429, 503) or isinstance(_object(body).get("data"), list):
            return "openai"
        if status == 200:
            raise faults.not_a_reply(endpoint.url, body)
        raise faults.status_error(endpoint.url, "", status, body, {})


def _object(body: bytes) -> dict[str, Any]:
    try:
        plain = json.loads(body)
    except ValueError:
        return {}
    return plain if isinstance(plain, dict) else {}

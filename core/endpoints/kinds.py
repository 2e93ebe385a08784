"""Which protocol an endpoint of kind `auto` speaks: asked once, then remembered."""

from __future__ import annotations

import json
from typing import Any, Literal

from core.cancel import Cancel
from core.endpoints import faults
from core.endpoints.http import Http

Kind = Literal["ollama", "openai"]
PROBE_S = 5.0


class Kinds:
    """Remembers the kind of each URL. Thread-safe: two threads may ask twice, to the same end."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._known: dict[str, Kind] = {}

    def known(self, url: str, kind: str) -> str:
        """The kind as configured, or as found earlier, or 'auto'."""
        return kind if kind != "auto" else self._known.get(url, "auto")

    def resolve(self, url: str, kind: str, cancel: Cancel, timeout_s: float = PROBE_S) -> Kind:
        """The kind; raises EndpointError when nobody answers or what answers is neither."""
        if kind != "auto":
            return "ollama" if kind == "ollama" else "openai"
        known = self._known.get(url)
        if known is None:
            known = self._known[url] = self._ask(url, cancel, timeout_s)
        return known

    def forget(self, url: str) -> None:
        """The endpoint turned out to lack that API; ask again next time."""
        self._known.pop(url, None)

    def _ask(self, url: str, cancel: Cancel, timeout_s: float) -> Kind:
        status, body = self._http.fetch(url, "/api/version", timeout_s=timeout_s, cancel=cancel)
        if status == 200 and "version" in _object(body):
            return "ollama"
        if 300 <= status < 400:
            # Worth saying where to: the POST would be refused with the same address.
            return "openai"
        status, body = self._http.fetch(url, "/v1/models", timeout_s=timeout_s, cancel=cancel)
        if status in (401, 403, 429, 503) or isinstance(_object(body).get("data"), list):
            return "openai"
        if status == 200:
            raise faults.not_a_reply(url, body)
        raise faults.status_error(url, "", status, body, {})


def _object(body: bytes) -> dict[str, Any]:
    try:
        plain = json.loads(body)
    except ValueError:
        return {}
    return plain if isinstance(plain, dict) else {}

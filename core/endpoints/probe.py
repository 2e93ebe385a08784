"""A look at an endpoint: does it answer, what does it speak, which models has it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from core.cancel import Cancel
from core.config import EndpointConfig
from core.endpoints import faults
from core.endpoints.http import Http
from core.endpoints.kinds import Kinds
from core.endpoints.names import canonical, has_model
from core.endpoints.secrets import hide
from core.endpoints.stream import Deadlines
from core.endpoints.wire import count_of
from core.errors import EndpointError


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a look found. `error` is a class of faults.FAULTS, '' when it answered.

    `any_name`: the server serves its one model whatever name it is asked for (llama.cpp).
    """

    kind: str
    models: tuple[str, ...] = ()
    any_name: bool = False
    error: str = ""
    message: str = ""

    @property
    def reachable(self) -> bool:
        """It answered as a model server does."""
        return not self.error

    @property
    def proves(self) -> bool:
        """Whether calls would fail as this look did. Gateways of OpenAI's kind often have no list
        of models, or none for this key, and serve all the same."""
        return not (self.kind == "openai" and self.error in ("forbidden", "no_such_api"))

    def has(self, model: str) -> bool | None:
        """Whether it has the model; None when it did not answer."""
        if not self.reachable:
            return None
        return self.any_name or has_model(self.models, model)


def look(
    http: Http, kinds: Kinds, endpoint: EndpointConfig, timeout_s: float, cancel: Cancel
) -> Found:
    """Ask for the list of models; never raises EndpointError.

    `timeout_s`, above 0, is for each silence: until it is connected, until a reply begins, within
    the reply. The whole look, of up to three requests, takes at most twice that.
    """
    url, limits, began = endpoint.url, Deadlines.all(timeout_s), time.monotonic()
    try:
        known = kinds.resolve(endpoint, cancel, limits)
        path = "/api/tags" if known == "ollama" else "/v1/models"
        status, body = http.fetch(endpoint, path, limits=limits.since(began), cancel=cancel)
        if status != 200:
            raise faults.status_error(url, "", status, body, {})
        entries = list(_entries(url, body, "models" if known == "ollama" else "data"))
    except EndpointError as error:
        hide(error, endpoint)
        known_kind = kinds.known(endpoint)
        return Found(kind=known_kind, error=error.error_class, message=error.message)
    key = "name" if known == "ollama" else "id"
    names = tuple(str(entry[key]) for entry in entries if entry.get(key))
    any_name = any(entry.get("owned_by") == "llamacpp" for entry in entries)
    return Found(kind=known, models=names, any_name=any_name)


def resident(
    http: Http, endpoint: EndpointConfig, timeout_s: float, cancel: Cancel
) -> dict[str, int]:
    """What an Ollama server has in memory: canonical name -> context in tokens, 0 unknown.

    Empty where that can't be had; never raises EndpointError. `timeout_s` as for `look`.
    """
    try:
        limits = Deadlines.all(timeout_s)
        status, body = http.fetch(endpoint, "/api/ps", limits=limits, cancel=cancel)
        entries = list(_entries(endpoint.url, body, "models")) if status == 200 else []
    except EndpointError:
        return {}
    return {
        canonical(str(one["name"])): count_of(one, "context_length")
        for one in entries
        if one.get("name")
    }


def _entries(url: str, body: bytes, key: str) -> Iterator[dict[str, Any]]:
    try:
        plain = json.loads(body)
        # Some give the bare list, and Go writes an empty one as null.
        entries = plain if isinstance(plain, list) else plain[key] or []
    except (ValueError, KeyError, TypeError) as error:
        raise faults.not_a_reply(url, body) from error
    yield from (entry for entry in entries if isinstance(entry, dict))

"""POST /api/pull: Ollama fetches a model and tells how far it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from core.cancel import Cancel
from core.config import EndpointConfig
from core.endpoints import faults
from core.endpoints.http import Http
from core.endpoints.stream import Deadlines, Stream
from core.endpoints.wire import count_of
from core.errors import BadReply, EndpointError

IDLE_S = 600.0  # Ollama says nothing while it verifies a large layer
LIMITS = Deadlines(connect_s=5.0, first_byte_s=IDLE_S, idle_s=IDLE_S, total_s=7 * 86400.0)
# A pull of many hours says more than one reply may hold; asked again, Ollama goes on where it was.
ROUNDS = 20
STATUS_CHARACTERS = 120

# Ollama's word for what it does, bytes that are there and bytes of all layers named so far.
Told = Callable[[str, int, int], None]


def pull(
    http: Http,
    endpoint: EndpointConfig,
    model: str,
    *,
    limits: Deadlines,
    cancel: Cancel,
    told: Told,
) -> None:
    """Return when the server says `success`. Raises EndpointError or Cancelled."""
    layers = _Layers()
    body = {"model": model, "stream": True}
    left = ROUNDS
    while True:
        left -= 1
        try:
            with http.stream(
                endpoint, "/api/pull", json=body, deadlines=limits, cancel=cancel
            ) as stream:
                _follow(stream, endpoint.url, model, layers, cancel, told)
                return
        except EndpointError as error:
            if error.error_class != "too_large" or not left:
                raise


class _Layers:
    """Done and total by digest: layers come interleaved, and a line may leave either out."""

    def __init__(self) -> None:
        self._sizes: dict[str, tuple[int, int]] = {}

    def take(self, said: dict[str, Any]) -> None:
        digest = said.get("digest")
        if isinstance(digest, str):
            done, total = self._sizes.get(digest, (0, 0))
            total = count_of(said, "total") or total
            done = min(count_of(said, "completed") or done, total)
            self._sizes[digest] = (done, total)

    @property
    def sums(self) -> tuple[int, int]:
        sizes = self._sizes.values()
        return sum(done for done, _ in sizes), sum(total for _, total in sizes)


def _follow(
    stream: Stream, url: str, model: str, layers: _Layers, cancel: Cancel, told: Told
) -> None:
    if stream.status != 200:
        raise faults.status_error(url, model, stream.status, stream.body(), stream.headers)
    for line in stream.lines():
        cancel.check()
        stream.hold()
        if not line:
            continue
        said = _said(url, line)
        layers.take(said)
        status = str(said.get("status", ""))[:STATUS_CHARACTERS]
        told(status, *layers.sums)
        if status == "success":
            stream.finish()
            return
    raise BadReply(url, "unfinished", f"{url} ended the pull of {model} without `success`", 200)


def _said(url: str, line: bytes) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError as error:
        raise faults.malformed(url, line) from error
    if not isinstance(said, dict):
        raise faults.malformed(url, line)
    if said.get("error"):
        words = faults.error_words(said)[:300]
        raise BadReply(url, "stream_error", f"{url} could not pull it: {words}", 200)
    return said

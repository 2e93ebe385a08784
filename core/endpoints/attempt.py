"""One request to one endpoint, from its JSON to a whole reply."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.cancel import Cancel
from core.config import EndpointConfig
from core.endpoints import faults
from core.endpoints.http import Http
from core.endpoints.kinds import Kind, Kinds
from core.endpoints.ollama import OllamaWire
from core.endpoints.openai import OpenAIWire
from core.endpoints.stream import Deadlines, Stream
from core.endpoints.values import Reply, Request, Watcher
from core.endpoints.wire import Chunk, Wire
from core.errors import EndpointError, StreamInterrupted

# A server that read less than this share of the estimated prompt has cut it.
TRUNCATED_BELOW = 0.6

_WIRES: dict[Kind, Wire] = {"ollama": OllamaWire(), "openai": OpenAIWire()}
_log = logging.getLogger("core.endpoints")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a request goes. `context_size` in tokens is what an Ollama server is told to use.

    `continues`: it goes on from a last message that is the reply's beginning.
    """

    endpoint: EndpointConfig
    model: str
    context_size: int
    keep_alive: str | int
    continues: bool = False


def send(
    http: Http,
    kinds: Kinds,
    target: Target,
    request: Request,
    *,
    deadlines: Deadlines,
    watcher: Watcher,
    cancel: Cancel,
    accepted: Callable[[], None] = lambda: None,
) -> Reply:
    """The reply, its tokens given to `watcher` as they come; `accepted` is told of the first.

    A server that refuses a parameter, like thinking, is asked again without. Raises EndpointError,
    or StreamInterrupted when a token had been given already, or Cancelled.
    """
    began = time.monotonic()
    begin = request.begin if target.continues else ""
    request = request.begun() if begin else request
    try:
        kind = kinds.resolve(target.endpoint, cancel, deadlines)
    except EndpointError:
        _announce(target, request, target.context_size, watcher)
        raise
    context_size = target.context_size if kind == "ollama" else 0
    _announce(target, request, context_size, watcher)
    reading = _Reading(watcher, began, accepted, begin)
    try:
        _read(http, kind, target, request, reading, deadlines.since(began), cancel)
    except EndpointError as error:
        if error.error_class == "no_such_api":
            kinds.forget(target.endpoint)
        if not reading.text:
            raise
        url, partial = target.endpoint.url, "".join(reading.text)
        raise StreamInterrupted(url, error.error_class, error.message, partial) from error
    reply = reading.reply(target, request, context_size)
    _log.info("✓ Generated %d characters from %s", len(reply.text), target.endpoint.url)
    return reply


def _read(
    http: Http,
    kind: Kind,
    target: Target,
    request: Request,
    reading: _Reading,
    deadlines: Deadlines,
    cancel: Cancel,
) -> None:
    """Read the reply; what the server turns out not to know is left out and asked again."""
    began, wire = time.monotonic(), _WIRES[kind]
    context_size = target.context_size if kind == "ollama" else 0
    body: dict[str, Any] | None = wire.body(request, target.model, context_size, target.keep_alive)
    while body is not None:
        try:
            left = deadlines.since(began)
            with http.stream(
                target.endpoint, wire.path, json=body, deadlines=left, cancel=cancel
            ) as stream:
                _check_status(stream, target.model)
                for chunk in wire.chunks(stream, target.model):
                    reading.take(chunk, stream)
                stream.finish()
            return
        except EndpointError as error:
            refused = error.error_class == "bad_request" and not reading.begun
            body = wire.simpler(body, error.message) if refused else None
            if body is None:
                raise


class _Reading:
    """A reply so far; the watcher is told `begin` before what the server says."""

    def __init__(
        self, watcher: Watcher, began: float, accepted: Callable[[], None], begin: str
    ) -> None:
        self._begin = begin
        self._watcher = watcher
        self._accepted = accepted
        self._began = began
        self._first_token_s: float | None = None
        self._thinking: list[str] = []
        self._end = Chunk()
        self._tokens = (0, 0)
        self.text: list[str] = []

    @property
    def begun(self) -> bool:
        """Whether a token came."""
        return self._first_token_s is not None

    def take(self, chunk: Chunk, stream: Stream) -> None:
        """Note a chunk and pass its text on."""
        if chunk.text or chunk.thinking:
            stream.hold()
            if self._first_token_s is None:
                self._first_token_s = time.monotonic() - self._began
                self._accepted()
        if chunk.thinking:
            self._thinking.append(chunk.thinking)
        if chunk.finish:
            self._end = chunk
        tokens_in, tokens_out = self._tokens
        self._tokens = (chunk.tokens_in or tokens_in, chunk.tokens_out or tokens_out)
        if chunk.text:
            self._watcher.token(chunk.text if self.text else self._begin + chunk.text)
            self.text.append(chunk.text)

    def reply(self, target: Target, request: Request, context_size: int) -> Reply:
        """The whole reply; `attempts` are the caller's to add."""
        seconds = time.monotonic() - self._began
        tokens_in, tokens_out = self._tokens
        return Reply(
            text="".join(self.text),
            begun=self._begin,
            model=target.model,
            endpoint=target.endpoint.url,
            tokens_in=tokens_in,
            tokens_out=tokens_out,
            first_token_s=seconds if self._first_token_s is None else self._first_token_s,
            seconds=seconds,
            finish_reason=self._end.finish,
            thinking="".join(self._thinking),
            attempts=(),
            context_size=context_size,
            prompt_truncated=_overfull(request, context_size)
            and 0 < tokens_in < TRUNCATED_BELOW * request.tokens_estimated,
        )


def _announce(target: Target, request: Request, context_size: int, watcher: Watcher) -> None:
    _log.info("Generating with model '%s' at %s...", target.model, target.endpoint.url)
    if _overfull(request, context_size):
        _log.warning(
            "About %d prompt tokens and %d for the reply don't fit %s's context of %d; "
            "raise num_ctx for it in the config",
            request.tokens_estimated,
            request.max_tokens,
            target.model,
            context_size,
        )
    watcher.sent(
        model=target.model,
        endpoint=target.endpoint.url,
        characters=request.characters,
        prompt_tokens_estimated=request.tokens_estimated,
        context_size=context_size,
    )


def _overfull(request: Request, context_size: int) -> bool:
    return 0 < context_size < request.tokens_estimated + request.max_tokens


def _check_status(stream: Stream, model: str) -> None:
    if stream.status in (200, 201):  # some frameworks answer every POST with 201
        if stream.headers.get("content-type", "").lower().startswith("text/html"):
            raise faults.not_a_reply(stream.endpoint, b"<")
        return
    try:
        body = stream.body()
    except EndpointError:
        body = b""  # the status says enough
    raise faults.status_error(stream.endpoint, model, stream.status, body, stream.headers)

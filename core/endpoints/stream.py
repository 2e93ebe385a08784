"""A reply as it arrives: lines with limits on time and size."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import urllib3

from core.endpoints.connections import Exchange
from core.endpoints.translate import read_error, stop_error
from core.endpoints.watchdog import StopReason
from core.errors import AppError, BadReply, Cancelled, EndpointError

CHUNK_BYTES = 65536
LINE_LIMIT_BYTES = 8 * 1024 * 1024
REPLY_LIMIT_BYTES = 64 * 1024 * 1024
ERROR_BODY_LIMIT_BYTES = 64 * 1024
# How long a server that has said everything may take to end its reply, for the socket to be kept.
FINISH_S = 0.2

READ_ERRORS = (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """In seconds: to connect, to the first line of the reply, between lines, for the whole."""

    connect_s: float
    first_byte_s: float
    idle_s: float
    total_s: float

    @staticmethod
    def all(seconds: float) -> Deadlines:
        """The same limit for each phase, and twice that for the whole."""
        return Deadlines(
            connect_s=seconds, first_byte_s=seconds, idle_s=seconds, total_s=2 * seconds
        )

    def since(self, began: float) -> Deadlines:
        """What is left, of the limit for the whole, of what began then (time.monotonic)."""
        return replace(self, total_s=max(0.0, self.total_s - (time.monotonic() - began)))

    def of(self, reason: StopReason) -> float:
        """The limit whose end stops a request for this reason; 0 for a cancel."""
        return {
            "dns": self.connect_s,
            "connect": self.connect_s,
            "first_byte": self.first_byte_s,
            "idle": self.idle_s,
            "total": self.total_s,
            "cancel": 0.0,
        }[reason]


class Stream:
    """A reply whose headers have arrived; `raw` is urllib3's response."""

    def __init__(
        self,
        raw: Any,
        status: int,
        headers: Mapping[str, str],
        exchange: Exchange,
        deadlines: Deadlines,
    ) -> None:
        self._raw = raw
        self._exchange = exchange
        self._deadlines = deadlines
        self._held = False
        self.endpoint = exchange.endpoint
        self.status = status
        self.headers = headers

    def lines(self) -> Iterator[bytes]:
        """The body line by line, stripped; blank ones too. EndpointError when it breaks off.

        The limit for the first byte holds until the first `hold`, the idle limit from then on.
        """
        for line in split_lines(self._chunks(REPLY_LIMIT_BYTES), self.endpoint):
            yield line
            if self._held:
                self._held = False
                self._exchange.guard.limit("idle", self._deadlines.idle_s)

    def hold(self) -> None:
        """Tokens arrived: until the next line is asked for, only the total limit counts."""
        self._held = True
        self._exchange.guard.pause()

    def hurry(self, seconds: float) -> None:
        """Nothing that matters is still to come: wait at most `seconds` for the rest."""
        self._held = False
        self._exchange.guard.limit("idle", seconds)

    def body(self, limit_bytes: int = ERROR_BODY_LIMIT_BYTES) -> bytes:
        """The whole body, at most `limit_bytes` of it."""
        parts: list[bytes] = []
        size = 0
        for chunk in self._chunks(REPLY_LIMIT_BYTES):
            parts.append(chunk)
            size += len(chunk)
            if size >= limit_bytes:
                break
        return b"".join(parts)[:limit_bytes]

    def finish(self) -> None:
        """Read what little may be left, so that the connection can be used again."""
        self.hurry(FINISH_S)
        with contextlib.suppress(EndpointError, Cancelled):
            for _ in self._chunks(CHUNK_BYTES):
                pass

    def _failure(self, error: Exception | None) -> AppError:
        stopped = self._exchange.guard.stopped
        if stopped:
            return stop_error(self.endpoint, stopped, self._deadlines.of(stopped))
        return read_error(self.endpoint, error)

    def _chunks(self, limit_bytes: int) -> Iterator[bytes]:
        guard, size = self._exchange.guard, 0
        while True:
            try:
                chunk = self._raw.read1(CHUNK_BYTES, decode_content=True)
            except READ_ERRORS as error:
                raise self._failure(error) from error
            if guard.stopped:  # after a shutdown some bodies just seem to end
                raise self._failure(None)
            if not chunk:
                return
            size += len(chunk)
            if size > limit_bytes:
                message = f"{self.endpoint} sent a reply over {limit_bytes >> 20} MiB, stopped"
                raise BadReply(self.endpoint, "too_large", message, self.status)
            yield chunk


def split_lines(chunks: Iterator[bytes], endpoint: str = "") -> Iterator[bytes]:
    """Lines, stripped; only b"\\n" ends one, since JSON may hold other line ends."""
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        pieces = chunk.split(b"\n")
        for piece in pieces[:-1]:
            parts.append(piece)
            yield b"".join(parts).strip()
            parts, size = [], 0
        parts.append(pieces[-1])
        size += len(pieces[-1])
        if size > LINE_LIMIT_BYTES:
            raise BadReply(endpoint, "too_large", f"{endpoint} sent a line over 8 MiB, stopped")
    if size:
        yield b"".join(parts).strip()

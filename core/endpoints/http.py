"""HTTP to model servers: one request with its deadlines, its cancel and its secrets."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from urllib3 import BaseHTTPResponse

from core.cancel import Cancel
from core.config import EndpointConfig
from core.endpoints.connections import Exchange, under_way
from core.endpoints.pool import Pool
from core.endpoints.resolver import Resolver
from core.endpoints.secrets import Access, access, redact
from core.endpoints.stream import LINE_LIMIT_BYTES, READ_ERRORS, Deadlines, Stream
from core.endpoints.translate import find, send_error, stop_error
from core.endpoints.watchdog import Watchdog
from core.errors import EndpointError

UNUSED_S = 60.0


class Http:
    """One pool of connections per endpoint and way to trust it. Thread-safe."""

    def __init__(self, resolver: Resolver | None = None) -> None:
        self._watchdog = Watchdog()
        self._resolver = resolver or Resolver()
        self._lock = threading.Lock()
        self._pools: dict[tuple[str, bool, Path | None], Pool] = {}

    @contextlib.contextmanager
    def stream(
        self,
        endpoint: EndpointConfig,
        path: str,
        *,
        deadlines: Deadlines,
        cancel: Cancel,
        json: dict[str, Any] | None = None,
    ) -> Iterator[Stream]:
        """POST `json` (GET without) and give the reply; the socket closes if it isn't read whole.

        Raises Cancelled, Unreachable, NoReply or BadReply, without the endpoint's secrets; a status
        of 400 up is not an error here.
        """
        entry = access(endpoint)
        try:
            with self._exchange(endpoint, entry, path, json, deadlines, cancel) as stream:
                yield stream
        except EndpointError as error:
            redact(error, entry.secrets)
            raise

    @contextlib.contextmanager
    def _exchange(
        self,
        endpoint: EndpointConfig,
        entry: Access,
        path: str,
        json: dict[str, Any] | None,
        deadlines: Deadlines,
        cancel: Cancel,
    ) -> Iterator[Stream]:
        guard = self._watchdog.guard(deadlines.total_s)
        take_back = cancel.on_set(lambda: guard.stop("cancel"))
        exchange = Exchange(
            endpoint.url, guard, self._resolver, deadlines.connect_s, deadlines.first_byte_s
        )
        response: BaseHTTPResponse | None = None
        try:
            response = self._send(endpoint, exchange, entry, path, json, deadlines)
            yield Stream(response, response.status, response.headers, exchange, deadlines)
        finally:
            take_back()
            self._watchdog.dismiss(guard)
            if response is not None:
                if exchange.connection is not None:
                    exchange.connection.idle_since = time.monotonic()
                response.close()
                response.release_conn()

    def _send(
        self,
        endpoint: EndpointConfig,
        exchange: Exchange,
        entry: Access,
        path: str,
        json: dict[str, Any] | None,
        deadlines: Deadlines,
    ) -> BaseHTTPResponse:
        guard = exchange.guard
        while True:
            if guard.stopped:
                raise stop_error(exchange.endpoint, guard.stopped, deadlines.of(guard.stopped))
            try:
                with under_way(exchange):
                    return self._pool(endpoint).ask(path, entry.headers, json)
            except (EndpointError, *READ_ERRORS) as error:
                if guard.stopped:
                    continue
                if exchange.reused and not exchange.fresh and find(error, ConnectionError):
                    exchange.fresh = True  # a kept socket that the server had closed: dial anew
                    continue
                raise send_error(exchange.endpoint, error) from error

    def fetch(
        self, endpoint: EndpointConfig, path: str, *, limits: Deadlines, cancel: Cancel
    ) -> tuple[int, bytes]:
        """GET: status and body, of at most 8 MiB. Raises as `stream` does."""
        with self.stream(endpoint, path, deadlines=limits, cancel=cancel) as stream:
            return stream.status, stream.body(LINE_LIMIT_BYTES)

    def close(self) -> None:
        """Close every kept connection and end the deadline thread."""
        with self._lock:
            closing = list(self._pools.values())
            self._pools.clear()
        for pool in closing:
            pool.close()
        self._resolver.close()
        self._watchdog.close()

    def tidy(self) -> None:
        """Close the connections of endpoints that were not asked for a minute."""
        now = time.monotonic()
        with self._lock:
            old = [key for key, one in self._pools.items() if now - one.used_at > UNUSED_S]
            closing = [self._pools.pop(key) for key in old]
        for pool in closing:
            pool.close()  # calls under way end in peace

    def _pool(self, endpoint: EndpointConfig) -> Pool:
        key = (endpoint.id, endpoint.verify, endpoint.ca_file)
        with self._lock:
            pool = self._pools.get(key)
            if pool is None:
                pool = self._pools[key] = Pool(endpoint)
            pool.used_at = time.monotonic()
            return pool

"""HTTP to model servers: the only file that knows requests. No retries, proxies or redirects."""

from __future__ import annotations

import contextlib
import http.cookiejar
import threading
import time
from collections.abc import Iterator
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from core.cancel import Cancel
from core.endpoints.connections import POOLS, Exchange, under_way
from core.endpoints.stream import LINE_LIMIT_BYTES, READ_ERRORS, Deadlines, Stream
from core.endpoints.translate import find, send_error, stop_error
from core.endpoints.watchdog import Watchdog
from core.errors import EndpointError

POOL_SIZE = 128


class Http:
    """One pooled session per endpoint. Thread-safe."""

    def __init__(self) -> None:
        self._watchdog = Watchdog()
        self._lock = threading.Lock()
        self._sessions: dict[str, requests.Session] = {}

    @contextlib.contextmanager
    def stream(
        self,
        endpoint: str,
        path: str,
        *,
        deadlines: Deadlines,
        cancel: Cancel,
        json: dict[str, Any] | None = None,
    ) -> Iterator[Stream]:
        """POST `json` (GET without) and give the reply; the socket closes if it isn't read whole.

        Raises Cancelled, Unreachable, NoReply or BadReply; a status of 400 up is not an error here.
        """
        guard = self._watchdog.guard(deadlines.total_s)
        take_back = cancel.on_set(lambda: guard.stop("cancel"))
        exchange = Exchange(endpoint, guard, deadlines.connect_s, deadlines.first_byte_s)
        response: requests.Response | None = None
        try:
            response = self._send(exchange, path, json, deadlines)
            yield Stream(response.raw, response.status_code, response.headers, exchange, deadlines)
        finally:
            take_back()
            self._watchdog.dismiss(guard)
            if response is not None:
                if exchange.connection is not None:
                    exchange.connection.idle_since = time.monotonic()
                response.close()

    def fetch(
        self, endpoint: str, path: str, *, timeout_s: float, cancel: Cancel
    ) -> tuple[int, bytes]:
        """GET: status and body, of at most 8 MiB. Raises as `stream` does."""
        limits = Deadlines.all(timeout_s)
        with self.stream(endpoint, path, deadlines=limits, cancel=cancel) as stream:
            return stream.status, stream.body(LINE_LIMIT_BYTES)

    def close(self) -> None:
        """Close every kept connection and end the deadline thread."""
        with self._lock:
            sessions = list(self._sessions.values())
            self._sessions.clear()
        for session in sessions:
            session.close()
        self._watchdog.close()

    def _send(
        self, exchange: Exchange, path: str, json: dict[str, Any] | None, deadlines: Deadlines
    ) -> requests.Response:
        session = self._session(exchange.endpoint)
        guard = exchange.guard
        while True:
            if guard.stopped:
                raise stop_error(exchange.endpoint, guard.stopped, deadlines.of(guard.stopped))
            try:
                with under_way(exchange):
                    return session.request(
                        "GET" if json is None else "POST",
                        exchange.endpoint + path,
                        json=json,
                        stream=True,
                        allow_redirects=False,
                        timeout=None,  # the guard keeps time
                    )
            except (requests.RequestException, EndpointError, *READ_ERRORS) as error:
                if guard.stopped:
                    continue
                if exchange.reused and not exchange.fresh and find(error, ConnectionError):
                    exchange.fresh = True  # a kept socket that the server had closed: dial anew
                    continue
                raise send_error(exchange.endpoint, error) from error

    def _session(self, endpoint: str) -> requests.Session:
        with self._lock:
            session = self._sessions.get(endpoint)
            if session is None:
                session = self._sessions[endpoint] = _new_session()
            return session


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS


def _new_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no HTTP_PROXY, no .netrc
    session.headers["Accept-Encoding"] = "identity"
    session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    adapter = _Adapter(pool_connections=1, pool_maxsize=POOL_SIZE, max_retries=0)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session

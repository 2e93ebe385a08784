"""urllib3 connections whose socket a guard can shut down in every phase, dialling included."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from core.endpoints.resolver import Address, Resolver
from core.endpoints.watchdog import Guard
from core.errors import Unreachable

# uvicorn and LM Studio close kept sockets after 5 s of silence; we let go of them before that.
IDLE_SOCKET_S = 4.0
# By so much a guard's ring may be late before we stop waiting for it.
LATE_S = 1.0


class Exchange:
    """The request that this thread has under way, as its connection needs to know it."""

    def __init__(
        self,
        endpoint: str,
        guard: Guard,
        resolver: Resolver,
        connect_s: float,
        first_byte_s: float,
    ) -> None:
        self.endpoint = endpoint
        self.resolver = resolver
        self.guard = guard
        self.connect_s = connect_s
        self.first_byte_s = first_byte_s
        self.fresh = False
        self.reused = False
        self.connection: TrackedConnection | None = None


_under_way = threading.local()


@contextlib.contextmanager
def under_way(exchange: Exchange) -> Iterator[None]:
    """Tie `exchange` to the connection that urllib3 picks in this thread."""
    _under_way.exchange = exchange
    try:
        yield
    finally:
        _under_way.exchange = None


class TrackedConnection(HTTPConnection):
    """Hands its socket to the guard of the exchange that uses it."""

    guard: Guard | None = None
    idle_since = 0.0

    def _new_conn(self) -> socket.socket:
        return _dial(_under_way.exchange, self._dns_host, self.port)

    def connect(self) -> None:
        """Dial; from then on the wait for the first byte counts."""
        exchange: Exchange = _under_way.exchange
        self.idle_since = 0.0
        super().connect()
        exchange.guard.attach(self.sock)
        exchange.guard.limit("first_byte", exchange.first_byte_s)

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send, over a kept socket only when it is young enough to be alive."""
        exchange: Exchange = _under_way.exchange
        if self.guard is not None and self.guard is not exchange.guard:
            self.guard.detach()
        self.guard = exchange.guard
        exchange.connection = self
        kept = self.sock is not None and self.idle_since > 0
        if kept and (exchange.fresh or time.monotonic() - self.idle_since > IDLE_SOCKET_S):
            self.close()
            kept = False
        exchange.reused = kept
        if kept:
            exchange.guard.attach(self.sock)
            exchange.guard.limit("first_byte", exchange.first_byte_s)
        super().request(*args, **kwargs)
        self.idle_since = time.monotonic()


class TrackedTlsConnection(TrackedConnection, HTTPSConnection):
    """The same over TLS; a handshake can be stopped too."""

    def connect(self) -> None:
        """Dial and shake hands."""
        self._handle: socket.socket | None = None
        try:
            super().connect()
        finally:
            if self._handle is not None:
                self._handle.close()

    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        # Wrapping detaches the plain socket, so during the handshake the guard holds a duplicate.
        self._handle = sock.dup()
        _under_way.exchange.guard.attach(self._handle)
        return sock


def _dial(exchange: Exchange, host: str, port: int) -> socket.socket:
    url, guard = exchange.endpoint, exchange.guard
    addresses = _resolve(exchange, host.strip("[]"), port)
    guard.limit("connect", exchange.connect_s)
    failure: OSError | None = None
    for family, kind, protocol, _, address in addresses:
        if guard.stopped:
            break
        sock = socket.socket(family, kind, protocol)
        guard.attach(sock)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(exchange.connect_s)
            sock.connect(address)
            sock.settimeout(None)  # from here on the guard alone keeps time
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    exchange.resolver.forget(host.strip("[]"), port)
    raise _unreachable(url, exchange.connect_s, failure) from failure


def _resolve(exchange: Exchange, host: str, port: int) -> list[Address]:
    """The host's addresses; a lookup that hangs is left behind when the guard stops the wait."""
    guard = exchange.guard
    guard.limit("dns", exchange.connect_s)
    pending = exchange.resolver.begin(host, port)
    guard.awake(pending.done.set)
    try:
        pending.done.wait(exchange.connect_s + LATE_S)
    finally:
        guard.awake(None)
        exchange.resolver.give_up(host, port, pending)
    if not guard.stopped and not pending.addresses:
        message = f"Host {host} does not resolve; check its spelling in the config"
        raise Unreachable(exchange.endpoint, "dns", message) from pending.error
    return pending.addresses


def _unreachable(url: str, connect_s: float, failure: OSError | None) -> Unreachable:
    if isinstance(failure, ConnectionRefusedError):
        return Unreachable(
            url,
            "refused",
            f"Can't reach {url}: connection refused. Is the model server (`ollama serve`) running "
            "there and listening on that address (OLLAMA_HOST)?",
        )
    if isinstance(failure, TimeoutError):
        message = f"No answer from {url} in {connect_s:g} s (off, firewalled?)"
        return Unreachable(url, "connect_timeout", message)
    reason = (failure.strerror if failure else None) or "no address"
    return Unreachable(url, "no_route", f"Can't reach {url}: {reason.lower()}")


class _Pool(HTTPConnectionPool):
    ConnectionCls = TrackedConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = TrackedTlsConnection

    def _validate_conn(self, conn: Any) -> None:
        """Connect; urllib3's own warns each time where the user has said `verify: false`."""
        if conn.is_closed:
            conn.connect()


# By scheme.
POOLS: dict[str, type[HTTPConnectionPool]] = {"http": _Pool, "https": _TlsPool}

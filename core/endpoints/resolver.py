"""Host names to addresses, in threads of their own: nothing can interrupt a lookup that hangs."""

from __future__ import annotations

import ipaddress
import queue
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeAlias

Address: TypeAlias = tuple[int, int, int, str, Any]
Lookup: TypeAlias = Callable[[str, int], list[Address]]

THREADS = 4
CACHE_S = 30.0
CACHE_SIZE = 256


def _system(host: str, port: int) -> list[Address]:
    return socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)  # type: ignore[return-value]


def _literal(host: str, port: int) -> list[Address]:
    """An address that was written out needs nobody to look it up."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return []
    return _system(host, port)


class Pending:
    """A lookup under way: `done` is set when it ended, or when nobody waits for it any longer."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.addresses: list[Address] = []
        self.error: Exception | None = None


class Resolver:
    """Looks hosts up, each once at a time, and remembers what it found for 30 s. Thread-safe.

    At most 4 lookups hang at a time; others then wait until their own time is up.
    """

    def __init__(
        self, lookup: Lookup = _system, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lookup = lookup
        self._clock = clock
        self._lock = threading.Lock()
        self._work: queue.SimpleQueue[tuple[str, int] | None] = queue.SimpleQueue()
        self._threads = 0
        self._under_way: dict[tuple[str, int], list[Pending]] = {}
        self._known: OrderedDict[tuple[str, int], tuple[float, list[Address]]] = OrderedDict()

    def begin(self, host: str, port: int) -> Pending:
        """Start to look it up; the result may be there at once."""
        pending, key = Pending(), (host, port)
        pending.addresses = _literal(host, port)
        if pending.addresses:
            pending.done.set()
            return pending
        with self._lock:
            at, addresses = self._known.get(key, (-CACHE_S, []))
            if self._clock() - at < CACHE_S and addresses:
                pending.addresses = addresses
                pending.done.set()
                return pending
            waiting = self._under_way.setdefault(key, [])
            waiting.append(pending)
            if len(waiting) == 1:
                self._work.put(key)
                if self._threads < min(THREADS, len(self._under_way)):
                    self._threads += 1
                    threading.Thread(target=self._run, name="resolver", daemon=True).start()
        return pending

    def give_up(self, host: str, port: int, pending: Pending) -> None:
        """Nobody waits for this one any longer."""
        with self._lock:
            waiting = self._under_way.get((host, port), [])
            if pending in waiting and len(waiting) > 1:
                waiting.remove(pending)

    def forget(self, host: str, port: int) -> None:
        """No address of it could be reached: look it up anew next time."""
        with self._lock:
            self._known.pop((host, port), None)

    def close(self) -> None:
        """End the threads that don't hang."""
        with self._lock:
            for _ in range(self._threads):
                self._work.put(None)

    def _run(self) -> None:
        while True:
            key = self._work.get()
            if key is None:
                return
            self._resolve(key)

    def _resolve(self, key: tuple[str, int]) -> None:
        addresses: list[Address] = []
        failure: Exception | None = None
        try:
            addresses = self._lookup(*key)
        except (OSError, UnicodeError) as error:
            failure = error
        with self._lock:
            if addresses:
                self._known[key] = (self._clock(), addresses)
                while len(self._known) > CACHE_SIZE:
                    self._known.popitem(last=False)
            for pending in self._under_way.pop(key, []):
                pending.addresses, pending.error = addresses, failure
                pending.done.set()

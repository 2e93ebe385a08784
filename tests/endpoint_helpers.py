"""What the endpoint tests share: a watcher that records, a client that closes, raw servers."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.rotator_server import read_request
from core.cancel import Cancel
from core.config import Config, Timeouts
from core.endpoints import Builtin, Client, Message, Request
from core.endpoints import Reply as ModelReply
from core.events import Role

MODEL = "codellama"
HELLO = Request(messages=(Message(role="user", content="hello"),))


@dataclass
class Recorder:
    """A watcher that keeps everything, in order."""

    calls: list[tuple[str, Any]] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)

    def sent(self, **what: Any) -> None:
        self.calls.append(("sent", what))

    def token(self, text: str) -> None:
        self.calls.append(("token", text))
        self.arrived.set()

    def failed(self, **what: Any) -> None:
        self.calls.append(("failed", what))

    def of(self, kind: str) -> list[Any]:
        return [what for name, what in self.calls if name == kind]


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def config(*urls: str, model: str = MODEL, timeouts: Timeouts | None = None, **more: Any) -> Config:
    """Every role on the same endpoints, with deadlines that are short unless given."""
    limits = timeouts or Timeouts(connect_s=2, first_byte_s=10, idle_s=10, total_s=20)
    return Config.simple(urls[0], {"generator": (model, urls)}, timeouts=limits, **more)


@contextlib.contextmanager
def client_for(
    *urls: str, builtin: Builtin | None = None, clock: Clock | None = None, **more: Any
) -> Iterator[Client]:
    settings = config(*urls, **more)
    clocks = {"clock": clock} if clock else {}
    client = Client(lambda: settings, builtin=builtin, **clocks)
    try:
        yield client
    finally:
        client.close()


def ask(
    client: Client,
    role: Role = "generator",
    *,
    watcher: Recorder | None = None,
    cancel: Cancel | None = None,
    request: Request = HELLO,
) -> ModelReply:
    return client.chat(role, request, watcher=watcher or Recorder(), cancel=cancel or Cancel())


def dead_url() -> str:
    """An address of this machine where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{sock.getsockname()[1]}"


Handler = Callable[[socket.socket, "RawServer"], None]


class RawServer:
    """A TCP server: each connection goes to the next of `handlers`, the last one repeats.

    A handler gets the socket once a whole request was read (`greet` False: at once).
    """

    def __init__(self, handlers: Sequence[Handler], *, greet: bool = True) -> None:
        self._handlers = itertools.chain(handlers, itertools.repeat(handlers[-1]))
        self._greet = greet
        self.stopped = threading.Event()
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def __enter__(self) -> RawServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock, next(self._handlers)))
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, handler: Handler) -> None:
        with sock, contextlib.suppress(OSError):
            if self._greet and not read_request(sock):
                return
            handler(sock, self)


def drip(data: bytes, every_s: float = 0.05) -> Handler:
    """Send `data` over and over, one byte at a time."""

    def handle(sock: socket.socket, server: RawServer) -> None:
        for byte in itertools.cycle(data):
            sock.sendall(bytes([byte]))
            if server.stopped.wait(every_s):
                return

    return handle


def hang(sock: socket.socket, server: RawServer) -> None:
    """Say nothing."""
    server.stopped.wait()


def body_of(data: bytes, kind: str = "application/x-ndjson", close: bool = True) -> Handler:
    """A reply without a length, so that its end is the connection's."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n".encode()
    return saying(head + data)


def saying(*parts: bytes, pause_s: float = 0.0) -> Handler:
    """Send these bytes, part by part."""

    def handle(sock: socket.socket, server: RawServer) -> None:
        for part in parts:
            sock.sendall(part)
            server.stopped.wait(pause_s)

    return handle


def wait_for(
    happened: Callable[[], bool], timeout_s: float = 0.02, every_s: float = 0.0005
) -> bool:
    """Whether it happens within so many seconds."""
    end = time.monotonic() + timeout_s
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(every_s)
    return True

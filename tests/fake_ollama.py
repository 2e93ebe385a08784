"""A real HTTP server that speaks Ollama's native API and the OpenAI one, from a script.

    with FakeOllama(script=lambda body: "def add(a, b): return a + b") as server:
        ... server.url, server.chats, server.cancelled

The script gives the answer to each chat: a text or a `Reply`; a list is played in order and its
last entry repeats; a function gets the request's JSON.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from fake_wires import Reply, Seen, ndjson, sse

SEED_MODELS = ("llama3", "codellama", "qwen2.5-coder:14b", "tinyllama")
POLL_S = 0.01

__all__ = ["FakeOllama", "Reply", "Seen"]


Script = Sequence["Reply | str"] | Callable[[dict[str, Any]], "Reply | str"]


class _Gone(Exception):
    """The client closed its connection."""


class FakeOllama:
    """`models` may be changed while it runs. `ollama` or `openai` False: no such API.

    `refused` are paths that a GET gets this status for; `loaded` what is in memory, None for all.
    """

    def __init__(
        self,
        models: Sequence[str] = SEED_MODELS,
        script: Script = ("ok",),
        *,
        ollama: bool = True,
        openai: bool = True,
        refused: Mapping[str, int] | None = None,
        loaded: Sequence[str] | None = None,
        port: int = 0,
    ) -> None:
        self.models = list(models)
        self.script = script
        self.refused = dict(refused or {})
        self.loaded = loaded
        self.apis = {"api": ollama, "v1": openai}
        self.requests: list[Seen] = []
        self.cancelled: list[Seen] = []
        self.connections = 0
        self.changed = threading.Condition()
        self.stopped = threading.Event()
        self._turn = 0
        self._open: set[socket.socket] = set()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.fake = self
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_S,))
        self._thread.start()

    def __enter__(self) -> FakeOllama:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def chats(self) -> list[dict[str, Any]]:
        """The bodies of all chat requests."""
        ends = ("/api/chat", "/api/generate", "/v1/chat/completions")
        return [seen.body for seen in list(self.requests) if seen.path in ends and seen.body]

    def wait(self, happened: Callable[[], object], timeout_s: float = 5.0) -> bool:
        """Until `happened()` is true of this server; False when it takes too long."""
        with self.changed:
            return self.changed.wait_for(lambda: bool(happened()), timeout_s)

    def note(self, seen: Seen, *, cancelled: bool = False) -> None:
        with self.changed:
            (self.cancelled if cancelled else self.requests).append(seen)
            self.changed.notify_all()

    def answer(self, body: dict[str, Any]) -> Reply:
        with self.changed:
            turn, self._turn = self._turn, self._turn + 1
        script = self.script
        reply = script(body) if callable(script) else script[min(turn, len(script) - 1)]
        return Reply(text=reply) if isinstance(reply, str) else reply

    def has(self, model: str) -> bool:
        return _full(model) in map(_full, self.models)

    def wrap(self, context: ssl.SSLContext) -> None:
        """Speak TLS from now on; a handshake that fails only costs its connection."""
        self._server.tls = context

    def drop_connections(self) -> None:
        """Close every connection, kept ones too, as a restarted server does."""
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if not self.stopped.is_set():
            self.stopped.set()
            self._server.shutdown()
            self.drop_connections()
            self._server.server_close()
            self._thread.join()


def _full(model: str) -> str:
    return (model if ":" in model else f"{model}:latest").lower()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128
    fake: FakeOllama
    tls: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.tls is None:
            return super().finish_request(request, client_address)
        with self.tls.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)
        return None

    def handle_error(self, *_: object) -> None:
        """A client that leaves is no error here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.fake = self.server.fake
        with self.fake.changed:
            self.fake.connections += 1
        self.fake._open.add(self.connection)
        if self.fake.stopped.is_set():
            self.connection.shutdown(socket.SHUT_RDWR)

    def finish(self) -> None:
        self.fake._open.discard(self.connection)
        super().finish()

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._seen(None)
        models = self.fake.models
        if self.path == "/api/ps" and self.fake.loaded is not None:
            models = list(self.fake.loaded)
        if self.path in self.fake.refused:
            return self._json(self.fake.refused[self.path], {"error": "not for this key"})
        match self.path if self._speaks() else "":
            case "/":
                self._send(200, b"Ollama is running", "text/plain; charset=utf-8")
            case "/api/version":
                self._json(200, {"version": "0.33.0"})
            case "/api/tags" | "/api/ps":
                rows = [{"name": _full(m), "model": _full(m), "size": 1 << 30} for m in models]
                self._json(200, {"models": rows})
            case "/v1/models":
                rows = [{"id": m, "object": "model", "owned_by": "library"} for m in models]
                self._json(200, {"object": "list", "data": rows})
            case _:
                self._send(404, b"404 page not found", "text/plain")
        return None

    do_HEAD = do_GET

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        seen = self._seen(body)
        known = ("/api/chat", "/api/generate", "/api/show", "/v1/chat/completions")
        if not self._speaks() or self.path not in known:
            return self._send(404, b"404 page not found", "text/plain")
        if not self.fake.has(body["model"]):
            message = f"model '{body['model']}' not found"
            flat = not self.path.startswith("/v1")
            return self._json(404, {"error": message if flat else {"message": message}})
        if self.path == "/api/show":
            return self._json(200, {"details": {}, "capabilities": ["completion"]})
        try:
            self._play(self.fake.answer(body), body)
        except (_Gone, OSError):
            self.close_connection = True
            if not self.fake.stopped.is_set():
                self.fake.note(seen, cancelled=True)

    def _seen(self, body: dict[str, Any] | None) -> Seen:
        seen = Seen(self.path, body, dict(self.headers))
        self.fake.note(seen)
        return seen

    def _speaks(self) -> bool:
        return self.fake.apis.get(self.path.split("/")[1], True)

    def _play(self, reply: Reply, body: dict[str, Any]) -> None:
        if reply.hang == "headers":
            self._wait(None)
        if reply.raw is not None or reply.status != 200:
            plain = json.dumps({"error": reply.error}).encode()
            return self._send(
                reply.status, plain if reply.raw is None else reply.raw, reply.content_type, reply
            )
        is_sse = self.path == "/v1/chat/completions"
        lines = (sse if is_sse else ndjson)(reply, body, self.path)
        self.send_response(200)
        kind = "text/event-stream" if is_sse else "application/x-ndjson"
        self.send_header("Content-Type", reply.content_type or kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if reply.hang == "body":
            self._wait(None)
        for number, (is_end, line) in enumerate(lines):
            if is_end and reply.hang == "middle":
                self._wait(None)
            if is_end and reply.cut:
                self.close_connection = True
                return None
            if not is_end and number >= reply.free:
                self._wait(reply.pause)
            self._chunk(line)
        self._chunk(b"")
        return None

    def _wait(self, pause: float | threading.Event | None) -> None:
        """Pause, for ever when None, but notice at once when the client leaves."""
        event = pause if isinstance(pause, threading.Event) else threading.Event()
        left_s = pause if isinstance(pause, float | int) else float("inf")
        while True:
            if select.select([self.connection], [], [], 0)[0]:
                raise _Gone
            if left_s <= 0 or event.wait(min(POLL_S, left_s)):
                return
            left_s -= POLL_S
            if self.fake.stopped.is_set():
                raise _Gone

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _json(self, status: int, plain: Any) -> None:
        self._send(status, json.dumps(plain).encode(), "application/json; charset=utf-8")

    def _send(self, status: int, body: bytes, kind: str, reply: Reply | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind or "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (reply.headers if reply else {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

"""A model server that can be told to pull: half of it at once, the rest when the gate opens."""

from __future__ import annotations

import json
import threading
from typing import Any

import fake_ollama
from fake_ollama import FakeOllama

TOTAL = 4_000_000_000


class PullingOllama(FakeOllama):
    """Lacks what is not in `models`, until it was pulled. `refuse` is the error it ends with."""

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.gate = threading.Event()
        self.refuse = ""
        self.pulled: list[str] = []
        self._server.RequestHandlerClass = _Handler

    def close(self) -> None:
        self.gate.set()
        super().close()


class _Handler(fake_ollama._Handler):
    fake: PullingOllama

    def do_POST(self) -> None:
        if self.path != "/api/pull":
            return super().do_POST()
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        layer = {"status": "pulling aaaa", "digest": "sha256:aaaa", "total": TOTAL}
        self.say({"status": "pulling manifest"})
        self.say({**layer, "completed": TOTAL // 2})
        try:
            self._wait(self.fake.gate)
        except fake_ollama._Gone:
            self.close_connection = True
            return None
        if self.fake.refuse:
            self.say({"error": self.fake.refuse})
        else:
            self.fake.models.append(body["model"])
            self.fake.pulled.append(body["model"])
            self.say({**layer, "completed": TOTAL})
            self.say({"status": "success"})
        self._chunk(b"")
        return None

    def say(self, plain: dict[str, Any]) -> None:
        self._chunk(json.dumps(plain).encode() + b"\n")

"""The clients that the rotator's bench compares. All that it knows of core.endpoints is here."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests

from bench.rotator_server import LAST
from core.cancel import Cancel
from core.config import Config, EndpointConfig, RoleConfig, Timeouts
from core.endpoints import Client, Message, Request
from core.endpoints.lease import Wanted
from core.endpoints.rotation import Rotation
from core.events import ROLES

MODEL = "llama3"
PROMPT = "Write a function that says which words occur in both texts, and how often. " * 16

Call = Callable[[], None]


@dataclass(slots=True)
class Watching:
    """A watcher that notes where a call went."""

    failed_at: list[str] = field(default_factory=list)

    def sent(self, **_: Any) -> None:
        """Nothing to note."""

    def token(self, text: str) -> None:
        """Nothing to note."""

    def failed(self, *, endpoint: str, error: str, message: str, cooldown_s: float) -> None:
        """One endpoint less."""
        self.failed_at.append(endpoint)


def body() -> dict[str, Any]:
    """What `ours` sends, for the others to send the same."""
    return {
        "model": MODEL,
        "messages": [{"role": "user", "content": PROMPT}],
        "stream": True,
        "keep_alive": "10m",
        "options": {"num_predict": 1024, "temperature": 0.2, "num_ctx": 8192},
    }


@contextlib.contextmanager
def raw(url: str) -> Iterator[Call]:
    """One kept socket and ready-made bytes: nothing can be faster."""
    content = json.dumps(body()).encode()
    head = f"POST /api/chat HTTP/1.1\r\nHost: h\r\nContent-Length: {len(content)}\r\n\r\n"
    message = head.encode() + content
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as sock:

        def call() -> None:
            sock.sendall(message)
            data = b""
            while not data.endswith(LAST):
                more = sock.recv(65536)
                if not more:
                    raise ConnectionError("the server left in the middle of its answer")
                data += more

        yield call


@contextlib.contextmanager
def bare(url: str) -> Iterator[Call]:
    """requests as its users write it: a session, streaming, a JSON object a line."""
    content, timeout = body(), (2.0, 300.0)
    with requests.Session() as session:
        session.trust_env = False

        def call() -> None:
            parts: list[str] = []
            address = f"{url}/api/chat"
            with session.post(address, json=content, stream=True, timeout=timeout) as answer:
                answer.raise_for_status()
                for line in answer.iter_lines():
                    plain = json.loads(line)
                    parts.append(plain["message"]["content"])
            assert plain["done"]
            assert "".join(parts)

        yield call


@contextlib.contextmanager
def ours(url: str) -> Iterator[Call]:
    """A call through the door that the whole project uses."""
    request = Request(messages=(Message(role="user", content=PROMPT),))
    with contextlib.closing(client([url])) as used:

        def call() -> None:
            used.chat("generator", request, watcher=Watching(), cancel=Cancel())

        yield call


def timeouts(total_s: float = 60.0) -> Timeouts:
    """Only the whole call has a limit that may be met."""
    return Timeouts(connect_s=2.0, first_byte_s=60.0, idle_s=60.0, total_s=total_s)


def client(
    urls: Sequence[str],
    limits: Timeouts | None = None,
    clock: Callable[[], float] = time.monotonic,
    **endpoint: Any,
) -> Client:
    """Ours, with every role on these endpoints; `endpoint` are fields of EndpointConfig."""
    entries = tuple(EndpointConfig(url=url, kind="ollama", **endpoint) for url in urls)
    entry = RoleConfig(model=MODEL, endpoints=entries)
    config = Config(
        models=dict.fromkeys(ROLES, entry), timeouts=limits or timeouts(), embedded="off"
    )
    return Client(lambda: config, clock=clock)


def pick_and_release(urls: Sequence[str]) -> Call:
    """What choosing an endpoint and giving it back cost, with nothing sent."""
    spread = random.Random(1)
    rotation = Rotation(time.monotonic, lambda: spread.uniform(0.8, 1.2))
    entries = tuple(EndpointConfig(url=url, kind="ollama") for url in urls)
    wanted = Wanted(role="generator", model=MODEL, endpoints=entries)

    def call() -> None:
        lease = rotation.begin(wanted)
        assert lease is not None
        rotation.release(lease)

    return call


def in_flight(used: Client) -> int:
    """Requests under way at all endpoints."""
    rows = {status.url: status for role in used.status() for status, _, _ in role.endpoints}
    return sum(status.in_flight for status in rows.values())

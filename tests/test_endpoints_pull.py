"""Pulling a model: Ollama's progress, its errors, one at a time, and a stop that stops."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from endpoint_helpers import Handler, RawServer, body_of, dead_url, hang, saying
from fake_ollama import FakeOllama

from core.config import AuthConfig, EndpointConfig
from core.endpoints.pull import Pull, Pulls
from core.endpoints.stream import Deadlines
from core.errors import BadInput

MODEL = "codellama"
A, B = "sha256:aaaaaaaaaaaa", "sha256:bbbbbbbbbbbb"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n"


def told(*said: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in said)


WHOLE = told(
    {"status": "pulling manifest"},
    {"status": "pulling aaaaaaaaaaaa", "digest": A, "total": 100},
    {"status": "pulling bbbbbbbbbbbb", "digest": B, "total": 50, "completed": 20},
    {"status": "pulling aaaaaaaaaaaa", "digest": A, "total": 100, "completed": 60},
    {"status": "pulling bbbbbbbbbbbb", "digest": B, "total": 50},
)
END = told({"status": "verifying sha256 digest"}, {"status": "success"})


@contextmanager
def pulls(**more: Any) -> Iterator[Pulls]:
    opened = Pulls(more.pop("landed", lambda: None), **more)
    try:
        yield opened
    finally:
        opened.close()


def ended(opened: Pulls, url: str, model: str = MODEL) -> Pull:
    return until(opened, url, lambda pull: not pull.running, model)


def until(opened: Pulls, url: str, is_so: Any, model: str = MODEL) -> Pull:
    for _ in range(500):
        state = opened.state(url, model)
        if state is not None and is_so(state):
            return state
        time.sleep(0.01)
    raise AssertionError(state)


def at(url: str, **more: Any) -> EndpointConfig:
    return EndpointConfig(url=url, **more)


def test_layers_add_up_and_the_lists_are_read_anew_before_it_is_done() -> None:
    go, looks = threading.Event(), list[bool]()

    def script(sock: Any, server: RawServer) -> None:
        sock.sendall(HEAD + WHOLE)
        go.wait(5)
        sock.sendall(END)

    with RawServer([script]) as server, pulls(landed=lambda: looks.append(True)) as opened:
        assert opened.start(at(server.url), MODEL).running
        half = until(opened, server.url, lambda pull: pull.bytes_done == 80)
        assert (half.bytes_total, half.status) == (150, "pulling bbbbbbbbbbbb")
        assert looks == []
        go.set()
        done = ended(opened, server.url, "CodeLlama:latest")
    assert (done.phase, done.status, done.message, looks) == ("done", "success", "", [True])
    assert done.ended_at >= done.at > 0


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (body_of(WHOLE + told({"error": "max retries exceeded: EOF"})), "max retries exceeded"),
        (body_of(told({"error": {"message": "no such manifest"}})), "no such manifest"),
        (body_of(WHOLE), "without `success`"),
        (body_of(WHOLE + b"{nonsense\n"), "invalid JSON"),
        (body_of(b"[1]\n"), "sent invalid JSON: [1]"),
        (
            saying(b"HTTP/1.1 404 Not Found\r\nContent-Length: 18\r\n\r\n404 page not found"),
            "no such",
        ),
        (saying(b'HTTP/1.1 500 X\r\nContent-Length: 16\r\n\r\n{"error":"disk"}'), "disk"),
    ],
)
def test_a_pull_that_fails_says_why(handler: Handler, why: str) -> None:
    with RawServer([handler]) as server, pulls(landed=pytest.fail) as opened:
        opened.start(at(server.url), MODEL)
        failed = ended(opened, server.url)
    assert failed.phase == "failed"
    assert why in failed.message


def test_nobody_there_is_told() -> None:
    url = dead_url()
    with pulls() as opened:
        opened.start(at(url), MODEL)
        assert "Can't reach" in ended(opened, url).message


def test_silence_ends_it() -> None:
    limits = Deadlines(connect_s=1, first_byte_s=1, idle_s=0.2, total_s=9)
    with (
        RawServer([saying(HEAD + WHOLE, b"", pause_s=3)]) as server,
        pulls(limits=limits) as opened,
    ):
        opened.start(at(server.url), MODEL)
        began = time.monotonic()
        assert ended(opened, server.url).phase == "failed"
        assert time.monotonic() - began < 2


def test_one_address_with_two_keys_is_two_endpoints(tmp_path: Path) -> None:
    def keyed(name: str) -> EndpointConfig:
        (tmp_path / name).write_text("secret")
        return at(server.url, auth=AuthConfig(type="bearer", file=tmp_path / name))

    def script(sock: Any, server: RawServer) -> None:
        sock.sendall(HEAD + WHOLE)
        sock.recv(1)

    with RawServer([script]) as server, pulls() as opened:
        one, other, bare = keyed("one"), keyed("other"), at(server.url)
        for endpoint in (one, other):
            assert opened.start(endpoint, MODEL).id == endpoint.id
            until(opened, endpoint.id, lambda pull: pull.bytes_done == 80)
        assert server.connections == 2
        assert opened.cancel(one.id, MODEL).phase == "cancelled"  # type: ignore[union-attr]
        assert [opened.state(each.id, MODEL).phase for each in (one, other)] == [  # type: ignore[union-attr]
            "cancelled",
            "pulling",
        ]
        opened.start(bare, MODEL)
        assert {pull.id for pull in opened.all()} == {one.id, other.id, bare.id}


def test_one_at_a_time_and_a_cancel_that_closes_the_connection() -> None:
    left = threading.Event()

    def script(sock: Any, server: RawServer) -> None:
        sock.sendall(HEAD + WHOLE)
        if sock.recv(1) == b"":
            left.set()

    with RawServer([script]) as server, pulls() as opened:
        first = opened.start(at(server.url), MODEL)
        until(opened, server.url, lambda pull: pull.bytes_done == 80)
        again = opened.start(at(server.url), f"{MODEL}:latest")
        assert (again.at, server.connections) == (first.at, 1)
        assert [one.model for one in opened.all()] == [MODEL]
        stopped = opened.cancel(server.url, MODEL)
        assert stopped is not None
        assert (stopped.phase, stopped.bytes_done) == ("cancelled", 80)
        assert left.wait(2)
        assert opened.cancel(server.url, "other") is None


def test_closing_stops_what_is_under_way() -> None:
    with RawServer([hang]) as server, pulls() as opened:
        opened.start(at(server.url), MODEL)
        opened.close()
        assert ended(opened, server.url).phase == "cancelled"
        with pytest.raises(BadInput):
            opened.start(at(server.url), MODEL)


@pytest.mark.parametrize("model", ["", "  ", "a b", "x" * 301, "a\nb"])
def test_a_name_that_is_none_is_refused(model: str) -> None:
    with pulls() as opened, pytest.raises(BadInput):
        opened.start(at("http://127.0.0.1:9"), model)


@pytest.mark.parametrize("more", [{"kind": "openai"}, {"disabled": True}])
def test_endpoints_that_cannot_pull_are_refused(more: dict[str, Any]) -> None:
    with pulls() as opened, pytest.raises(BadInput):
        opened.start(at("http://127.0.0.1:9", **more), MODEL)


def test_the_key_goes_along_and_is_never_told(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("opensesame-123")
    with (
        RawServer([body_of(told({"error": "bad key opensesame-123"}))]) as server,
        pulls() as opened,
    ):
        opened.start(at(server.url, auth=AuthConfig(file=key)), MODEL)
        message = ended(opened, f"{server.url} (bearer {key})").message
    assert "bad key [secret]" in message


def test_a_server_of_the_other_kind_has_no_such_api() -> None:
    with FakeOllama(ollama=False) as server, pulls() as opened:
        opened.start(at(server.url), MODEL)
        assert "no such API" in ended(opened, server.url).message

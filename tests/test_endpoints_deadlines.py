"""Limits hold and cancels arrive, whatever the server does."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from endpoint_helpers import HELLO, RawServer, Recorder, ask, client_for, drip, hang, saying
from fake_ollama import FakeOllama, Reply

from core.cancel import Cancel
from core.config import Timeouts
from core.endpoints import Client, Message, Request
from core.errors import Cancelled, NoEndpointLeft, StreamInterrupted

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
TOKEN = b'data: {"choices": [{"delta": {"content": "x"}}]}\n\n'


def limits(**seconds: float) -> Timeouts:
    return Timeouts(**{"connect_s": 5, "first_byte_s": 5, "idle_s": 5, "total_s": 5, **seconds})


def overshoot(server: RawServer, limit_s: float, timeouts: Timeouts, error: type[Exception]) -> str:
    """Run into a limit; the error's class word. The limit must hold within 0.25 s."""
    with client_for(f"{server.url}/v1", timeouts=timeouts) as client:
        began = time.monotonic()
        with pytest.raises(error) as caught:
            ask(client)
        assert limit_s - 0.02 <= time.monotonic() - began < limit_s + 0.25
    failed = caught.value
    if isinstance(failed, NoEndpointLeft):
        return failed.attempts[0].error  # type: ignore[attr-defined, no-any-return]
    return failed.error_class  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    "handler",
    [hang, drip(b"HTTP/1.1 200 OK\r\nX-A: b\r\n"), lambda s, r: (saying(HEAD)(s, r), hang(s, r))],
    ids=["hang", "header drip", "hang after headers"],
)
def test_the_first_byte_limit(handler) -> None:  # type: ignore[no-untyped-def]
    with RawServer([handler]) as server:
        got = overshoot(server, 0.3, limits(first_byte_s=0.3), NoEndpointLeft)
    assert got == "first_byte_timeout"


def test_pings_are_no_first_token() -> None:
    def ping(sock: socket.socket, server: RawServer) -> None:
        sock.sendall(HEAD)
        while not server.stopped.wait(0.05):
            sock.sendall(b": ping\n\n")

    with RawServer([ping]) as server:
        got = overshoot(server, 0.3, limits(first_byte_s=0.3, idle_s=0.2), NoEndpointLeft)
    assert got == "first_byte_timeout"


@pytest.mark.parametrize("drips", [b"", b"a"], ids=["silence", "byte drip"])
def test_the_idle_limit(drips: bytes) -> None:
    def stall(sock: socket.socket, server: RawServer) -> None:
        sock.sendall(HEAD + TOKEN)
        (drip(drips) if drips else hang)(sock, server)

    with RawServer([stall]) as server:
        got = overshoot(server, 0.3, limits(idle_s=0.3), StreamInterrupted)
    assert got == "idle_timeout"


def test_the_total_limit_beats_tokens_that_keep_coming() -> None:
    def babble(sock: socket.socket, server: RawServer) -> None:
        sock.sendall(HEAD)
        while not server.stopped.wait(0.03):
            sock.sendall(TOKEN)

    with RawServer([babble]) as server:
        got = overshoot(server, 0.4, limits(total_s=0.4), StreamInterrupted)
    assert got == "total_timeout"


def test_the_total_limit_ends_the_call_not_the_attempt() -> None:
    with (
        RawServer([hang]) as one,
        RawServer([hang]) as two,
        client_for(f"{one.url}/v1", f"{two.url}/v1", timeouts=limits(total_s=0.3)) as client,
    ):
        with pytest.raises(NoEndpointLeft) as caught:
            ask(client)
        state = client.status()[1].endpoints[0][0].state
    assert len(caught.value.attempts) == 1
    assert state == "unknown"  # our own impatience is not held against it


def test_a_server_that_does_not_accept_runs_into_the_connect_limit() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        fillers = []
        for _ in range(4):  # the kernel keeps a few connections for a listener that never accepts
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(full.getsockname())
            fillers.append(sock)
        url = f"http://127.0.0.1:{full.getsockname()[1]}/v1"
        with client_for(url, timeouts=limits(connect_s=0.3)) as client:
            began = time.monotonic()
            with pytest.raises(NoEndpointLeft, match="No answer from http://127.0.0.1:"):
                ask(client)
            assert time.monotonic() - began < 0.6
            with pytest.raises(Cancelled):
                ask_and_cancel(client, after_s=0.05, within_s=0.2)
        for sock in fillers:
            sock.close()


def test_a_tls_handshake_that_hangs_runs_into_the_connect_limit() -> None:
    with RawServer([drip(b"\x16")], greet=False) as server:
        url = server.url.replace("http:", "https:")
        with client_for(url, timeouts=limits(connect_s=0.3)) as client:
            began = time.monotonic()
            with pytest.raises(NoEndpointLeft):
                ask(client)
            assert time.monotonic() - began < 0.6


def ask_and_cancel(client: Client, *, after_s: float, within_s: float) -> None:
    """Ask, cancel after a while; the call must end soon after that."""
    cancel, moment = Cancel(), [0.0]

    def stop() -> None:
        moment[0] = time.monotonic()
        cancel.set()

    timer = threading.Timer(after_s, stop)
    timer.start()
    try:
        ask(client, cancel=cancel)
    finally:
        assert time.monotonic() - moment[0] < within_s
        timer.join()


@pytest.mark.parametrize("hang_at", ["headers", "body", "middle"])
@pytest.mark.parametrize("suffix", ["", "/v1"])
def test_a_cancel_reaches_the_server(hang_at, suffix) -> None:  # type: ignore[no-untyped-def]
    script = [Reply(text="some text", hang=hang_at), Reply(text="fine")]
    with FakeOllama(script=script) as server, client_for(server.url + suffix) as client:
        with pytest.raises(Cancelled):
            ask_and_cancel(client, after_s=0.05, within_s=0.2)
        assert server.wait(lambda: server.cancelled, 0.5)
        row = client.status()[1].endpoints[0][0]
        assert (row.in_flight, row.failures, row.state) == (0, 0, "unknown")
        assert ask(client).text == "fine"


def test_a_cancel_in_the_watcher_stops_the_stream() -> None:
    cancel, gate = Cancel(), threading.Event()

    class Stopper(Recorder):
        def token(self, text: str) -> None:
            super().token(text)
            cancel.set()

    watcher = Stopper()
    script = [Reply(text="0123456789" * 10, pause=gate, free=1)]
    with FakeOllama(script=script) as server, client_for(server.url) as client:
        with pytest.raises(Cancelled):
            ask(client, watcher=watcher, cancel=cancel)
        assert server.wait(lambda: server.cancelled)
    assert len(watcher.of("token")) == 1


def test_a_call_cancelled_before_it_began_sends_nothing() -> None:
    cancel = Cancel()
    cancel.set()
    with FakeOllama() as server, client_for(server.url) as client, pytest.raises(Cancelled):
        ask(client, cancel=cancel)
    assert server.requests == []


def test_a_late_cancel_leaves_the_connection_to_its_next_user() -> None:
    first, second = Cancel(), Cancel()
    gate = threading.Event()
    script = [Reply(text="one"), Reply(text="two and more", pause=gate)]
    with FakeOllama(script=script) as server, client_for(server.url) as client:
        ask(client, cancel=first)
        timer = threading.Timer(0.05, lambda: (first.set(), gate.set()))
        timer.start()
        assert ask(client, cancel=second).text == "two and more"
        timer.join()
    assert server.connections == 1


def test_an_error_in_the_watcher_frees_the_endpoint_and_its_socket() -> None:
    class Broken(Recorder):
        def token(self, text: str) -> None:
            raise RuntimeError("the disk is full")

    script = [Reply(text="0123456789" * 10, hang="middle")]
    with FakeOllama(script=script) as server, client_for(server.url) as client:
        with pytest.raises(RuntimeError):
            ask(client, watcher=Broken())
        assert client.status()[1].endpoints[0][0].in_flight == 0
        assert server.wait(lambda: server.cancelled)


def test_a_slow_watcher_is_not_taken_for_a_silent_server() -> None:
    class Slow(Recorder):
        def token(self, text: str) -> None:
            super().token(text)
            time.sleep(0.4)

    with (
        FakeOllama(script=["123"]) as server,
        client_for(server.url, timeouts=limits(idle_s=0.2)) as client,
    ):
        assert ask(client, watcher=Slow()).text == "123"


def test_a_large_prompt_to_a_server_that_does_not_read_runs_out_of_time() -> None:
    huge = Request(messages=(Message(role="user", content="x" * 20_000_000),))
    with (
        RawServer([hang], greet=False) as server,
        client_for(f"{server.url}/v1", timeouts=limits(first_byte_s=0.5)) as client,
        pytest.raises(NoEndpointLeft, match="sent nothing"),
    ):
        ask(client, request=huge)
    assert HELLO.tokens_estimated == 2

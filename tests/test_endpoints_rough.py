"""Servers at their worst: bombs, bodies without end, loops, resets, kept sockets, odd replies."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import time
from email.utils import formatdate

import pytest
from endpoint_helpers import (
    RawServer,
    ask,
    body_of,
    client_for,
    hang,
    saying,
)
from fake_ollama import FakeOllama, Reply

from core.config import Timeouts
from core.errors import BadReply, NoEndpointLeft, StreamInterrupted

LIMITS = Timeouts(connect_s=1, first_byte_s=9, idle_s=9, total_s=9)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n"
TOKEN = b'data: {"choices": [{"delta": {"content": "x"}}]}\n\n'
COMMENT = b": " + b"x" * (1024 * 1024 - 3) + b"\n"
END = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'


def reset(sock: socket.socket, server: RawServer) -> None:
    """Break the connection as a killed process does."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def failing(handler, suffix: str = "/v1") -> str:  # type: ignore[no-untyped-def]
    """The class of the error that one such server ends a call with."""
    with (
        RawServer([handler]) as server,
        client_for(server.url + suffix, timeouts=LIMITS) as client,
        pytest.raises((NoEndpointLeft, BadReply, StreamInterrupted)) as caught,
    ):
        ask(client)
    error = caught.value
    if isinstance(error, NoEndpointLeft):
        return error.attempts[-1].error  # type: ignore[attr-defined, no-any-return]
    return error.error_class  # type: ignore[attr-defined, no-any-return]


def test_a_reset_before_headers() -> None:  # scenario 17
    assert failing(reset) == "reset"


def test_a_reset_in_the_middle() -> None:  # scenario 17
    def handler(sock: socket.socket, server: RawServer) -> None:
        saying(HEAD + b"\r\n" + TOKEN, pause_s=0.1)(sock, server)
        reset(sock, server)

    assert failing(handler) == "cut"


def test_a_body_without_end_is_stopped_at_its_limit() -> None:  # scenario 21
    def babble(sock: socket.socket, server: RawServer) -> None:
        sock.sendall(HEAD + b"\r\n")
        while not server.stopped.is_set():
            sock.sendall(COMMENT)

    assert failing(babble) == "too_large"


@pytest.mark.parametrize("size_mib", [65, 300])
def test_a_gzip_bomb_is_stopped_at_the_limit_of_what_it_unpacks_to(size_mib: int) -> None:
    bomb = gzip.compress(COMMENT * size_mib, 9)  # scenario 21
    began = time.monotonic()
    assert failing(saying(HEAD + b"Content-Encoding: gzip\r\n\r\n" + bomb)) == "too_large"
    assert time.monotonic() - began < 8


def test_good_gzip_is_read_though_it_was_not_asked_for() -> None:
    packed = gzip.compress(TOKEN + END)
    with (
        RawServer([saying(HEAD + b"Content-Encoding: gzip\r\n\r\n" + packed)]) as server,
        client_for(server.url + "/v1") as client,
    ):
        assert ask(client).text == "x"


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_never_followed_even_in_a_loop(status: int) -> None:  # scenario 20
    with FakeOllama() as server:
        loop = Reply(status=status, raw=b"", headers={"Location": f"{server.url}/api/chat"})
        server.script = [loop]
        with (
            client_for(server.url) as client,
            pytest.raises(NoEndpointLeft, match=r"redirects to .*put that address"),
        ):
            ask(client)
    assert len(server.chats) == 1


LINES = b'{"message":{"content":"a"},"done":false}\n{"message":{"content":"b"},"done":true}\n'
SPLITS = {
    "no final newline": [LINES.rstrip()],
    "crlf": [LINES.replace(b"\n", b"\r\n")],
    "crlf split": [LINES.replace(b"\n", b"\r\n")[:41], LINES.replace(b"\n", b"\r\n")[41:]],
    "blank lines": [b"\n\r\n" + LINES.replace(b"\n", b"\n\n")],
    "everything at once": [LINES],
}


@pytest.mark.parametrize("split", SPLITS)
def test_lines_arrive_whole_however_they_are_cut(split: str) -> None:  # scenario 12
    version = b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\nConnection: close\r\n\r\n{"version":"0.3"}'
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    with (
        RawServer([saying(version), saying(head, *SPLITS[split], pause_s=0.02)]) as server,
        client_for(server.url) as client,
    ):
        assert ask(client).text == "ab"


def test_a_whole_reply_that_says_it_is_not_done_is_no_success() -> None:  # scenario 13
    whole = json.dumps({"message": {"content": ""}, "done": False}).encode()
    with (
        FakeOllama(script=[Reply(raw=whole)]) as server,
        client_for(server.url) as client,
        pytest.raises(NoEndpointLeft, match="without finishing"),
    ):
        ask(client)


def test_an_error_that_ollamas_v1_swallows_is_noticed() -> None:  # scenario 22
    empty = b'data: {"choices": [{"delta": {"content": ""}, "finish_reason": null}]}\n\n'
    assert failing(body_of(empty, "text/event-stream")) == "unfinished"


def test_first_error_goes_elsewhere_later_error_interrupts() -> None:  # scenario 14
    script = [Reply(error="CUDA error"), Reply(text="def", error="CUDA error")]
    with (
        FakeOllama(script=script) as bad,
        FakeOllama(script=["fine"]) as good,
        client_for(bad.url, good.url) as client,
    ):
        assert ask(client).text == "fine"
        assert ask(client).endpoint == good.url
        with pytest.raises(StreamInterrupted) as caught:
            ask(client)
    assert (caught.value.partial, caught.value.error_class) == ("def", "stream_error")


def test_a_socket_that_was_idle_for_4_seconds_is_not_used_again(  # scenario 23
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("core.endpoints.connections.IDLE_SOCKET_S", 0.1)
    with FakeOllama() as server, client_for(f"{server.url}/v1") as client:
        for _ in range(2):
            ask(client)
        assert server.connections == 1
        time.sleep(0.15)
        ask(client)
    assert server.connections == 2


def test_all_silent_is_one_error_within_the_sum_of_their_limits() -> None:  # scenario 5
    short = Timeouts(connect_s=0.3, first_byte_s=0.3, idle_s=0.3, total_s=10)
    with RawServer([hang]) as one, RawServer([hang]) as two, RawServer([hang]) as three:
        urls = [f"{server.url}/v1" for server in (one, two, three)]
        with client_for(*urls, timeouts=short) as client:
            began = time.monotonic()
            with pytest.raises(NoEndpointLeft) as caught:
                ask(client)
            assert time.monotonic() - began < 3 * 0.3 + 0.3
    assert [attempt.endpoint for attempt in caught.value.attempts] == [one.url, two.url, three.url]


@pytest.mark.parametrize("suffix", ["", "/v1"])
def test_the_total_limit_holds_while_a_server_is_found_out_too(suffix: str) -> None:
    short = Timeouts(connect_s=5, first_byte_s=5, idle_s=5, total_s=0.3)
    with RawServer([hang]) as server, client_for(server.url + suffix, timeouts=short) as client:
        began = time.monotonic()
        with pytest.raises(NoEndpointLeft):
            ask(client)
        assert 0.28 < time.monotonic() - began < 0.45


def test_retry_after_as_a_date_is_understood() -> None:  # scenario 16
    date = formatdate(time.time() + 30, usegmt=True)
    limited = Reply(status=429, error="x", headers={"Retry-After": date})
    with (
        FakeOllama(script=[limited]) as one,
        FakeOllama() as two,
        client_for(one.url, two.url) as client,
    ):
        [attempt] = ask(client).attempts
    assert 25 < attempt.cooldown_s <= 30

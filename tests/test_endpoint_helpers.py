"""What the raw servers of tests and bench read of a request."""

from __future__ import annotations

import socket

import pytest

from bench.rotator_server import read_request

WHOLE = b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n{  }"


@pytest.mark.parametrize("sent", range(len(WHOLE)))
def test_a_client_that_leaves_in_the_middle_of_a_request_is_noticed(sent: int) -> None:
    client, server = socket.socketpair()
    with server:
        with client:
            client.sendall(WHOLE[:sent])
        assert read_request(server) == b""


def test_a_whole_request_is_read() -> None:
    client, server = socket.socketpair()
    with client, server:
        client.sendall(WHOLE)
        assert read_request(server) == WHOLE

"""Model servers for the rotator's bench: raw sockets, a thread per connection, nothing to spare.

    python -m bench.rotator_server fast slow:80 hang      see rotator_serving

A process of its own, so that its work never shares a lock with the client that is measured.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable

Serve = Callable[[socket.socket, bytes], bool]  # False: the connection ends after this reply

DRIP_S = 0.02
PIECE_BYTES = 32 * 1024
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n"
    b"Date: Sun, 01 Nov 2026 00:00:00 GMT\r\nTransfer-Encoding: chunked\r\n\r\n"
)
LAST = b"0\r\n\r\n"


def line(text: str, *, done: bool = False) -> bytes:
    """A line of a reply in Ollama's chat protocol."""
    plain: dict[str, object] = {
        "model": "llama3",
        "created_at": "2026-01-01T00:00:00.000000Z",
        "message": {"role": "assistant", "content": text},
        "done": done,
    }
    if done:
        counts = {"prompt_eval_count": 300, "eval_count": 2, "total_duration": 1_000_000}
        plain |= {"done_reason": "stop", **counts}
    return json.dumps(plain).encode() + b"\n"


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def reply(*texts: str) -> bytes:
    """A whole answer: a line for each text, and the one that ends it."""
    lines = [line(text) for text in texts] + [line("", done=True)]
    return HEAD + b"".join(map(chunk, lines)) + LAST


def read_request(sock: socket.socket) -> bytes:
    """A request with its body; b'' when the client has left."""
    data = sock.recv(65536)
    while data:
        head, mark, body = data.partition(b"\r\n\r\n")
        if mark and len(body) >= _length(head):
            return data
        more = sock.recv(65536)
        if not more:
            return b""
        data += more
    return b""


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


def _fast(lines: int) -> Serve:
    answer = reply(*["word "] * lines)
    content = line("word " * lines, done=True)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    whole = head % len(content) + content

    def serve(sock: socket.socket, request: bytes) -> bool:
        asked_whole = b'"stream": false' in request or b'"stream":false' in request
        sock.sendall(whole if asked_whole else answer)
        return True

    return serve


def _slow(milliseconds: int) -> Serve:
    """One request at a time, each taking so long, as a server with a single slot."""
    slot, answer = threading.Lock(), reply("word ", "word ")

    def serve(sock: socket.socket, request: bytes) -> bool:
        with slot:
            time.sleep(milliseconds / 1000)
        sock.sendall(answer)
        return True

    return serve


def _long(size: int) -> Serve:
    """A reply with one line of so many bytes."""
    text = line("x" * (size - len(line(""))))
    pieces = [text[at : at + PIECE_BYTES] for at in range(0, len(text), PIECE_BYTES)]
    answer = HEAD + b"".join(map(chunk, [*pieces, line("", done=True)])) + LAST

    def serve(sock: socket.socket, request: bytes) -> bool:
        sock.sendall(answer)
        return True

    return serve


def _drip(start: bytes, byte: bytes) -> Serve:
    """After `start` the same bytes for ever, one at a time, so that no read ever times out."""

    def serve(sock: socket.socket, request: bytes) -> bool:
        sock.sendall(start)
        for number in itertools.cycle(byte):
            sock.sendall(bytes([number]))
            time.sleep(DRIP_S)
        return False

    return serve


def _hang(sock: socket.socket, request: bytes) -> bool:
    return bool(sock.recv(1))


def behaviour(name: str) -> Serve:
    """fast:LINES, slow:MILLISECONDS, long:BYTES, hang, drip-head or drip-body."""
    word, _, number = name.partition(":")
    match word:
        case "fast":
            return _fast(int(number or 2))
        case "slow":
            return _slow(int(number))
        case "long":
            return _long(int(number))
        case "drip-head":
            return _drip(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"a")
        case "drip-body":
            return _drip(HEAD, b"1\r\n \r\n")
        case _:
            return _hang


def run(behaviours: Iterable[Serve]) -> None:
    """Listen on a port for each, print them as JSON, serve until standard input ends."""
    print(json.dumps([listen(serve) for serve in behaviours]), flush=True)
    sys.stdin.buffer.read()


def listen(serve: Serve) -> int:
    """The port where it serves from now on."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    threading.Thread(target=_accept, args=(listener, serve), daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


def _accept(listener: socket.socket, serve: Serve) -> None:
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=converse, args=(sock, serve), daemon=True).start()


def converse(sock: socket.socket, serve: Serve) -> None:
    """Serve one connection until it ends."""
    with sock, contextlib.suppress(OSError):
        while request := read_request(sock):
            if not serve(sock, request):
                return


if __name__ == "__main__":
    run(map(behaviour, sys.argv[1:]))

"""Model servers that fail at random, for bench.soak: `python -m bench.rotator_faults SEED ...`.

Each seed makes one server. A seed with a minus in front makes one that also goes away and comes
back all the time, dropping its connections.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import socket
import struct
import sys
import threading
import time

from bench.rotator_server import (
    HEAD,
    LAST,
    Serve,
    chunk,
    converse,
    line,
    listen,
    reply,
)

# How often each happens, in a thousand requests; the others are answered well.
FAULTS = {
    "reset": 10,
    "busy": 10,
    "missing": 3,
    "cut": 10,
    "cut early": 10,
    "malformed": 10,
    "unfinished": 5,
    "error line": 5,
    "slow": 20,
    "silent": 1,
    "leave": 30,
}
PAUSE_S = 0.02
AWAY_S, BACK_S = 0.5, 2.0
_NUMBER = re.compile(rb"call (\d+)")


def faulty(seed: int) -> Serve:
    """Answers "call 17" with the words "reply 17", unless a fault comes up."""
    dice = random.Random(seed)
    words, weights = [*FAULTS, ""], [*FAULTS.values(), 1000 - sum(FAULTS.values())]

    def serve(sock: socket.socket, request: bytes) -> bool:
        if request.startswith(b"GET"):
            return _status(sock, 200, {"version": "0.33.0", "models": [{"name": "llama3:latest"}]})
        found = _NUMBER.search(request)
        texts = ["reply ", found[1].decode() if found else "?"]
        return _answer(sock, dice.choices(words, weights)[0], texts)

    return serve


def _answer(sock: socket.socket, fault: str, texts: list[str]) -> bool:
    whole = reply(*texts)
    first = HEAD + chunk(line(texts[0]))
    match fault:
        case "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        case "busy":
            return _status(sock, 503, {"error": "server busy, please try again"})
        case "missing":
            return _status(sock, 404, {"error": "model 'llama3' not found"})
        case "cut":
            sock.sendall(first)
            return False
        case "cut early":
            sock.sendall(HEAD)
            return False
        case "malformed":
            sock.sendall(HEAD + chunk(b'{"message": {"content": "re\n') + LAST)
        case "unfinished":
            sock.sendall(first + LAST)
        case "error line":
            sock.sendall(HEAD + chunk(b'{"error": "the runner has terminated"}\n') + LAST)
        case "slow":
            for at in range(0, len(whole), 256):
                sock.sendall(whole[at : at + 256])
                time.sleep(PAUSE_S)
        case "silent":
            return bool(sock.recv(1))
        case _:
            sock.sendall(whole)
    return fault != "leave"


def _status(sock: socket.socket, status: int, plain: object) -> bool:
    body = json.dumps(plain).encode()
    head = "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    sock.sendall((head % (status, len(body))).encode() + body)
    return True


def restless(serve: Serve) -> int:
    """The port of a server that is away for a while again and again."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    port: int = listener.getsockname()[1]
    threading.Thread(target=_come_and_go, args=(listener, port, serve), daemon=True).start()
    return port


def _come_and_go(listener: socket.socket, port: int, serve: Serve) -> None:
    while True:
        open_now = _accept_for(listener, BACK_S, serve)
        listener.close()
        for sock in open_now:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        time.sleep(AWAY_S)
        listener = socket.create_server(("127.0.0.1", port), backlog=128)


def _accept_for(listener: socket.socket, seconds: float, serve: Serve) -> list[socket.socket]:
    ends, taken = time.monotonic() + seconds, []
    while (left_s := ends - time.monotonic()) > 0:
        listener.settimeout(left_s)
        with contextlib.suppress(TimeoutError):
            sock, _ = listener.accept()
            sock.settimeout(None)
            taken.append(sock)
            threading.Thread(target=converse, args=(sock, serve), daemon=True).start()
    return taken


def main() -> None:
    """Serve until standard input ends."""
    ports = [
        restless(faulty(-int(word))) if word.startswith("-") else listen(faulty(int(word)))
        for word in sys.argv[1:]
    ]
    print(json.dumps(ports), flush=True)
    sys.stdin.buffer.read()


if __name__ == "__main__":
    main()

"""Ports and sockets of the host that note down whoever comes by."""

from __future__ import annotations

import contextlib
import secrets
import select
import socket
import threading
from pathlib import Path

_TICK_S = 0.05


class Listener:
    """Listens on loopback (TCP and UDP, both families where there are two) and unix sockets.

    `tcp` and `udp` are port numbers, `abstract` a name without its leading NUL. `log` grows by a
    word for everything that arrives.
    """

    def __init__(self, path: Path) -> None:
        self.log: list[str] = []
        self._path = path
        self._sockets: dict[socket.socket, str] = {}
        self._stop = threading.Event()

    def __enter__(self) -> Listener:
        self.tcp = self._open(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0), "TCP")
        self.udp = self._open(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0), "UDP")
        with contextlib.suppress(OSError):  # a host without IPv6
            self._open(socket.AF_INET6, socket.SOCK_STREAM, ("::1", self.tcp), "TCP over IPv6")
            self._open(socket.AF_INET6, socket.SOCK_DGRAM, ("::1", self.udp), "UDP over IPv6")
        self.abstract = f"attacked-{secrets.token_hex(6)}"
        self._open(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + self.abstract, "an abstract socket")
        self._open(socket.AF_UNIX, socket.SOCK_STREAM, str(self._path), "a unix socket")
        self._path.chmod(0o777)
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for opened in self._sockets:
            opened.close()

    def _open(self, family: int, kind: int, address: tuple[str, int] | str, what: str) -> int:
        opened = socket.socket(family, kind)
        self._sockets[opened] = what
        opened.bind(address)
        if kind == socket.SOCK_STREAM:
            opened.listen(64)
        name = opened.getsockname()
        return int(name[1]) if isinstance(name, tuple) else 0

    def _listen(self) -> None:
        while not self._stop.is_set():
            for opened in select.select(list(self._sockets), [], [], _TICK_S)[0]:
                self.log.append(self._sockets[opened])
                with contextlib.suppress(OSError):
                    if opened.type == socket.SOCK_STREAM:
                        opened.accept()[0].close()
                    else:
                        opened.recv(65536)

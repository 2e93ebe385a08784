"""Messages on a stream socket: 8 bytes of length, that much data, descriptors with the first."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Sequence

_HEADER = struct.Struct(">Q")


def send(connection: socket.socket, data: bytes, fds: Sequence[int] = ()) -> None:
    """Send it all; raises OSError when nobody is there any more."""
    message = _HEADER.pack(len(data)) + data
    sent = socket.send_fds(connection, [message], fds) if fds else 0
    if sent < len(message):
        connection.sendall(memoryview(message)[sent:])


def receive(connection: socket.socket, most_fds: int) -> tuple[bytes, list[int]]:
    """The next message, its descriptors not inheritable. Raises EOFError and OSError."""
    # Exactly the header, so that the descriptors are those of this message.
    header, fds, _, _ = socket.recv_fds(connection, _HEADER.size, most_fds)
    for fd in fds:
        os.set_inheritable(fd, False)
    header += _read(connection, _HEADER.size - len(header))
    return _read(connection, _HEADER.unpack(header)[0]), fds


def _read(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        part = connection.recv(min(size - len(data), 1 << 20))
        if not part:
            raise EOFError
        data += part
    return bytes(data)

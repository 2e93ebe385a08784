"""Messages over a socket between the process of a case and the process of the candidate."""

from __future__ import annotations

import json
import socket
import struct
import time

TYPE_CHECKING = False  # importing typing would cost each process time and memory
if TYPE_CHECKING:
    from typing import Any

_HEADER = struct.Struct(">I")
# A list of ten million small numbers is about this long.
MESSAGE_LIMIT = 128 * 1024 * 1024
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class Gone(BaseException):
    """The other process ended or broke off in the middle of a message."""


class Late(BaseException):
    """The time for this conversation is up."""


class Garbled(Exception):
    """The other process sent what is no message of ours."""


class Channel:
    """One JSON value a message, with four bytes of length before it.

    `deadline`, by the monotonic clock, ends every wait; 0 is none.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self.deadline = 0.0

    def send(self, message: Any) -> None:
        """Raises Gone, Late, and ValueError when the message is too long."""
        data = _encode(message).encode()
        if len(data) > MESSAGE_LIMIT:
            raise ValueError(f"a value of more than {MESSAGE_LIMIT} bytes can't be handed over")
        try:
            self._limit()
            self._socket.sendall(_HEADER.pack(len(data)) + data)
        except TimeoutError as error:
            raise Late from error
        except OSError as error:
            raise Gone from error

    def _limit(self) -> None:
        if self.deadline:
            left_s = self.deadline - time.monotonic()
            if left_s <= 0:
                raise Late
            self._socket.settimeout(left_s)

    def receive(self) -> Any:
        """The next message; raises Gone, Late or Garbled."""
        (size,) = _HEADER.unpack(self._read(_HEADER.size))
        if size > MESSAGE_LIMIT:
            raise Garbled("a message is too long")
        try:
            return json.loads(self._read(size))
        except (ValueError, RecursionError) as error:
            raise Garbled("a message is not JSON") from error

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            try:
                self._limit()
                part = self._socket.recv(min(size, 1 << 20))
            except TimeoutError as error:
                raise Late from error
            except OSError as error:
                raise Gone from error
            if not part:
                raise Gone
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

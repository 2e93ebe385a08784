"""One end of the conversation between a case and the candidate: requests, replies, handles."""

from __future__ import annotations

import _thread
import contextlib
import sys

from .mirror import Mirror
from .wire import Channel, Garbled, Gone, Late

TYPE_CHECKING = False  # importing typing would cost each process time and memory
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_REPLY, _RAISED = "=", "!"
_DEPTH = 4000  # frames; more would need more stack than some Pythons have


@contextlib.contextmanager
def _deep() -> Iterator[None]:
    """Let values cross that are nested more deeply than calls usually are."""
    usual = sys.getrecursionlimit()
    sys.setrecursionlimit(max(usual, _DEPTH))
    try:
        yield
    finally:
        sys.setrecursionlimit(usual)


class Peer(Mirror):
    """Sends requests, and answers those that come while it waits for the reply."""

    def __init__(self, channel: Channel, *, judging: bool) -> None:
        super().__init__(judging)
        self.channel = channel
        self._lock = _thread.RLock()

    def request(self, kind: str, *arguments: Any, still: bool = False) -> Any:
        """What the other side answers; raises what it raised, Gone, Late, or Garbled.

        While it answers a `still` one, nothing that both sides hold may change: it is asked in the
        middle of a comparison, which would then miss what is left of a list or a dict.
        """
        with self._lock:
            self._send(kind, arguments)
            while True:
                answer, payload = self._receive(still)
                if answer == _REPLY:
                    return payload
                if answer == _RAISED:
                    if not isinstance(payload, BaseException):
                        raise Garbled("no exception")
                    raise payload
                self._answer(answer, payload)

    def serve(self) -> None:
        """Answer until the other side is gone."""
        while True:
            try:
                kind, payload = self._receive()
                self._answer(kind, payload)
            except Gone:
                return

    def handle(self, kind: str, arguments: tuple[Any, ...]) -> Any:
        """Carry out one request of the other side."""
        raise NotImplementedError

    def _answer(self, kind: str, payload: Any) -> None:
        try:
            reply, value = _REPLY, self.handle(kind, payload)
        except (Gone, Garbled, Late):
            raise
        except BaseException as error:  # whatever the code of this side raised is its answer
            reply, value = _RAISED, self.caught(error)
        with self._lock:
            try:
                self._send(reply, value)
            except (Gone, Late):
                raise
            except Exception as error:  # the value can't cross: too deep, too long, or hostile
                self._send(_RAISED, self.caught(error))

    def caught(self, error: BaseException) -> BaseException:
        """What to do with an exception before it crosses."""
        return error

    def _send(self, kind: str, payload: Any) -> None:
        sync = [[key, self.items(container)] for key, container in self.shared.changed()]
        unused = self.shared.unused() if self.judging else []
        released, self.released = self.released, []
        with _deep():
            data = self.encode(payload)
        self.shared.settle()
        self.channel.send([kind, data, sync, unused, released])

    def _receive(self, still: bool = False) -> tuple[str, Any]:
        message = self.channel.receive()
        try:
            kind, data, sync, unused, released = message
            if still and sync:
                raise Garbled("something changed while it was compared")
            for key, items in sync:
                self.shared.touch(key)
                self.refill(self.shared.get(key), items)
            for key in unused:
                self.shared.forget(key)
            for handle in released:
                self.forget(handle)
            with _deep():
                payload = self.decode(data)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise Garbled(f"a message is garbled: {error}") from error
        self.shared.settle()
        return kind, payload

"""Fetch a model from Hugging Face: resumes after a break, gives up within seconds."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import requests
import urllib3

from core.cancel import Cancel
from core.embedded.files import size, writing
from core.embedded.models import Model
from core.errors import BuiltinUnavailable

CHUNK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds to wait: for one TCP connect, for the first byte in all, for the next byte."""

    connect_s: float = 3.0
    open_s: float = 8.0
    stall_s: float = 10.0
    pause_s: float = 1.0


def fetch(
    model: Model,
    part: Path,
    on_bytes: Callable[[int], None],
    stop: Cancel,
    *,
    base: str,
    patience: Patience,
) -> None:
    """Append to `part` until it is `model.bytes` long.

    A connection that breaks is taken up again for as long as each one brings something.
    Raises BuiltinUnavailable (`part` keeps what came), FolderError, Cancelled.
    """
    url = f"{base}/{model.repo}/resolve/main/{model.file}"
    while (had := size(part)) < model.bytes:
        response = _open(url, had, patience, stop)
        with response:
            start = _start(response, had, model.bytes)
            problem = _receive(response, part, start, model, on_bytes, stop)
        if size(part) <= had:
            raise BuiltinUnavailable(f"{base} stopped sending ({problem})")
        if size(part) < model.bytes:
            stop.wait(patience.pause_s)
            stop.check()


def _open(url: str, offset: int, patience: Patience, stop: Cancel) -> requests.Response:
    """The response with its headers in, or BuiltinUnavailable after `open_s`.

    Asked in a thread of its own: the time-outs of a socket bound neither the look-up of a name
    nor the sum over a host's many addresses, and none of it can be interrupted.
    """
    box: queue.Queue[requests.Response | requests.RequestException | None] = queue.Queue()
    abandoned = threading.Event()

    def drop() -> None:
        abandoned.set()
        with contextlib.suppress(queue.Empty):
            while True:
                late = box.get_nowait()
                if isinstance(late, requests.Response):
                    late.close()

    def ask() -> None:
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        timeout = (patience.connect_s, patience.stall_s)
        try:
            box.put(requests.get(url, headers=headers, stream=True, timeout=timeout))
        except requests.RequestException as error:
            box.put(error)
        if abandoned.is_set():
            drop()

    threading.Thread(target=ask, name="embedded-hub", daemon=True).start()
    forget = stop.on_set(lambda: box.put(None))
    try:
        answer = box.get(timeout=patience.open_s)
    except queue.Empty:
        drop()
        raise BuiltinUnavailable(f"no answer within {patience.open_s:g} s") from None
    finally:
        forget()
    if answer is None or stop.is_set():
        box.put(answer)
        drop()
        stop.check()
    if isinstance(answer, requests.Response):
        return answer
    raise BuiltinUnavailable(f"it can't be reached ({type(answer).__name__})") from answer


def _start(response: requests.Response, had: int, total: int) -> int:
    """The offset that the body starts at, once it is clear that it is the right file."""
    if response.status_code == 206:
        if response.headers.get("Content-Range", "").strip() != f"bytes {had}-{total - 1}/{total}":
            raise BuiltinUnavailable("it offered another range than the one asked for")
        return had
    if response.status_code != 200:
        raise BuiltinUnavailable(f"it answered HTTP {response.status_code}")
    length = response.headers.get("Content-Length", str(total))
    if length != str(total):
        kind = response.headers.get("Content-Type", "unknown")
        raise BuiltinUnavailable(f"it sent something else: {length} bytes of {kind}")
    return 0


def _receive(
    response: requests.Response,
    part: Path,
    start: int,
    model: Model,
    on_bytes: Callable[[int], None],
    stop: Cancel,
) -> str:
    """Write the body from `start` on; returns why it ended early, '' when it did not."""
    done = start
    forget = stop.on_set(lambda: _wake(response))
    try:
        with _appending(part, start) as append:
            on_bytes(done)
            # read1 gives what is there: a break loses nothing, and a slow line shows progress.
            while chunk := response.raw.read1(CHUNK_BYTES):
                stop.check()
                append(chunk[: model.bytes - done])
                done = min(done + len(chunk), model.bytes)
                on_bytes(done)
    except urllib3.exceptions.HTTPError as error:
        stop.check()
        return type(error).__name__
    finally:
        forget()
    stop.check()
    return "" if done == model.bytes else "the connection ended early"


def _wake(response: requests.Response) -> None:
    """End a read that waits for the next byte; a response already at its end stays as it is."""
    with contextlib.suppress(ValueError, RuntimeError, OSError):
        response.raw.shutdown()


@contextlib.contextmanager
def _appending(part: Path, start: int) -> Iterator[Callable[[bytes], None]]:
    """A function that adds bytes to `part`, cut to `start` first; only it raises FolderError."""
    with writing(part.parent, start):
        file = part.open("ab", buffering=0)
    with file:
        file.truncate(start)

        def append(data: bytes) -> None:
            view = memoryview(data)
            while view:
                with writing(part.parent, len(view)):
                    view = view[file.write(view) :]

        yield append

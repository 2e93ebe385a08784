"""Measurements of endpoints, begun in the background."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from core.cancel import Cancel
from core.config import Config, EndpointConfig
from core.endpoints import Client
from core.endpoints.names import canonical
from core.errors import BadInput, Cancelled
from core.qualify import measure
from core.qualify_book import Book
from core.qualify_reading import is_model
from core.qualify_result import Qualification
from core.sandbox import Sandbox

LEAVE_S = 5.0
# How long a task waits for a place among the endpoint's calls.
SLOT_S = 30.0
_Key = tuple[str, str]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measuring:
    """A measurement under way at the endpoint `id`: at task `step` of `of`."""

    id: str
    url: str
    model: str
    step: int = 1
    of: int = 6


@dataclass(frozen=True, slots=True)
class _Job:
    cancel: Cancel
    thread: threading.Thread


class Qualifier:
    """Measures endpoints, and keeps what it finds in the file `path`. Thread-safe.

    `client` gives each task its place among the endpoint's calls.
    """

    def __init__(
        self,
        config: Callable[[], Config],
        client: Client,
        sandbox: Sandbox,
        path: Path,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._client = client
        self._sandbox = sandbox
        self._now = now
        self._lock = threading.Lock()
        self._running: dict[_Key, Measuring] = {}
        self._jobs: dict[_Key, _Job] = {}
        self.book = Book(path)

    def start(self, endpoint: EndpointConfig, model: str) -> Measuring:
        """Begin in the background, or find under way. Raises BadInput when the endpoint is
        disabled, when that is no name of a model, and when another model is being measured there:
        each would slow the other."""
        if not is_model(model):
            raise BadInput("model", "Name the model to measure, like qwen2.5-coder:14b.")
        if endpoint.disabled:
            raise BadInput("url", f"{endpoint.url} is disabled in the configuration.")
        key = _key(endpoint.id, model)
        with self._lock:
            if key in self._running:
                return self._running[key]
            if any(one.url == endpoint.url for one in self._running.values()):
                busy = f"{endpoint.url} is being measured"
                raise BadInput("url", f"{busy}. Wait until that has ended, or cancel it.")
            self._running[key] = Measuring(id=endpoint.id, url=endpoint.url, model=model)
            cancel = Cancel()
            work = threading.Thread(
                target=self._work, args=(key, endpoint, model, cancel), name="qualify", daemon=True
            )
            self._jobs[key] = _Job(cancel, work)
            work.start()
            return self._running[key]

    def run(self, endpoint: EndpointConfig, model: str, cancel: Cancel) -> Qualification:
        """Measure now, and keep what is found. Raises Cancelled."""
        key = _key(endpoint.id, model)

        def told(step: int, of: int) -> None:
            with self._lock:
                if key in self._running:
                    self._running[key] = replace(self._running[key], step=step, of=of)

        def slot(endpoint: EndpointConfig, stop: Cancel) -> AbstractContextManager[None]:
            return self._client.slot(endpoint, model, limit_s=SLOT_S, cancel=stop)

        found = measure(
            self._config(),
            endpoint,
            model,
            self._sandbox,
            cancel=cancel,
            slot=slot,
            told=told,
            now=self._now,
        )
        self.book.add(found)
        return found

    def running(self, identity: str, model: str) -> Measuring | None:
        """The measurement under way at the endpoint of this id, None when there is none."""
        with self._lock:
            return self._running.get(_key(identity, model))

    def cancel(self, identity: str, model: str) -> bool:
        """Stop it, and keep nothing of it; False when there is none."""
        with self._lock:
            job = self._jobs.get(_key(identity, model))
        if job is None:
            return False
        job.cancel.set()
        job.thread.join(LEAVE_S)
        return True

    def close(self) -> None:
        """Stop what is under way."""
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            job.cancel.set()
        for job in jobs:
            job.thread.join(LEAVE_S)

    def _work(self, key: _Key, endpoint: EndpointConfig, model: str, cancel: Cancel) -> None:
        try:
            self.run(endpoint, model, cancel)
        except Cancelled:
            pass
        except Exception:  # a thread's top: the page shows what was known before
            _log.exception("Measuring %s at %s failed", model, endpoint.url)
        finally:
            with self._lock:
                del self._running[key], self._jobs[key]


def _key(identity: str, model: str) -> _Key:
    return identity, canonical(model)

"""Pulling models onto Ollama servers: in the background, with the server's own progress."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from core.cancel import Cancel
from core.config import EndpointConfig
from core.endpoints import pull_wire
from core.endpoints.http import Http
from core.endpoints.names import canonical
from core.endpoints.stream import Deadlines
from core.errors import AppError, BadInput, Cancelled

AT_ONCE = 8
KEPT = 50
LEAVE_S = 5.0
Phase = Literal["pulling", "done", "failed", "cancelled"]
_Key = tuple[str, str]  # endpoint id, model

_log = logging.getLogger("core.endpoints")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """A pull as it is now. `status` is Ollama's own word, `message` says why it failed.

    `id` tells the endpoint from others with the same URL, see EndpointConfig.
    Bytes are of all layers that Ollama has named so far, 0 before the first. `at` and `ended_at`
    in unix seconds, the latter 0 while it is under way.
    """

    id: str
    url: str
    model: str
    phase: Phase = "pulling"
    status: str = "asking"
    bytes_done: int = 0
    bytes_total: int = 0
    message: str = ""
    at: float = 0.0
    ended_at: float = 0.0

    @property
    def running(self) -> bool:
        """Whether it is under way."""
        return self.phase == "pulling"


@dataclass(frozen=True, slots=True)
class _Job:
    cancel: Cancel
    thread: threading.Thread


class Pulls:
    """All pulls of this process, one at a time per endpoint and model. Thread-safe.

    `landed` is called after each that succeeded, for the lists of models to be read anew.
    """

    def __init__(
        self,
        landed: Callable[[], object],
        *,
        limits: Deadlines = pull_wire.LIMITS,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._landed = landed
        self._limits = limits
        self._now = now
        self._http = Http()
        self._lock = threading.Lock()
        self._pulls: dict[_Key, Pull] = {}
        self._jobs: dict[_Key, _Job] = {}
        self._closed = False

    def start(self, endpoint: EndpointConfig, model: str) -> Pull:
        """Begin, or find under way; its state. Raises BadInput when it can't begin."""
        model = _checked(endpoint, model)
        key = _key(endpoint.id, model)
        with self._lock:
            known = self._pulls.get(key)
            if known is not None and known.running:
                return known
            if self._closed or len(self._jobs) >= AT_ONCE:
                raise BadInput("model", f"{AT_ONCE} pulls are under way. Wait until one has ended.")
            self._pulls.pop(key, None)  # the newest comes last
            pull = self._pulls[key] = Pull(
                id=endpoint.id, url=endpoint.url, model=model, at=self._now()
            )
            self._forget()
            cancel = Cancel()
            work = threading.Thread(
                target=self._run, args=(key, endpoint, cancel), name="pull", daemon=True
            )
            self._jobs[key] = _Job(cancel, work)
            work.start()
        return pull

    def state(self, identity: str, model: str) -> Pull | None:
        """The last pull of the model there; None when there was none."""
        with self._lock:
            return self._pulls.get(_key(identity, model))

    def all(self) -> tuple[Pull, ...]:
        """Those under way and the last ones that ended, oldest first."""
        with self._lock:
            return tuple(self._pulls.values())

    def cancel(self, identity: str, model: str) -> Pull | None:
        """Stop it; its state after that. Ollama keeps what it has fetched for the next time."""
        with self._lock:
            job = self._jobs.get(_key(identity, model))
        if job is not None:
            job.cancel.set()
            job.thread.join(LEAVE_S)
        return self.state(identity, model)

    def close(self) -> None:
        """Stop them all."""
        with self._lock:
            self._closed = True
            jobs = list(self._jobs.values())
        for job in jobs:
            job.cancel.set()
        for job in jobs:
            job.thread.join(LEAVE_S)
        self._http.close()

    def _run(self, key: _Key, endpoint: EndpointConfig, cancel: Cancel) -> None:
        phase, message = self._outcome(key, endpoint, cancel)
        if phase == "done":
            try:
                self._landed()
            except Exception:  # the model is there all the same, and the next look will see it
                _log.exception("Looking at the endpoints after a pull failed")
        with self._lock:
            del self._jobs[key]
            ended = replace(self._pulls[key], phase=phase, message=message, ended_at=self._now())
            self._pulls[key] = ended

    def _outcome(self, key: _Key, endpoint: EndpointConfig, cancel: Cancel) -> tuple[Phase, str]:
        def told(status: str, done: int, total: int) -> None:
            with self._lock:
                pull = self._pulls[key]
                self._pulls[key] = replace(pull, status=status, bytes_done=done, bytes_total=total)

        try:
            model = self._pulls[key].model
            pull_wire.pull(
                self._http, endpoint, model, limits=self._limits, cancel=cancel, told=told
            )
        except Cancelled:
            return "cancelled", ""
        except AppError as error:
            return "failed", error.message
        except Exception as error:  # a thread's top: whoever looks is told
            _log.exception("Pulling %s at %s failed", key[1], endpoint.url)
            return "failed", f"The pull broke off: {error}"
        return "done", ""

    def _forget(self) -> None:
        ended = [key for key, pull in self._pulls.items() if not pull.running]
        for key in ended[: max(0, len(ended) - KEPT)]:
            del self._pulls[key]


def _key(identity: str, model: str) -> _Key:
    return identity, canonical(model)


def _checked(endpoint: EndpointConfig, model: str) -> str:
    model = model.strip()
    if not model or len(model) > 300 or not model.isprintable() or " " in model:
        raise BadInput("model", "Name the model to pull, like qwen2.5-coder:14b.")
    if endpoint.kind == "openai":
        raise BadInput("url", f"{endpoint.url} is no Ollama server: load the model there yourself.")
    if endpoint.disabled:
        raise BadInput("url", f"{endpoint.url} is disabled in the configuration.")
    return model

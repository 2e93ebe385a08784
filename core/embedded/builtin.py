"""The built-in model as the rest of the application sees it."""

from __future__ import annotations

import importlib.util
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from core.cancel import Cancel
from core.embedded.fetch import Fetcher, Sources
from core.embedded.files import default_cache_dir
from core.embedded.models import LARGE, SMALL, SMALL_ROLES, Model
from core.embedded.progress import Progress
from core.embedded.service import Service, Shared
from core.errors import BuiltinUnavailable
from core.events import Role

JOIN_S = 10.0
END_S = 1.0


class Builtin:
    """Serves two models on loopback; fetches them when first needed. Thread-safe.

    `cache_dir` None: $XDG_CACHE_HOME or ~/.cache, below it codeevolver/models. `extra_dir`: a
    folder looked in first and never written to. `threads` None: found from the machine.
    `on_progress` is called from threads of ours and must return quickly.
    """

    def __init__(
        self,
        *,
        cache_dir: Path | None = None,
        extra_dir: Path | None = None,
        threads: int | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        sources: Sources | None = None,
        small: Model = SMALL,
        large: Model = LARGE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stop = Cancel()
        self._changed = threading.Condition()
        fetcher = Fetcher(
            cache_dir=cache_dir or default_cache_dir(),
            extra_dir=extra_dir,
            sources=sources or Sources(),
        )
        shared = Shared(
            fetcher=fetcher,
            threads=threads,
            changed=self._changed,
            stop=self._stop,
            publish=on_progress or (lambda progress: None),
            clock=clock,
        )
        self._small = Service(small, shared)
        self._large = Service(large, shared, before=self._small)

    def start(self) -> None:
        """Fetch and start both in the background, the small one first; returns at once."""
        if _can_run():
            self._small.want()
            self._large.want()

    def acquire(self, role: Role, cancel: Cancel, broken: str = "") -> tuple[str, str]:
        """Block until the role's model serves: its base URL (without /v1) and its name.

        Where that model can't be had, the other one takes the role. `broken` is the URL of a server
        that failed a moment ago: its end is waited for, at most END_S seconds, so that it
        isn't given once more. Raises BuiltinUnavailable when neither can, with what was tried and
        what to do, and Cancelled within a moment.
        """
        if not _can_run():
            raise BuiltinUnavailable(NO_PACKAGE)
        small_first = role in SMALL_ROLES
        first = self._small if small_first else self._large
        second = self._large if small_first else self._small
        forget = cancel.on_set(self._wake)
        try:
            with self._changed:
                if broken:
                    self._see_the_end_of(broken, cancel)
                if first.failure and not first.url and second.url:
                    first.want()  # tried again beside; nobody waits for it
                    return second.url, second.model.name
                for service in (first, second):
                    if self._serves(service, cancel):
                        return service.url, service.model.name
        finally:
            forget()
        raise BuiltinUnavailable(f"The built-in model can't be used. {first.failure}")

    def _see_the_end_of(self, url: str, cancel: Cancel) -> None:
        """A connection breaks a moment before the process is known to have ended."""
        self._changed.wait_for(
            lambda: (
                url not in (self._small.url, self._large.url)
                or cancel.is_set()
                or self._stop.is_set()
            ),
            END_S,
        )
        cancel.check()

    def _serves(self, service: Service, cancel: Cancel) -> bool:
        """Wait, with the lock held, until the model serves (True) or has failed (False)."""
        while True:
            service.want()
            self._changed.wait_for(
                lambda: service.settled or cancel.is_set() or self._stop.is_set()
            )
            cancel.check()
            if self._stop.is_set():
                raise BuiltinUnavailable("The application is shutting down.")
            if service.url or service.failure:
                return bool(service.url)

    def progress(self) -> tuple[Progress, ...]:
        """Both models' state, the small one first."""
        small, large = self._small.progress, self._large.progress
        if large.phase == "failed" and self._small.url:
            large = replace(large, message=f"{large.message} {STAND_IN}")
        return small, large

    def close(self) -> None:
        """End the children and the threads; nothing can be acquired from then on."""
        self._stop.set()
        self._wake()
        for service in (self._small, self._large):
            service.join(JOIN_S)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


def _can_run() -> bool:
    return importlib.util.find_spec("xllamacpp") is not None


STAND_IN = "Until it can be had, the smaller model serves all roles."
NO_PACKAGE = (
    "The built-in model needs the package xllamacpp, which is not installed: there is no build of "
    "it for this machine, or the set-up was not run (make setup). Configure an endpoint instead."
)

"""One built-in model, from its file to its serving child process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from core.cancel import Cancel
from core.embedded.child import running
from core.embedded.fetch import Fetcher
from core.embedded.models import Model
from core.embedded.progress import Progress, Reporter
from core.errors import BuiltinUnavailable, Cancelled

log = logging.getLogger(__name__)

MAX_CRASHES = 3
SETTLED_S = 30.0
RETRY_AFTER_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What the services of one Builtin have in common. `changed` guards all their fields."""

    fetcher: Fetcher
    threads: int | None
    changed: threading.Condition
    stop: Cancel
    publish: Callable[[Progress], None]
    clock: Callable[[], float]


class Service:
    """At most one thread at work: it fetches, starts the child, then waits for the child's end.

    `url` is '' unless it serves; `failure` stays until the model serves after all.
    """

    def __init__(self, model: Model, shared: Shared, before: Service | None = None) -> None:
        self.model = model
        self.url = ""
        self.failure: BuiltinUnavailable | None = None
        self.fetching = False
        self._shared = shared
        self._before = before
        self._thread: threading.Thread | None = None
        self._busy = False
        self._failed_at = float("-inf")
        self._crashes = 0
        initial = Progress(phase="absent", model=model.name, bytes_total=model.bytes)
        self._report = Reporter(initial, shared.publish, shared.clock)

    @property
    def progress(self) -> Progress:
        """The latest state."""
        return self._report.current

    @property
    def settled(self) -> bool:
        """It serves, or nothing is under way that could make it serve."""
        return bool(self.url) or not self._busy

    def want(self) -> None:
        """Set about serving, unless that is under way or failed less than 30 s ago."""
        with self._shared.changed:
            now = self._shared.clock()
            cooling = self.failure is not None and now - self._failed_at < RETRY_AFTER_S
            if self._busy or cooling or self._shared.stop.is_set():
                return
            self._busy = self.fetching = True
            previous, name = self._thread, f"embedded-{self.model.size}"
            self._thread = threading.Thread(
                target=self._work, args=(previous,), name=name, daemon=True
            )
            self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait for its thread, which ends soon after `stop` is set."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _work(self, previous: threading.Thread | None) -> None:
        if previous is not None:
            previous.join()  # it has nothing left to do but return
        try:
            self._fetch_and_serve()
        except Cancelled:
            self._report.phase("absent", message="stopped")
        except BuiltinUnavailable as error:
            self._fail(error)
        except Exception as error:  # a thread's top: whoever waits must hear of our own faults
            log.exception("the built-in model's thread failed")
            self._fail(BuiltinUnavailable(f"Unexpected {type(error).__name__}: {error}"))
        finally:
            with self._shared.changed:
                self._busy = self.fetching = False
                self.url = ""
                self._shared.changed.notify_all()

    def _fetch_and_serve(self) -> None:
        shared = self._shared
        path = shared.fetcher.find(self.model, self._report, shared.stop)
        if path is None:
            self._let_the_other_fetch_first()
            path = shared.fetcher.fetch(self.model, self._report, shared.stop)
        with shared.changed:
            self.fetching = False
            shared.changed.notify_all()
        while True:
            shared.stop.check()
            self._report.phase("starting", done=self.model.bytes)
            with running(path, self.model, shared.threads, shared.stop) as child:
                try:
                    self._announce(child.url())
                except BuiltinUnavailable as error:
                    shared.stop.check()
                    self._crashed(error.message)
                    continue
                began = shared.clock()
                child.wait()
                shared.stop.check()
                if shared.clock() - began >= SETTLED_S:
                    self._crashes = 0
                self._crashed(child.last_words())
                return

    def _let_the_other_fetch_first(self) -> None:
        """One download at a time, the small model's first: it is the sooner of use."""
        with self._shared.changed:
            before, stop = self._before, self._shared.stop
            if before is not None:
                self._shared.changed.wait_for(lambda: not before.fetching or stop.is_set())
        stop.check()

    def _announce(self, url: str) -> None:
        with self._shared.changed:
            self.url = url
            self.failure = None
            self._shared.changed.notify_all()
        self._report.phase("ready", message=f"at {url}")

    def _crashed(self, last_words: str) -> None:
        """Count it; the third in a row is a failure, before that the next call starts it anew."""
        with self._shared.changed:
            self.url = ""
            self._crashes += 1
        log.warning("%s", last_words)
        if self._crashes >= MAX_CRASHES:
            self._crashes = 0
            raise BuiltinUnavailable(
                f"{last_words} ({MAX_CRASHES} times in a row). Configure an endpoint of your own."
            )
        self._report.phase("absent", message=f"{last_words}; it starts again at the next call")

    def _fail(self, error: BuiltinUnavailable) -> None:
        with self._shared.changed:
            self.failure = error
            self._failed_at = self._shared.clock()
        self._report.phase("failed", message=error.message)

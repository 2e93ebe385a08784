"""The one hand that writes a run's events while this process carries it out."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from core.cancel import Cancel
from core.errors import StorageError
from core.events import (
    AnswersWeighed,
    CancelRequested,
    Event,
    Payload,
    RunResumed,
    Stage,
    StageFinished,
    StageStarted,
)
from core.log import EventLog
from core.state import Phase, RunState, apply, fold, passed_over
from core.steps import Leaving

logger = logging.getLogger(__name__)
# How long a run waits before it tries again to write to a log that could not be written.
RETRY_S = 1.0


class Writer:
    """Writes a run's events under its claim, follows them, and notices a request to stop.

    The user's answers come at any moment, but the run must decide in a replay as it did before. So
    its state shows none but those that a recorded step has taken in.
    """

    def __init__(self, log: EventLog, run_id: str) -> None:
        """Claim the run: from now on an earlier writer's events are refused."""
        self.run_id = run_id
        self.cancel = Cancel()
        # Set as well when a candidate is verified: what else writes candidates then stops.
        self.race = Cancel()
        self.cancel.on_set(self.race.set)
        self._left = threading.Event()
        self._log = log
        self._epoch = log.claim(run_id)
        self._lock = threading.Lock()
        self._taken_in = -1  # the seq up to which AnswersWeighed are noticed
        self._answers = -1  # the seq of the newest one
        self._state = self._followed(RunState(run_id=run_id))
        self._done = threading.Event()
        if self._state.phase is Phase.CANCELLING:
            self.cancel.set()
        self._watcher = threading.Thread(
            target=self._watch, args=(self._state.seq,), name=f"stop-watch-{run_id}", daemon=True
        )
        self._watcher.start()

    def begin(self) -> None:
        """Say that the run goes on, if another process had it before; once, whoever asks."""
        if self._epoch > 1 and self.state().phase is not Phase.FINISHED:
            self.write(RunResumed(times=self._epoch - 1), key=f"resumed:{self._epoch}")

    @property
    def leaving(self) -> bool:
        """Whether this process is about to end."""
        return self._left.is_set()

    @property
    def log(self) -> EventLog:
        """The log that it writes to."""
        return self._log

    @property
    def epoch(self) -> int:
        """How often the run was claimed, this time included."""
        return self._epoch

    def write(self, payload: Payload, key: str | None = None) -> None:
        """Add a fact; with a `key` only once in the run's life, however often it is replayed.

        Where the log can't be written (a full disk), it waits until it can: the run loses nothing.
        Raises IllegalEvent when another writer claimed the run, Leaving when this process ends.
        """
        while True:
            try:
                self._log.append(self.run_id, payload, key=key, epoch=self._epoch)
            except StorageError as error:
                logger.error("Run %s waits: %s", self.run_id, error)
                if self._left.wait(RETRY_S):
                    raise Leaving from error
            else:
                return

    def files(self) -> dict[str, bytes]:
        """The files that came with the goal, by name."""
        return self._log.files(self.run_id)

    def state(self) -> RunState:
        """The run as of now, with the answers that were taken in."""
        with self._lock:
            self._state = self._followed(self._state)
            if self._state.phase is Phase.CANCELLING:
                self.cancel.set()
            return self._state

    def whole_state(self) -> RunState:
        """The run as everybody else sees it, with all answers."""
        return fold(self._log.since(self.run_id))

    def newest_answers(self) -> int:
        """The seq of the newest AnswersWeighed, -1 for none."""
        self.state()
        return self._answers

    def take_in(self, seq: int) -> None:
        """Notice AnswersWeighed up to this seq from now on; for a recorded step's result."""
        with self._lock:
            if seq > self._taken_in:
                self._taken_in = seq
                self._state = self._followed(RunState(run_id=self.run_id))

    def wait(self, after: int, timeout_s: float) -> list[Event]:
        """The events after this seq, waited for up to `timeout_s` seconds; [] on timeout."""
        return self._log.wait(self.run_id, after, timeout_s)

    def _followed(self, state: RunState) -> RunState:
        for event in self._log.since(self.run_id, state.seq):
            if isinstance(event.payload, AnswersWeighed):
                self._answers = event.seq
                if event.seq > self._taken_in:
                    state = passed_over(state, event)
                    continue
            state = apply(state, event)
        return state

    def until(self, holds: Callable[[RunState], bool], cancel: Cancel) -> RunState:
        """The run as soon as `holds` is true of it; raises Cancelled once `cancel` is set."""
        while True:
            state = self.state()
            if holds(state):
                return state
            cancel.check()
            self._log.wait(self.run_id, state.seq, timeout_s=0.5)

    @contextmanager
    def stage(
        self, stage: Stage, part: str = "", *, clock: Callable[[], float] = time.monotonic
    ) -> Iterator[None]:
        """Frame a stage by its events; `part` tells repetitions of a stage apart."""
        begun = next((s for s in self.state().stages if s.stage == stage), None)
        before_s = (begun.seconds or 0.0) if begun else 0.0
        started = clock()
        self.write(StageStarted(stage=stage), key=f"{stage}:{part}:started")
        yield
        seconds = before_s + clock() - started
        self.write(StageFinished(stage=stage, seconds=seconds), key=f"{stage}:{part}:finished")

    def leave(self) -> None:
        """Stop what is under way without a word in the log: another process will go on."""
        self._left.set()
        self.cancel.set()

    def close(self) -> None:
        """Stop following the run."""
        self._done.set()
        self._watcher.join()

    def _watch(self, after: int) -> None:
        while not self._done.is_set() and not self.cancel.is_set():
            try:
                events = self._log.wait(self.run_id, after, timeout_s=0.5)
            except StorageError as error:
                logger.error("Run %s can't be followed: %s", self.run_id, error)
                self._done.wait(RETRY_S)
                continue
            if any(isinstance(event.payload, CancelRequested) for event in events):
                self.cancel.set()
            if events:
                after = events[-1].seq

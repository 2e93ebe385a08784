"""The user's answers about a run's test cases: taken at any moment, weighed at once.

During a run and after its end alike; nothing here asks a model.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from core.answer_events import answer_event
from core.cancel import Cancel
from core.errors import AppError, Cancelled, IllegalEvent, SandboxError
from core.events import WaitSkipped
from core.log import EventLog
from core.sandbox import Sandbox
from core.state import RunState, fold, unweighed
from core.tools import SkillLibrary
from core.weighing import Weigher

AT_ONCE = 2  # runs whose candidates are executed again at a time; others wait
CLOSE_S = 5.0
WAIT_S = 120.0
logger = logging.getLogger(__name__)


class Answers:
    """Takes and weighs answers. Thread-safe; other processes may take some of the same run."""

    def __init__(self, log: EventLog, sandbox: Sandbox, skills: SkillLibrary) -> None:
        self._log = log
        self._weigher = Weigher(log, sandbox, skills)
        self._cancel = Cancel()
        self._changed = threading.Condition()
        self._busy: set[str] = set()

    def give(
        self, run_id: str, case: str, answer: str, *, source: str = "", was: str = ""
    ) -> RunState:
        """Keep an answer and let it count; the run's state after that.

        `answer` is yes, no, edit or add, `source` the text of the latter two, and `was` the answer
        that it changes, '' for a first one. An added case has no `case` yet: what the suite has
        becomes a "yes", what contradicts a generated one an "edit" of it. "no" takes it back, "yes"
        lets it count again. The same answer again changes nothing. Raises RunNotFound, BadInput,
        Conflict where it comes too late; SandboxError and StorageError with the answer kept.
        """
        while True:
            state = fold(self._log.since(run_id))
            new = answer_event(state, case, answer, source, was)
            if new is None:
                break
            # The key has a place for one answer only: who comes second looks again.
            if self._log.append(run_id, new, key=f"answer:{len(state.answers)}") is not None:
                break
        try:
            return self.weigh(run_id)
        except SandboxError as error:
            kept = f"Your answer is kept, and counts when code can be run here: {error.message}"
            raise SandboxError(kept) from error

    def weigh(self, run_id: str) -> RunState:
        """Make all answers so far count; raises as `give`."""
        with self._turn(run_id):
            return self._weigher.weigh(run_id, self._cancel)

    def look(self, state: RunState) -> None:
        """Take up, in the background, what a process that died has left of this run's answers."""
        if not unweighed(state) or state.run_id in self._busy or self._cancel.is_set():
            return
        threading.Thread(
            target=self._take_up, args=(state.run_id,), name=f"weigh-{state.run_id}", daemon=True
        ).start()

    def go_on(self, run_id: str) -> bool:
        """Let the run wait no longer; False when it does not wait. RunNotFound."""
        if fold(self._log.since(run_id)).waiting is None:
            return False
        try:
            self._log.append(run_id, WaitSkipped(), key="skip")
        except IllegalEvent:
            return False
        return True

    def close(self) -> None:
        """Stop what is being executed; it is taken up when somebody looks again."""
        self._cancel.set()
        with self._changed:
            self._changed.wait_for(lambda: not self._busy, CLOSE_S)

    def _take_up(self, run_id: str) -> None:
        try:
            self.weigh(run_id)
        except Cancelled:
            pass
        except AppError as error:
            logger.error("The answers of run %s do not count yet: %s", run_id, error)

    @contextmanager
    def _turn(self, run_id: str) -> Iterator[None]:
        with self._changed:
            if not self._changed.wait_for(
                lambda: run_id not in self._busy and len(self._busy) < AT_ONCE, WAIT_S
            ):
                raise SandboxError("Other answers are being weighed. This one counts after them.")
            self._busy.add(run_id)
        try:
            yield
        finally:
            with self._changed:
                self._busy.discard(run_id)
                self._changed.notify_all()

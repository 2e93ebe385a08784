"""Runs as the page, the API and the terminal see them: start one, stop one, take them up again."""

from __future__ import annotations

import contextlib
import re
import secrets
import threading
import time
import unicodedata
from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from core.context import Context, Ports
from core.engine import carry_out
from core.errors import BadInput, IllegalEvent, StorageError
from core.events import CancelRequested, RunFinished, RunStarted
from core.inputs import described
from core.log import EventLog
from core.parts import carry_out_part
from core.sandbox.files import check_inputs
from core.steps import Json, Leaving, Steps
from core.writer import Writer

MAX_GOAL = 20_000
_NO_FILES: Mapping[str, bytes] = MappingProxyType({})
# The page is there before the engine; a goal that comes in between waits this long for it.
ATTACH_S = 15.0
LOOK_S = 2.0  # for a look at the sandbox; the run itself waits for it
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def checked_goal(goal: str) -> str:
    """The goal without outer blank space; BadInput when it is empty, too long or binary."""
    text = re.sub(r"\r\n?|\v|\f", "\n", goal).strip()
    if not text:
        raise BadInput("goal", "The goal is empty. Say in a sentence what the code should do.")
    if len(text) > MAX_GOAL:
        raise BadInput(
            "goal",
            f"The goal has {len(text):,} characters; at most {MAX_GOAL:,} are taken. "
            "Shorten it to what the code must do and a few examples.",
        )
    for place, character in enumerate(text):
        if character not in "\n\t" and unicodedata.category(character) in ("Cc", "Cs"):
            raise BadInput(
                "goal",
                f"The goal has a character that is not text (U+{ord(character):04X} at position "
                f"{place + 1}). Paste plain text instead of a file's bytes.",
            )
    return text


def new_run_id() -> str:
    """20 characters of 0-9a-z: 9 of the time in ms, so that ids sort by age, and 11 of chance."""
    number, digits = int(time.time() * 1000), ""
    for _ in range(9):
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits + "".join(secrets.choice(_DIGITS) for _ in range(11))


class Submit(Protocol):
    """The durable layer, as seen from here."""

    def submit(self, run_id: str) -> None:
        """Carry the run out."""


class Runs:
    """Starts and stops runs, and carries them out when the durable layer says so."""

    def __init__(self, log: EventLog, ports: Ports) -> None:
        self._log = log
        self._ports = ports
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._writers: dict[str, Writer] = {}
        self._stranded: dict[str, str] = {}
        self._leaving = False
        self._durable: Submit | None = None
        self._attached = threading.Event()
        self._refusal = "The engine has not started yet. Try again in a moment."

    def attach(self, durable: Submit) -> None:
        """Submit to this; runs that it takes up may already be calling `body`."""
        self._durable = durable
        self._attached.set()

    def refuse(self, why: str) -> None:
        """Take no goal on from now on: the engine is not there."""
        self._durable, self._refusal = None, why
        self._attached.set()

    def start(
        self,
        goal: str,
        files: Mapping[str, bytes] = _NO_FILES,
        *,
        wait_for_answers: bool = False,
    ) -> str:
        """Take a goal on and return its run's id; BadInput or StorageError when that can't be.

        `files` are there, by name, wherever the code is executed. `wait_for_answers`: before it
        ends, wait for the user's answers about its cases, up to run.answer_wait_s seconds.
        """
        text = checked_goal(goal)
        check_inputs(files, limit_bytes=self._ports.config().run.input_files_bytes)
        if not self._attached.wait(ATTACH_S) or self._durable is None:
            raise StorageError(self._refusal)
        run_id = new_run_id()
        first = RunStarted(
            goal=text,
            config_digest=self._ports.config().digest,
            rung=self._ports.sandbox.look(timeout_s=LOOK_S).name,
            files=described(files),
            wait_for_answers=wait_for_answers,
        )
        self._log.create(run_id, first, files)
        self._durable.submit(run_id)
        return run_id

    def cancel(self, run_id: str) -> bool:
        """Ask the run to stop; False when it had ended. RunNotFound for an unknown run."""
        try:
            self._log.append(run_id, CancelRequested(), key="cancel")
            if not self._log.is_claimed(run_id):
                # It waits for its turn, and would only then notice.
                reason = "Stopped by you before its turn came."
                self._log.append(run_id, RunFinished(outcome="cancelled", reason=reason))
        except IllegalEvent:
            return False
        return True

    def end_outdated(self, run_id: str) -> None:
        """End a run that another version began and that can't be gone on with."""
        reason = "Begun by another version of CodeEvolver, which can't be gone on with. Ask again."
        with contextlib.suppress(IllegalEvent):  # it has ended
            self._log.append(run_id, RunFinished(outcome="error", reason=reason))

    def leave(self) -> None:
        """Stop the runs of this process where they are; the next process takes them up."""
        with self._lock:
            self._leaving = True
            writers = list(self._writers.values())
        for writer in writers:
            writer.leave()

    def wait_idle(self, timeout_s: float) -> bool:
        """Wait until no run's body is under way in this process; False on timeout."""
        with self._lock:
            return self._idle.wait_for(lambda: not self._writers, timeout_s)

    def body(self, run_id: str, steps: Steps) -> None:
        """Carry the run out, in the calling thread."""
        writer = self._writer(run_id)
        try:
            carry_out(Context(writer=writer, ports=self._ports, steps=steps))
        except StorageError as error:
            self._stranded[run_id] = error.message
            raise Leaving from error
        except Leaving as leaving:
            if not writer.leaving:
                self._stranded[run_id] = str(leaving.__cause__ or "It was taken over.")
            raise
        finally:
            with self._lock:
                self._writers.pop(run_id, None)
                self._idle.notify_all()
            writer.close()

    def stranded(self, run_id: str) -> str:
        """Why this process gave the run up until the next start; '' when it did not."""
        return self._stranded.get(run_id, "")

    def part(self, run_id: str, name: str, steps: Steps) -> Json:
        """Carry the named part of a run out, in the calling thread."""
        context = Context(writer=self._writer(run_id), ports=self._ports, steps=steps)
        return carry_out_part(context, name)

    def _writer(self, run_id: str) -> Writer:
        """A run's body and its parts share one writer, whichever of them comes first."""
        try:
            with self._lock:
                if self._leaving:
                    raise Leaving
                if run_id not in self._writers:
                    self._writers[run_id] = Writer(self._log, run_id)
                writer = self._writers[run_id]
        except StorageError as error:
            self._stranded[run_id] = error.message
            raise Leaving from error
        # Not under the lock: on a full disk this waits.
        writer.begin()
        return writer

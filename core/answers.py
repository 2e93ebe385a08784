"""The user's answers about a run's test cases: taken at any moment, weighed at once.

During a run and after its end alike; nothing here asks a model.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import get_args

from core.answered import in_force, takes_answer
from core.cancel import Cancel
from core.edits import addition, check_own, find_contradicted, find_same, replacement, same_case
from core.errors import AppError, BadInput, Cancelled, Conflict, IllegalEvent, SandboxError
from core.events import Answer, Case, CaseAnswered, WaitSkipped
from core.log import EventLog
from core.reading.plans import Plan
from core.sandbox import Sandbox
from core.state import Phase, RunState, fold, unweighed
from core.tools import SkillLibrary
from core.weighing import Weigher

AT_ONCE = 2  # runs whose candidates are executed again at a time; others wait
MOST_ADDED = 20  # each may have every candidate executed again
CLOSE_S = 5.0
WAIT_S = 120.0
ANSWERS: tuple[Answer, ...] = get_args(Answer)
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
            new = _checked(state, case, answer, source, was)
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


def _checked(
    state: RunState, case_id: str, answer: str, source: str, was: str
) -> CaseAnswered | None:
    """The answer as an event, None where it was given before; BadInput, Conflict."""
    word = next((known for known in ANSWERS if known == answer), None)
    if word is None:
        raise BadInput("answer", "The answer must be yes, no, edit or add.")
    cases = in_force(state.cases, state.answers)
    if word == "add":
        return _added(state, case_id, source, cases)
    case = next((known for known in cases if known.id == case_id), None)
    if case is None:
        raise BadInput("case", f"The run has no test case {case_id!r}.")
    if not takes_answer(case):
        raise BadInput("case", "This case is your own, so there is nothing to ask about it.")
    if case.added and word == "edit":
        raise BadInput("answer", "You added this case: take it back with no, and add another.")
    _check_phase(state)
    if word == "yes":
        check_own("case", case.source, [one for one in cases if one.instead_of != case.id])
    added = ""
    if word == "edit":
        source = replacement(source, case, plan_of(state), cases)
        if same_case(source, case.source):
            word, source = "yes", ""  # as it stands, it is right
        else:
            added = _edited(state, case)
    else:
        source = ""
    new = CaseAnswered(case=case_id, answer=word, source=source, added=added)
    return _unless_answered(state, case, new, was)


def _edited(state: RunState, case: Case) -> str:
    """The id of what an edit puts in the case's place."""
    return f"{case.id}.{1 + sum(one.case == case.id for one in state.answers)}"


def _added(state: RunState, case: str, source: str, cases: Sequence[Case]) -> CaseAnswered | None:
    if case:
        raise BadInput("case", "An added case takes no other's place: leave `case` out, or edit.")
    _check_phase(state)
    if not state.cases:
        raise Conflict("The run has no test cases yet. Add yours once it has.")
    text = addition(source, plan_of(state))
    check_own("source", text, cases)
    same, other = find_same(text, cases), find_contradicted(text, cases)
    if same is not None and same.is_yours and same.counts:
        if same.is_by_answer or same.confirmed:
            return None
        raise BadInput("source", f"The suite has this case already ({same.id}).")
    if other is not None:
        edited = _edited(state, other)
        return CaseAnswered(case=other.id, answer="edit", source=text, added=edited)
    if same is not None and takes_answer(same):
        return CaseAnswered(case=same.id, answer="yes")  # the last word, whatever was before
    if sum(one.added and one.counts for one in cases) >= MOST_ADDED:
        raise BadInput("source", f"A run takes at most {MOST_ADDED} tests besides its own.")
    name = f"u{1 + sum(one.answer == 'add' for one in state.answers)}"
    return CaseAnswered(case=name, answer="add", source=text, added=name)


def _unless_answered(
    state: RunState, case: Case, new: CaseAnswered, was: str
) -> CaseAnswered | None:
    before = state.answer(case.id)
    if before is None:
        return new
    if (before.answer, before.source) == (new.answer, new.source):
        return None
    if before.answer != was:
        raise Conflict(
            f"This case was answered meanwhile: {said(before, case)}. "
            "Change that answer if it is wrong."
        )
    return new


def _check_phase(state: RunState) -> None:
    if state.phase is Phase.CANCELLING or state.outcome == "cancelled":
        raise Conflict("The run was cancelled, so no verdict rests on its cases. Ask again.")
    if state.outcome == "error":
        raise Conflict("The run ended by an error, so no verdict rests on its cases. Ask again.")


def plan_of(state: RunState) -> Plan:
    """The plan as the log has it."""
    return Plan(text=state.strategy, name=state.name, signature=state.signature)


def said(answer: CaseAnswered, case: Case) -> str:
    """The answer about the case in words, like "it is right"."""
    words = {
        "yes": "it counts again" if case.added else "it is right",
        "no": "it is taken back" if case.added else "it is wrong",
        "edit": f"{answer.source} in its place",
        "add": "it is added",
    }
    return words[answer.answer]

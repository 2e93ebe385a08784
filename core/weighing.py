"""Answers put in force: candidates executed again where need be, an ended run's verdict revised.

No model is asked. All that follows from the answers goes into the log in one piece, so a process
that dies on the way leaves answers that do not count yet, and whoever looks next begins anew.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

from core.answer_words import rests_on
from core.answered import in_force
from core.cancel import Cancel
from core.doubt import doubt_now
from core.errors import IllegalEvent, StorageError
from core.events import (
    JUDGED,
    AnswersWeighed,
    Doubt,
    Event,
    ExecutionFinished,
    Outcome,
    Payload,
    SkillSaved,
    SkillWithdrawn,
    VerdictRevised,
)
from core.log import EventLog
from core.packet import first_error, head
from core.sandbox import Sandbox
from core.state import CandidateState, RunState, apply, fold, lacking, unweighed
from core.testing import finished_execution, run_cases
from core.tools import SkillLibrary
from core.verdict import best_candidate, reason_passed

logger = logging.getLogger(__name__)


class Weigher:
    """Makes a run's answers count. Thread-safe; two at once for one run only do double work."""

    def __init__(self, log: EventLog, sandbox: Sandbox, skills: SkillLibrary) -> None:
        self._log = log
        self._sandbox = sandbox
        self._skills = skills

    def weigh(self, run_id: str, cancel: Cancel) -> RunState:
        """Do what the run's answers ask for, if anything; its state after that.

        Raises RunNotFound, SandboxError, StorageError, Cancelled; the answers are kept even so.
        """
        while unweighed(state := fold(self._log.since(run_id))):
            try:
                self._once(state, cancel)
            except IllegalEvent:
                cancel.check()  # somebody wrote in between: look again
        return state

    def _once(self, state: RunState, cancel: Cancel) -> None:
        weighed = AnswersWeighed(
            answers=len(state.answers), executions=tuple(self._executions(state, cancel))
        )
        if state.finished is None:
            self._log.append_all(state.run_id, [weighed], ended=False)
            return
        event = Event(run_id=state.run_id, seq=state.seq + 1, at=0.0, payload=weighed)
        verdict = self._verdict(apply(state, event))
        self._log.append_all(state.run_id, [weighed, *verdict], ended=True, after=state.seq)

    def _executions(self, state: RunState, cancel: Cancel) -> Iterator[ExecutionFinished]:
        """Of the candidates that ran, but not with the cases that count now."""
        cases = in_force(state.cases, state.answers)
        again = [candidate for candidate in state.candidates if lacking(candidate, cases)]
        if not again:
            return
        modules = {skill.name: skill.source for skill in self._skills.get(state.tools)}
        files = self._log.files(state.run_id)
        for candidate in again:
            result = run_cases(
                self._sandbox, candidate.code, cases, modules=modules, files=files, cancel=cancel
            )
            yield finished_execution(candidate.candidate, result)

    def _verdict(self, state: RunState) -> list[Payload]:
        """The revised outcome, and what becomes of the skill; nothing for a run without verdict."""
        ended = state.finished
        if ended is None or ended.outcome not in JUDGED or not state.candidates:
            return []
        best = best_candidate(state)
        doubt = doubt_now(state, best)
        passed: Outcome = "unconfirmed" if doubt else "passed"
        revised = VerdictRevised(
            outcome=passed if best.passes else "failed",
            reason=_reason(state, best, doubt=doubt),
            candidate=best.candidate,
            code=best.code,
            passed=best.passed,
            total=len(state.counted),
            answers=state.weighed,
        )
        return [*self._skill(state, best, green=best.passes and not doubt), revised]

    def _skill(self, state: RunState, best: CandidateState, *, green: bool) -> Iterator[Payload]:
        """Withdraw what passes no longer, keep what passes now; each is safe to do twice."""
        ended = state.finished
        kept = bool(state.skill) and state.withdrawn is None
        assert ended is not None
        try:
            if kept and (not green or best.code != ended.code):
                what = "unconfirmed" if best.passes and not green else "wrong"
                reason = f"By the user's answers the code of run {state.run_id} is {what}."
                if self._skills.withdraw(state.skill, state.run_id, reason):
                    yield SkillWithdrawn(name=state.skill, reason=reason)
                kept = False
            if green and not kept:
                name = self._skills.remember(
                    name=state.name,
                    signature=state.signature,
                    goal=state.goal,
                    run_id=state.run_id,
                    source=best.code,
                )
                yield SkillSaved(name=name)
        except StorageError as error:
            logger.warning("The skill of run %s stays as it is: %s", state.run_id, error)


def _reason(state: RunState, best: CandidateState, *, doubt: Doubt) -> str:
    if best.passes:
        used = [name for name in state.tools if re.search(rf"\b{name}\b", best.code)]
        return reason_passed(state, best, used, doubt=doubt)
    error = first_error(best.execution) if best.execution else "The code was not executed."
    text = f"{head(error, 300).rstrip('.')}.{rests_on(state.cases)}"
    return f"{text} The run had ended, so nobody mended this: ask again."

"""Where a run takes the user's answers in, and where it waits for them if it was asked to."""

from __future__ import annotations

import time

from core.context import Context
from core.events import AnswersAwaited
from core.questions import questions
from core.state import RunState, unweighed
from core.weighing import Weigher

LOOK_S = 0.5
# Whoever took an answer weighs it; only if nothing comes of that, the run does it itself.
HEAD_START_S = 2.0


def take_answers(context: Context, name: str, *, wait: bool = False) -> None:
    """Let all answers so far count in what follows, as the recorded step answers-NAME.

    `wait`: for those that are still to come, if the run was started so.
    """

    def work() -> int:
        weigher = Weigher(context.writer.log, context.ports.sandbox, context.ports.skills)
        if wait and context.state().wait_for_answers:
            _wait(context, weigher)
        weigher.weigh(context.writer.run_id, context.writer.cancel)
        return context.writer.newest_answers()

    context.writer.take_in(context.recorded(f"answers-{name}", work))


def _wait(context: Context, weigher: Weigher) -> None:
    """Until nothing is left to ask, the user wants no more, or the limit; Cancelled."""
    writer = context.writer
    state = _weighed(context, weigher)
    if not questions(state):
        return
    limit_s = context.ports.config().run.answer_wait_s
    writer.write(AnswersAwaited(limit_s=limit_s), key="answers-awaited")
    # A run that was taken up again goes on with the wait that it had begun.
    state = writer.whole_state()
    until = state.waiting_since + (state.waiting.limit_s if state.waiting else 0.0)
    while questions(state) and not state.wait_skipped and time.time() < until:
        writer.cancel.check()
        writer.wait(state.seq, min(LOOK_S, max(0.0, until - time.time())))
        state = _weighed(context, weigher)


def _weighed(context: Context, weigher: Weigher) -> RunState:
    writer = context.writer
    state = writer.whole_state()
    if not unweighed(state) or writer.wait(state.seq, HEAD_START_S):
        return writer.whole_state()
    return weigher.weigh(writer.run_id, writer.cancel)

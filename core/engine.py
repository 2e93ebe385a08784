"""One run, from goal to outcome, as a sequence of recorded steps.

The body may be executed again from its start after a crash: everything that costs or changes
something happens inside a recorded step, and every event is written under a key of its own, so a
replay adds nothing.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence

from core.ask import StepFailed
from core.confirm import Opinion, confirm, confirm_draft
from core.context import Context
from core.dispute import settle
from core.doubt import first_doubt
from core.drafts import write_drafts
from core.errors import (
    AppError,
    Cancelled,
    IllegalEvent,
    ModelAnswerError,
    SandboxError,
    StorageError,
)
from core.escalation import escalate, repair
from core.events import Doubt, Outcome, RunFinished, SkillSaved
from core.judging import judge
from core.planning import find_tools, take_packages, write_code, write_strategy
from core.spare import spare_roles
from core.spread import start_candidates
from core.state import Phase, RunState
from core.steps import Json, Leaving
from core.suite_writing import TESTS, check_tests
from core.testing import execute
from core.tools import Skill
from core.verdict import best_candidate, reason_failed, reason_passed
from core.waiting import take_answers

logger = logging.getLogger(__name__)


def carry_out(context: Context) -> None:
    """Work until the run has finished.

    Raises Leaving when this process ends or can't record steps any more: the run is then taken up
    at the next start.
    """
    if context.state().phase is Phase.FINISHED:
        return
    try:
        _work(context)
    except IllegalEvent as error:
        if context.state().phase is Phase.FINISHED:
            return  # cancelled before it began
        logger.warning("Run %s was taken over by another process", context.writer.run_id)
        raise Leaving from error
    except StorageError as error:
        logger.error("Run %s stops until the next start: %s", context.writer.run_id, error)
        raise Leaving from error
    except Cancelled:
        if context.writer.leaving:
            raise Leaving from None
        _write_end(context, "cancelled", f"Stopped by you{_where(context)}.")
    except AppError as error:
        _write_end(context, "error", f"{error.message}{_where(context)}")
    except Exception as error:
        # A thread's top: our own fault must end as an outcome, not as a run that hangs.
        logger.exception("Run %s broke off", context.writer.run_id)
        fault = f"A fault in CodeEvolver itself ended the run: {error!r}. The server's log has more"
        _write_end(context, "error", fault + ".")


def _work(context: Context) -> None:
    rung = context.ports.sandbox.look(context.writer.cancel)
    if not rung.runs:
        raise SandboxError(f"Generated code can't be run safely here: {rung.mend}")
    take_packages(context)
    skills = find_tools(context)
    write_strategy(context, skills)
    help_ = context.recorded("spare", lambda: _spare(context))
    tests = context.steps.part(f"{TESTS}-{help_['tests']}" if help_["tests"] else TESTS)
    others = start_candidates(context, help_["candidates"])
    _first_candidates(context, skills, tests, others)
    take_answers(context, "first")
    settle(context, "first", skills)
    opinion = confirm(context, skills)
    asked = write_drafts(context, skills, opinion.asked)
    if opinion.end == "none":
        opinion = confirm_draft(context, skills, asked)
    repair(context, skills)
    escalate(context, skills)
    take_answers(context, "before-the-end", wait=True)
    judge(context)
    _conclude(context, skills, opinion)


def _spare(context: Context) -> Json:
    """What endpoints that are idle now do: write candidates first, then more tests."""
    roles = spare_roles(context.ports.client.status())
    further = context.ports.config().run.candidates - 1
    return {"candidates": list(roles[:further]), "tests": next(iter(roles[further:]), "")}


def _first_candidates(
    context: Context,
    skills: Sequence[Skill],
    tests: Callable[[], Json],
    others: Sequence[Callable[[], Json]],
) -> None:
    """Those that are written at the same time, executed."""
    failed: StepFailed | None = None
    try:
        try:
            first = write_code(context, skills)
        except StepFailed as error:
            if not others:
                raise
            first, failed = "", error  # another may have its code already
        check_tests(tests())
        _check_cases(context)
        if first and execute(context, first, skills).status == "passed":
            context.writer.race.set()
    except AppError:
        # The run is about to end, and its parts must not write into it after that.
        context.writer.cancel.set()
        for part in (tests, *others):
            part()
        raise
    for part in others:
        part()
    if failed is not None and not context.state().candidates:
        raise failed


def _check_cases(context: Context) -> None:
    # A replay sees in the log what was disputed later.
    if not context.recorded("cases-usable", lambda: bool(context.state().counted)):
        raise ModelAnswerError(
            "No usable test case could be written, so nothing is proved. Add an example to the "
            "goal, such as f(2) == 4, or use a stronger generator model"
        )


def _conclude(context: Context, skills: Sequence[Skill], opinion: Opinion) -> None:
    """The outcome, from what was executed alone; a verified solution becomes a skill."""
    take_answers(context, "last")
    state = context.state()
    best = best_candidate(state)
    doubt = first_doubt(state, best, opinion)
    if not best.passes:
        _write_end(context, "failed", reason_failed(state, best), doubt)
        return
    used = [skill.name for skill in skills if re.search(rf"\b{skill.name}\b", best.code)]
    if doubt and not state.vouched:
        reason = reason_passed(state, best, used, doubt=doubt)
        _write_end(context, "unconfirmed", reason, doubt)
        return
    name = context.recorded("remember", lambda: _remember(context, state, best.code))
    if name:
        context.writer.write(SkillSaved(name=name), key="skill")
    _write_end(context, "passed", reason_passed(state, best, used), doubt)


def _remember(context: Context, state: RunState, code: str) -> str:
    """The skill's name; '' where it could not be kept, which makes the solution no worse."""
    try:
        return context.ports.skills.remember(
            name=state.name,
            signature=state.signature,
            goal=state.goal,
            run_id=state.run_id,
            source=code,
        )
    except StorageError as error:
        logger.warning("Run %s is not kept as a skill: %s", state.run_id, error)
        return ""


def _write_end(context: Context, outcome: Outcome, reason: str, doubt: Doubt = "") -> None:
    state = context.state()
    best = best_candidate(state) if state.candidates else None
    context.writer.write(
        RunFinished(
            outcome=outcome,
            reason=reason,
            candidate=best.candidate if best else "",
            code=best.code if best else "",
            passed=best.passed if best else 0,
            total=len(state.counted),
            strongest=context.strongest(),
            answers=state.weighed,
            doubt=doubt,
        ),
        key="finished",
    )


def _where(context: Context) -> str:
    running = [s.stage for s in context.state().stages if s.seconds is None]
    return f" (in stage {', '.join(running)})" if running else ""

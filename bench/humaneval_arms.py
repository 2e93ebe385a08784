"""The arms: ways from a goal to code, each over the product's own client and endpoints."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from typing import Any

from bench.humaneval_calls import Asking, code_in, unanswered
from bench.humaneval_records import STRONGEST_ALONE, WITHOUT_EXAMPLES, Answer
from bench.humaneval_seed import seed
from core.errors import AppError
from core.events import Role
from core.replies import extract_plan
from core.services import Services
from core.state import CandidateState, RunState, fold
from core.stub import code_prompt
from core.suite import counts

Arm = Callable[[Services, str], Answer]
POLL_S = 5.0


def small(services: Services, goal: str) -> Answer:
    """The generator's model alone: the product's prompt for code, greedy, one try."""
    return _alone(services, "generator", goal)


def large(services: Services, goal: str) -> Answer:
    """The escalation's model alone, in the same way."""
    return _alone(services, "escalation", goal)


def ours(services: Services, goal: str) -> Answer:
    """The product: a run as anybody starts it, with no skill of an earlier task.

    Raises BenchError when the run ended because no model could answer.
    """
    # Else a task's result would depend on those before it, and on where the bench was stopped.
    shutil.rmtree(services.opened_with.data_dir / "skills", ignore_errors=True)
    run_id = services.runs.start(goal)
    state = fold(services.log.since(run_id))
    while state.finished is None:
        state = fold(services.log.wait(run_id, state.seq, timeout_s=POLL_S), state)
    if state.finished.outcome == "error":
        for call in state.calls:
            if call.status == "failed":
                raise unanswered(call.role, AppError(state.finished.reason))
    return Answer(
        code=state.finished.code,
        outcome=state.finished.outcome,
        reason=state.finished.reason,
        candidates=len(state.candidates),
        calls=len(state.calls),
        tokens_in=_tokens(state, "tokens_in"),
        tokens_out=_tokens(state, "tokens_out"),
        **rests_on(state, state.candidate(state.finished.candidate)),
    )


ARMS: dict[str, Arm] = {
    "small": small,
    "large": large,
    "seed": seed,
    "ours": ours,
    WITHOUT_EXAMPLES: ours,
    STRONGEST_ALONE: ours,
}


def rests_on(state: RunState, candidate: CandidateState | None) -> dict[str, Any]:
    """The fields of Answer that tell what the final code was judged by."""
    ran = candidate.execution.cases if candidate and candidate.execution else ()
    suite = counts(state.cases, ran)
    return {
        "own": (suite.yours_passed, suite.yours_total),
        "generated": (suite.generated_passed, suite.generated_total),
        "disputed": suite.disputed,
    }


def with_goal_alone(goal: str) -> RunState:
    """A run without a plan: name and signature are the goal's own."""
    plan = extract_plan("", goal)
    return RunState(run_id="", goal=goal, name=plan.name, signature=plan.signature)


def _alone(services: Services, role: Role, goal: str) -> Answer:
    asking = Asking(services.client)
    state = with_goal_alone(goal)
    prompt = code_prompt(state, "", "")
    room = services.config.current.run.max_tokens
    reply = asking.ask(role, prompt, temperature=0.0, max_tokens=room)
    return Answer(code=code_in(reply, state.name), **asking.costs())


def _tokens(state: RunState, which: str) -> dict[str, int]:
    tokens: Counter[str] = Counter()
    for call in state.calls:
        if call.model:
            tokens[call.model] += getattr(call, which)
    return dict(tokens)

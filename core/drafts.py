"""Fresh drafts by the larger built-in model, before it is asked to mend anything.

Measured with the 1.5B model: shown wrong code it mostly gives the same code back, asked afresh it
often gets it right. Larger models mend well, so this holds for the built-in one alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.context import Context
from core.dispute import settle
from core.stub import code_begin, code_prompt
from core.testing import execute
from core.tools import Skill, offer

DRAFT = "d"
# Two wordings take turns: of 82 tasks the model solves 59 with either, six only with the one and
# six only with the other (docs/benchmark.md). With each it first gives what it holds to be best,
# then ever freer.
WORDINGS = 2
TEMPERATURE_STEP = 0.6
HIGHEST_TEMPERATURE = 0.9


def write_drafts(context: Context, skills: Sequence[Skill], asked: int) -> int:
    """Up to `run.builtin_drafts` drafts, each tested, until one passes or nothing can.

    The first `asked` of them have been asked for already; returns how many have been then.
    """
    end: int = context.recorded("drafts", lambda: _wanted(context))
    for number in range(asked, end):
        # Recorded, because a replay sees the later executions in the log too.
        if context.recorded(f"enough-{number}", lambda: _is_enough(context)):
            return number
        name = draft_name(number)
        with context.writer.stage("code", name):
            write_draft(context, number, skills)
        execute(context, name, skills)
        settle(context, name, skills)
    return max(asked, end)


def draft_name(number: int) -> str:
    """The id of draft `number`, from 0."""
    return f"{DRAFT}{number + 1}"


def write_draft(context: Context, number: int, skills: Sequence[Skill]) -> str:
    """Write draft `number`, from 0: the model that answered. Raises StepFailed."""
    name = draft_name(number)
    turn, wording = divmod(number, WORDINGS)
    answer, code = context.ask_code(
        f"code-draft-{name}",
        "escalation",
        lambda: code_prompt(
            context.state(),
            offer(skills),
            context.plan_for("escalation"),
            in_other_words=bool(wording),
        ),
        # Further ones begin by themselves: where the first has failed what helps is to differ.
        begin=lambda: "" if number else code_begin(context.state()),
        temperature=min(turn * TEMPERATURE_STEP, HIGHEST_TEMPERATURE),
    )
    context.write_candidate(0, answer, code, name=name)
    return answer.model


def _is_enough(context: Context) -> bool:
    state = context.state()
    return not state.counted or any(candidate.passes for candidate in state.candidates)


def _wanted(context: Context) -> int:
    """How many drafts there may be in all."""
    drafts = context.ports.config().run.builtin_drafts
    return drafts if context.is_builtin("escalation") else 0

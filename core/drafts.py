"""Fresh drafts by the larger built-in model, before it is asked to mend anything.

Measured with the 1.5B model: shown wrong code it mostly gives the same code back, asked afresh it
often gets it right. Larger models mend well, so this holds for the built-in one alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.context import Context
from core.dispute import settle
from core.packet import code_prompt
from core.testing import execute
from core.tools import Skill, offer

# The first is what the model holds to be best, the further ones ever freer.
FIRST_TEMPERATURE = 0.0
TEMPERATURE_STEP = 0.3
HIGHEST_TEMPERATURE = 0.9


def write_drafts(context: Context, skills: Sequence[Skill]) -> None:
    """Up to `run.builtin_drafts` further drafts, each tested, until one passes."""
    names = [f"d{n}" for n in range(1, context.recorded("drafts", lambda: _wanted(context)) + 1)]
    for number, name in enumerate(names):
        # Recorded, because a replay sees the later executions in the log too.
        if context.recorded(f"enough-{name}", lambda: _one_passes(context)):
            return
        freer = FIRST_TEMPERATURE + TEMPERATURE_STEP * number
        _write_draft(context, name, min(freer, HIGHEST_TEMPERATURE), skills)
        execute(context, name, skills)
        settle(context, name, skills)


def _one_passes(context: Context) -> bool:
    return any(candidate.passes for candidate in context.state().candidates)


def _write_draft(context: Context, name: str, temperature: float, skills: Sequence[Skill]) -> None:
    with context.writer.stage("code", name):
        answer, code = context.ask_code(
            f"code-draft-{name}",
            "escalation",
            lambda: code_prompt(context.state(), offer(skills), context.plan_for("escalation")),
            temperature=temperature,
        )
        context.write_candidate(0, answer, code, name=name)


def _wanted(context: Context) -> int:
    if not context.is_builtin("escalation"):
        return 0
    return context.ports.config().run.builtin_drafts

"""Further candidates, written at the same time as the first by endpoints that have nothing to do.

The first candidate that passes the suite ends the race: the calls of the others are broken off,
so that their servers stop as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.ask import StepFailed
from core.context import Context
from core.errors import Cancelled
from core.events import Role
from core.steps import Json, Leaving
from core.stub import code_prompt
from core.testing import execute
from core.tools import offer

CANDIDATE = "candidate"
FIRST_TEMPERATURE = 0.6
TEMPERATURE_STEP = 0.2
HIGHEST_TEMPERATURE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a further candidate is written: its number from 1, and the role that writes it."""

    number: int
    role: Role

    @property
    def name(self) -> str:
        """The candidate's id."""
        return f"s{self.number}"

    @property
    def temperature(self) -> float:
        """The further from the first, the freer."""
        free = FIRST_TEMPERATURE + TEMPERATURE_STEP * (self.number - 1)
        return min(free, HIGHEST_TEMPERATURE)


def start_candidates(context: Context, roles: Sequence[Role]) -> list[Callable[[], Json]]:
    """Start a part for a further candidate by each of `roles`.

    Each function returned waits for one of them: its id, or '' when there is none.
    """
    names = [f"{CANDIDATE}-{role}-{number}" for number, role in enumerate(roles, 1)]
    return [context.steps.part(name) for name in names]


def write_further(context: Context, place: Place) -> Json:
    """Write and execute it: the candidate's id, '' when another was verified first.

    A model that fails here fails nothing but its own candidate.
    """
    race = context.writer.race
    try:
        race.check()
        _write(context, place)
        context.writer.until(lambda state: bool(state.cases), race)
        skills = context.ports.skills.get(context.state().tools)
        execution = execute(context, place.name, skills, framed=False)
    except (Cancelled, StepFailed):
        if context.writer.leaving:
            raise Leaving from None
        return ""
    if execution.status == "passed":
        race.set()
    return place.name


def _write(context: Context, place: Place) -> None:
    state = context.state()
    skills = context.ports.skills.get(state.tools)
    answer, code = context.ask_code(
        f"code-{place.name}",
        place.role,
        lambda: code_prompt(state, offer(skills), context.plan_for(place.role)),
        temperature=place.temperature,
        cancel=context.writer.race,
    )
    context.write_candidate(0, answer, code, name=place.name)

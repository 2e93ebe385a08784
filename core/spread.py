"""Further candidates, written at the same time as the first by endpoints that have nothing to do.

The first candidate that passes the suite ends the race: the calls of the others are broken off,
so that their servers stop as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.ask import StepFailed
from core.context import Context
from core.endpoints import EndpointStatus, RoleStatus
from core.errors import Cancelled
from core.events import Role
from core.packet import code_prompt
from core.steps import Json, Leaving
from core.testing import execute
from core.tools import offer

PART = "candidate-"
FIRST_TEMPERATURE = 0.6
TEMPERATURE_STEP = 0.2
HIGHEST_TEMPERATURE = 1.0
# Of the generator's endpoints, the first candidate takes one and the test cases another.
TAKEN = 2
_WILLING = ("unknown", "healthy")


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


def idle_roles(statuses: Sequence[RoleStatus], most: int) -> tuple[Role, ...]:
    """Who can write at most `most` further candidates now, without keeping anybody waiting.

    The generator once for each of its idle endpoints beyond TAKEN; then the stronger model once,
    where it has an idle endpoint that is not the generator's: another model errs elsewhere.
    """
    by_role = {status.role: status for status in statuses}
    generator, stronger = by_role["generator"], by_role["escalation"]
    if generator.served_by_builtin:
        return ()
    roles: list[Role] = ["generator"] * max(0, len(_idle(generator)) - TAKEN)
    own = {one.url for one, _, _ in generator.endpoints}
    if not stronger.served_by_builtin and _idle(stronger) - own:
        roles.append("escalation")
    return tuple(roles[: max(0, most)])


def _idle(status: RoleStatus) -> set[str]:
    return {
        one.url
        for one, has_model, _ in status.endpoints
        if has_model is not False and _is_idle(one)
    }


def _is_idle(endpoint: EndpointStatus) -> bool:
    return endpoint.state in _WILLING and endpoint.reachable is True and not endpoint.in_flight


def start_candidates(context: Context) -> list[Callable[[], Json]]:
    """Start a part for each further candidate; each function returned waits for one's id, or ''."""
    roles = context.recorded("places", lambda: list(_roles(context)))
    names = [f"{PART}{number}-{role}" for number, role in enumerate(roles, 1)]
    return [context.steps.part(name) for name in names]


def _roles(context: Context) -> tuple[Role, ...]:
    most = context.ports.config().run.candidates - 1
    return idle_roles(context.ports.client.status(), most)


def write_candidate_part(context: Context, part: str) -> Json:
    """Carry the part of this name out: its candidate's id, '' when another was verified first.

    A model that fails here fails nothing but its own candidate.
    """
    number, role = part.removeprefix(PART).split("-")
    place = Place(number=int(number), role="escalation" if role == "escalation" else "generator")
    race = context.writer.race
    try:
        race.check()
        _write(context, place)
        context.writer.until(lambda state: bool(state.cases), race)
    except (Cancelled, StepFailed):
        if context.writer.leaving:
            raise Leaving from None
        return ""
    skills = context.ports.skills.get(context.state().tools)
    if execute(context, place.name, skills, framed=False).status == "passed":
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

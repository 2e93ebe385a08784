"""Which endpoints have nothing to do, and what they could do for a run meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from core.endpoints import EndpointStatus, RoleStatus
from core.events import Role

# Of the generator's endpoints, the first candidate takes one and the test cases another.
TAKEN = 2
_WILLING = ("unknown", "healthy")


def spare_roles(statuses: Sequence[RoleStatus]) -> tuple[Role, ...]:
    """Who could be asked for something more now, without keeping anybody waiting.

    The generator once for each of its idle endpoints beyond TAKEN; then the stronger model once,
    where it has an idle endpoint that is not the generator's: another model errs elsewhere. Nobody
    where the built-in model generates: its servers share one machine.
    """
    by_role = {status.role: status for status in statuses}
    generator, stronger = by_role["generator"], by_role["escalation"]
    if generator.served_by_builtin:
        return ()
    roles: list[Role] = ["generator"] * max(0, len(_idle(generator)) - TAKEN)
    own = {one.url for one, _, _ in generator.endpoints}
    if not stronger.served_by_builtin and _idle(stronger) - own:
        roles.append("escalation")
    return tuple(roles)


def _idle(status: RoleStatus) -> set[str]:
    return {
        one.url
        for one, has_model, _ in status.endpoints
        if has_model is not False and _is_idle(one)
    }


def _is_idle(endpoint: EndpointStatus) -> bool:
    return endpoint.state in _WILLING and endpoint.reachable is True and not endpoint.in_flight

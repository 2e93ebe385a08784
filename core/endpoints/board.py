"""What is known of the endpoints, for people: state, reason, countdown, figures."""

from __future__ import annotations

from collections.abc import Collection

from core.config import EndpointConfig, RoleConfig
from core.endpoints.faults import FAULTS, Effect
from core.endpoints.figures import Ledger
from core.endpoints.kinds import Kinds
from core.endpoints.lease import View
from core.endpoints.probe import Found
from core.endpoints.rotation import Rotation
from core.endpoints.states import RESTS, Block
from core.endpoints.values import EndpointStatus, RoleStatus
from core.events import Role


class Board:
    """`found` is the last look at each endpoint, by id."""

    def __init__(self, kinds: Kinds, rotation: Rotation, ledger: Ledger) -> None:
        self._kinds = kinds
        self._rotation = rotation
        self._ledger = ledger
        self.found: dict[str, Found] = {}

    def keep(self, known: Collection[str]) -> None:
        """Forget all endpoints but these."""
        for identity in [one for one in list(self.found) if one not in known]:
            self.found.pop(identity, None)

    def role(self, role: Role, entry: RoleConfig, builtin: bool) -> RoleStatus:
        """A role's endpoints; `builtin`: the built-in model stands in where none can serve."""
        rows = [self._endpoint(endpoint, entry.model) for endpoint in entry.endpoints]
        obstacles = [self._obstacle(endpoint, entry.model) for endpoint in entry.endpoints]
        unserved = all(obstacles)
        return RoleStatus(
            role=role,
            model=entry.model,
            endpoints=tuple(rows),
            served_by_builtin=unserved and builtin,
            why="; ".join(obstacles) if unserved else "",
            strategy=entry.strategy,
            waiting=self._rotation.waiting(role),
            figures=self._ledger.of(role),
        )

    def _obstacle(self, endpoint: EndpointConfig, model: str) -> str:
        """Why the endpoint would not be the one to serve the model, '' when it would."""
        found, view = self.found.get(endpoint.id), self._rotation.view(endpoint)
        if endpoint.off:
            return f"{endpoint.url} is {view.message}"
        if view.opened and view.state not in RESTS:
            return view.message
        if found and found.error and _counts(found, view):
            return found.message
        if self._rotation.passed_over(endpoint, model) is Block.MODEL:
            return f"{endpoint.url} does not have {model}"
        return ""

    def _endpoint(
        self, endpoint: EndpointConfig, model: str
    ) -> tuple[EndpointStatus, bool | None, str]:
        found = self.found.get(endpoint.id)
        view = self._rotation.view(endpoint)
        has = found.has(model) if found else None
        status = EndpointStatus(
            id=endpoint.id,
            url=endpoint.url,
            kind=self._kinds.known(endpoint),
            state=view.state.value,
            reachable=_reachable(found, view),
            models=found.models if found else (),
            message=view.message or (found.message if found else ""),
            in_flight=view.in_flight,
            cooldown_s=view.cooldown_s,
            calls=view.calls,
            failures=view.failures,
            name=endpoint.name,
            weight=endpoint.weight,
            max_inflight=endpoint.max_inflight,
            figures=self._ledger.of(endpoint.id),
        )
        return status, has, _mend(status, view, has, model)


def _reachable(found: Found | None, view: View) -> bool | None:
    if found is None:
        return None
    return found.reachable or (view.has_served and not view.opened and not _counts(found, view))


def _counts(found: Found, view: View) -> bool:
    """Whether a look that failed says that calls fail too."""
    fault = FAULTS[found.error]
    told = fault.effect is Effect.OPEN or (found.proves and not view.has_served)
    return fault.absent and told


def _mend(status: EndpointStatus, view: View, has: bool | None, model: str) -> str:
    if has is False:
        if status.kind == "ollama":
            return f"ollama pull {model}"
        return f"load {model} there, or name one that it lists"
    return status.message if view.opened else ""

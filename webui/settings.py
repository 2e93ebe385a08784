"""The settings page: each role's model and endpoints, edited in place and saved to the file.

One form for each role. Its buttons add, remove and move rows; they answer with the same form and
all that was typed. Only `save` writes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from core.config import as_role
from core.config.restart import waiting
from core.errors import ConfigError, StorageError
from core.events import ROLES, Role
from webui import limits, present, status
from webui.limits import LimitsForm

if TYPE_CHECKING:
    from core.services import Services

MAX_ROWS = 64
DUTIES: Mapping[Role, str] = {
    "overseer": "Plans how to reach the goal.",
    "generator": "Writes the code and the tests.",
    "evaluator": "Scores the result.",
    "triage": "Takes a quick first look.",
    "escalation": "Mends code that failed. Give it your strongest model.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleForm:
    """A role's form as it is shown: what was typed, and what is wrong with it by row number."""

    role: Role
    model: str
    endpoints: tuple[str, ...]
    inherited: Role | None = None
    model_problem: str = ""
    row_problems: Mapping[int, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def refused(self) -> bool:
        """Whether anything is wrong with it."""
        return bool(self.model_problem or self.row_problems or self.problem)


def blueprint(services: Services) -> Blueprint:
    """The page over `services`."""
    settings = Blueprint("settings", __name__)

    def page(
        edited: RoleForm | None = None, saved: str = "", edited_limits: LimitsForm | None = None
    ) -> str:
        forms = [
            edited if edited and edited.role == role else _stored(services, role) for role in ROLES
        ]
        return render_template(
            "settings.html",
            forms=forms,
            duties=DUTIES,
            saved=saved,
            limits=edited_limits or limits.stored(services.config.current),
            settings=limits.SETTINGS,
            waiting=waiting(services.opened_with, services.config.current),
            config=services.config.current,
            warnings=services.config.warnings,
            known={one.role: one for one in services.client.status()},
            roles=services.client.status(),
            builtin=status.builtin(services),
        )

    @settings.get("/settings")
    def show() -> Response:
        saved = request.args.get("saved", "")
        response = make_response(page(saved=saved))
        if saved:
            response.headers["HX-Trigger"] = "saved"
        return response

    @settings.post("/settings/limits")
    def change_limits() -> Response | tuple[str, int]:
        form = limits.save(services)
        if form.refused:
            return page(edited_limits=form), 400
        return redirect(url_for("settings.show", saved="limits") + "#generated-code", 303)

    @settings.post("/settings/<name>")
    def change(name: str) -> Response | str | tuple[str, int]:
        form = _typed(as_role(name))
        action = request.form.get("action", "save")
        if action != "save":
            return page(edited=replace(form, endpoints=_moved(form.endpoints, action)))
        refused = _save(services, form)
        if refused is not None:
            return page(edited=refused), 400
        return redirect(url_for("settings.show", saved=form.role) + f"#role-{form.role}", 303)

    @settings.get("/settings/status")
    def endpoint_status() -> str:
        template = "_endpoints.html" if "HX-Request" in request.headers else "endpoints.html"
        return render_template(template, roles=services.client.probe())

    return settings


def _stored(services: Services, role: Role) -> RoleForm:
    config = services.config.current
    entry = config.role(role)
    urls = tuple(
        f"{endpoint.url}/v1" if endpoint.kind == "openai" else endpoint.url
        for endpoint in entry.endpoints
    )
    return RoleForm(
        role=role, model=entry.model, endpoints=urls, inherited=config.inherited.get(role)
    )


def _typed(role: Role) -> RoleForm:
    return RoleForm(
        role=role,
        model=request.form.get("model", "").strip(),
        endpoints=tuple(text.strip() for text in request.form.getlist("endpoint")),
    )


def _moved(rows: Sequence[str], action: str) -> tuple[str, ...]:
    """The rows after `add`, or `remove-2`, `up-1`, `down-0`: row numbers count from 0."""
    changed = list(rows)
    verb, _, number = action.partition("-")
    if verb == "add":
        changed.append("")
    at = int(number) if number.isascii() and number.isdigit() else -1
    if not 0 <= at < len(rows):
        return tuple(changed)
    if verb == "remove":
        del changed[at]
    elif verb in ("up", "down"):
        other = min(max(at + (1 if verb == "down" else -1), 0), len(rows) - 1)
        changed[at], changed[other] = changed[other], changed[at]
    return tuple(changed)


def _save(services: Services, form: RoleForm) -> RoleForm | None:
    """Write it; the form with its problems when it was refused."""
    kept = [row for row, text in enumerate(form.endpoints) if text]
    if len(kept) > MAX_ROWS:
        surplus = present.plural(len(kept) - MAX_ROWS, "endpoint")
        problem = f"A role can have at most {MAX_ROWS} endpoints. Remove {surplus} and save again."
        return replace(form, problem=problem)
    try:
        services.config.save_role(form.role, form.model, [form.endpoints[row] for row in kept])
    except ConfigError as error:
        return _with_problems(form, error, kept)
    except StorageError as error:
        return replace(form, problem=error.message)
    return None


def _with_problems(form: RoleForm, error: ConfigError, kept: Sequence[int]) -> RoleForm:
    path = f"ollama.models.{form.role}"
    model, rows, other = "", dict[int, str](), list[str]()
    for problem in error.problems:
        text = f"{problem.message[:1].upper()}{problem.message[1:]}. {problem.mend}".rstrip()
        row = re.match(re.escape(path) + r"\.endpoints\[(\d+)\]", problem.path)
        if problem.path == f"{path}.model":
            model = text
        elif row and int(row[1]) < len(kept):
            rows[kept[int(row[1])]] = text
        else:
            other.append(str(problem))
    return replace(form, model_problem=model, row_problems=rows, problem=" ".join(other))

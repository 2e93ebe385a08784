"""The settings page: each role's model and endpoints, edited in place and saved to the file.

One form for each role. Its buttons add, remove and move rows; they answer with the same form and
all that was typed. Only `save` writes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from core.config import as_role
from core.config.restart import waiting
from core.events import ROLES, Role
from webui import figures, limits, role_form, role_store, status
from webui.limits import LimitsForm
from webui.role_form import RoleForm

if TYPE_CHECKING:
    from core.services import Services

DUTIES: Mapping[Role, str] = {
    "overseer": "Plans how to reach the goal.",
    "generator": "Writes the code and the tests.",
    "evaluator": "Scores the result.",
    "triage": "Takes a quick first look.",
    "escalation": "Mends code that failed. Give it your strongest model.",
}


def blueprint(services: Services) -> Blueprint:
    """The page over `services`."""
    settings = Blueprint("settings", __name__)

    def page(
        edited: RoleForm | None = None, saved: str = "", edited_limits: LimitsForm | None = None
    ) -> str:
        forms = [
            edited if edited and edited.role == role else role_store.stored(services, role)
            for role in ROLES
        ]
        return render_template(
            "settings.html",
            forms=forms,
            duties=DUTIES,
            strategies=figures.STRATEGIES,
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
        form = role_form.typed(as_role(name))
        action = request.form.get("action", "save")
        if action != "save":
            form = replace(form, rows=role_form.moved(form.rows, action))
            return page(edited=role_store.compared(services, form))
        refused = role_store.save(services, form)
        if refused is not None:
            return page(edited=role_store.compared(services, refused)), 400
        return redirect(url_for("settings.show", saved=form.role) + f"#role-{form.role}", 303)

    @settings.get("/settings/status")
    def endpoint_status() -> Response:
        if "HX-Request" not in request.headers:
            return redirect(url_for("endpoints.show"))
        return make_response(render_template("_endpoints.html", roles=services.client.probe()))

    return settings

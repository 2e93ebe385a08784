"""The endpoints page: who is how, pulling a model, measuring; buttons that work anywhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from core.config import BadUrl, EndpointConfig, normalise
from core.errors import BadInput
from webui import figures

if TYPE_CHECKING:
    from core.services import Services

_PLACE = re.compile(r"[a-z]{1,12}-[0-9]{1,3}(-[0-9]{1,3})?")


def blueprint(services: Services) -> Blueprint:
    """The page over `services`."""
    endpoints = Blueprint("endpoints", __name__)

    @endpoints.get("/endpoints")
    def show() -> str:
        roles = services.client.probe()
        return render_template("endpoints.html", roles=roles, cards=figures.cards(roles))

    @endpoints.get("/endpoints/figures")
    def shown() -> str:
        roles = services.client.status()
        return render_template("_figures.html", roles=roles, cards=figures.cards(roles))

    @endpoints.get("/endpoints/pull")
    def pull_state() -> Response:
        pull = services.pulls.state(_given("id"), _given("model"))
        return _box("_pull.html", ended=pull is not None and not pull.running)

    @endpoints.post("/endpoints/pull")
    def pull() -> Response:
        return _done("_pull.html", lambda: services.pulls.start(*_asked(services)))

    @endpoints.post("/endpoints/pull/cancel")
    def cancel_pull() -> Response:
        return _done("_pull.html", lambda: services.pulls.cancel(_given("id"), _given("model")))

    @endpoints.get("/endpoints/measure")
    def measure_state() -> Response:
        running = services.qualifier.running(_given("id"), _given("model"))
        return _box("_measure.html", ended=running is None)

    @endpoints.post("/endpoints/measure")
    def measure() -> Response:
        return _done("_measure.html", lambda: services.qualifier.start(*_asked(services)))

    @endpoints.post("/endpoints/measure/cancel")
    def cancel_measuring() -> Response:
        return _done(
            "_measure.html", lambda: services.qualifier.cancel(_given("id"), _given("model"))
        )

    return endpoints


def named(services: Services, identity: str) -> EndpointConfig:
    """The configuration's endpoint of this id. Raises BadInput."""
    endpoint = _known(services).get(identity)
    if endpoint is None:
        message = f"{identity[:200]} is no endpoint of any role any more. Reload the page."
        raise BadInput("id", message)
    return endpoint


def addressed(services: Services, url: str) -> EndpointConfig:
    """The configuration's only endpoint with this URL. Raises BadInput."""
    try:
        wanted = normalise(url)[0]
    except BadUrl as error:
        raise BadInput("url", f"{error.message}. {error.mend}") from error
    # As a page shows it, or as a person types it.
    found = [one for one in _known(services).values() if one.url in (url, wanted)]
    if not found:
        raise BadInput("url", f"{wanted} is no endpoint of any role. Add it on the settings page.")
    if len(found) > 1:
        ids = " or ".join(f'"{one.id}"' for one in found)
        raise BadInput("id", f"{wanted} is there with several keys. Give the `id` of one: {ids}.")
    return found[0]


def _known(services: Services) -> dict[str, EndpointConfig]:
    entries = services.config.current.models.values()
    return {one.id: one for entry in entries for one in entry.endpoints}


def _asked(services: Services) -> tuple[EndpointConfig, str]:
    return named(services, _given("id")), _given("model")


def _done(template: str, act: Callable[[], object]) -> Response:
    """Do it, and show how it stands: the part of the page that asked, or all of that page."""
    problem = ""
    try:
        act()
    except BadInput as error:
        if "HX-Request" not in request.headers:
            raise
        problem = error.message
    if "HX-Request" in request.headers:
        return _box(template, problem=problem)
    role = request.form.get("role", "")
    if request.form.get("page") == "settings":
        return redirect(url_for("settings.show") + (f"#role-{role}" if role else ""), 303)
    return redirect(url_for("endpoints.show"), 303)


def _box(template: str, *, ended: bool = False, problem: str = "") -> Response:
    place = _given("place")
    if not _PLACE.fullmatch(place):
        raise BadInput("place", "`place` must be that of a part of the page.")
    page = request.values.get("page", "")
    html = render_template(
        template,
        id=_given("id"),
        model=_given("model"),
        place=place,
        page="settings" if page == "settings" else "endpoints",
        problem=problem,
    )
    response = make_response(html)
    if ended:
        response.headers["HX-Trigger"] = "saved"  # the page then looks at the endpoints anew
    return response


def _given(name: str) -> str:
    return request.values.get(name, "")[:3000]

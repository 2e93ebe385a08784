"""The JSON API of pulling and measuring."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify, request

from core.endpoints.pull import Pull
from core.errors import BadInput
from webui.bodies import json_object
from webui.endpoints import find

if TYPE_CHECKING:
    from core.services import Services


def blueprint(services: Services) -> Blueprint:
    """The API over `services`."""
    api = Blueprint("endpoints_api", __name__)

    @api.post("/api/endpoints/pull")
    def pull() -> tuple[Response, int]:
        url, model = _named(json_object())
        return jsonify(_pull(services.pulls.start(find(services, url), model))), 202

    @api.get("/api/endpoints/pull")
    def pulls() -> Response:
        """All, or those of `url` and `model`."""
        wanted = {key: request.args[key] for key in ("url", "model") if key in request.args}
        if len(wanted) == 2:
            known = services.pulls.state(find(services, wanted["url"]).url, wanted["model"])
            return jsonify(pulls=[_pull(known)] if known else [])
        return jsonify(pulls=[_pull(one) for one in services.pulls.all()])

    @api.post("/api/endpoints/pull/cancel")
    def cancel() -> Response:
        url, model = _named(json_object())
        stopped = services.pulls.cancel(find(services, url).url, model)
        if stopped is None:
            raise BadInput("model", f"{model} was not pulled at {url}.")
        return jsonify(_pull(stopped))

    @api.post("/api/endpoints/measure")
    def measure() -> tuple[Response, int]:
        url, model = _named(json_object())
        return jsonify(asdict(services.qualifier.start(find(services, url), model))), 202

    @api.get("/api/endpoints/measure")
    def measured() -> Response:
        url, model = request.args.get("url", ""), request.args.get("model", "")
        place = find(services, url).url
        book, running = services.qualifier.book, services.qualifier.running(place, model)
        found = book.of(place, model)
        return jsonify(
            running=asdict(running) if running else None,
            found=asdict(found) if found else None,
            remark=book.remark(place, model),
        )

    return api


def _named(body: dict[str, Any]) -> tuple[str, str]:
    url, model = body.get("url"), body.get("model")
    if not isinstance(url, str) or not isinstance(model, str):
        raise BadInput("url", 'The body must be like {"url": "http://...", "model": "llama3"}.')
    return url, model


def _pull(pull: Pull) -> dict[str, Any]:
    return asdict(pull) | {"running": pull.running}

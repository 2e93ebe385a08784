"""The JSON API of pulling and measuring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, jsonify, request

from core.config import EndpointConfig
from core.endpoints.pull import Pull
from core.errors import BadInput
from webui.bodies import json_object
from webui.endpoints import addressed, named

if TYPE_CHECKING:
    from core.services import Services


def blueprint(services: Services) -> Blueprint:
    """The API over `services`. Each call names a `model` and an endpoint: by its `url`, or where
    several share that by its `id`."""
    api = Blueprint("endpoints_api", __name__)

    def under_way(given: Mapping[str, Any]) -> tuple[str, str]:
        """The same; an endpoint that was taken out since can still be named by its id."""
        identity, model = given.get("id"), given.get("model")
        if isinstance(identity, str) and isinstance(model, str):
            return identity, model
        endpoint, model = wanted(given)
        return endpoint.id, model

    def wanted(given: Mapping[str, Any]) -> tuple[EndpointConfig, str]:
        model, identity, url = given.get("model"), given.get("id"), given.get("url")
        if not isinstance(model, str) or not isinstance(identity or url, str):
            like = '{"url": "http://...", "model": "llama3"}'
            raise BadInput("url", f"It must be said what and where, like {like}.")
        if identity:
            return named(services, str(identity)), model
        return addressed(services, str(url)), model

    @api.post("/api/endpoints/pull")
    def pull() -> tuple[Response, int]:
        return jsonify(_pull(services.pulls.start(*wanted(json_object())))), 202

    @api.get("/api/endpoints/pull")
    def pulls() -> Response:
        """All, or those of a model at an endpoint."""
        if "model" not in request.args:
            return jsonify(pulls=[_pull(one) for one in services.pulls.all()])
        endpoint, model = wanted(request.args)
        known = services.pulls.state(endpoint.id, model)
        return jsonify(pulls=[_pull(known)] if known else [])

    @api.post("/api/endpoints/pull/cancel")
    def cancel() -> Response:
        identity, model = under_way(json_object())
        stopped = services.pulls.cancel(identity, model)
        if stopped is None:
            raise BadInput("model", f"{model} was not pulled at {identity}.")
        return jsonify(_pull(stopped))

    @api.post("/api/endpoints/measure")
    def measure() -> tuple[Response, int]:
        return jsonify(asdict(services.qualifier.start(*wanted(json_object())))), 202

    @api.post("/api/endpoints/measure/cancel")
    def cancel_measuring() -> Response:
        identity, model = under_way(json_object())
        if not services.qualifier.cancel(identity, model):
            raise BadInput("model", f"{model} is not being measured at {identity}.")
        return told(identity, model)

    @api.get("/api/endpoints/measure")
    def measured() -> Response:
        endpoint, model = wanted(request.args)
        return told(endpoint.id, model)

    def told(identity: str, model: str) -> Response:
        qualifier = services.qualifier
        running, found = qualifier.running(identity, model), qualifier.book.of(identity, model)
        return jsonify(
            running=asdict(running) if running else None,
            found=asdict(found) if found else None,
            remark=qualifier.book.remark(identity, model),
        )

    return api


def _pull(pull: Pull) -> dict[str, Any]:
    return asdict(pull) | {"running": pull.running}

"""The JSON API. Errors are {"error": {"code", "message", "field"}} with the right status."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import cattrs
from flask import Blueprint, Response, jsonify, request, url_for
from werkzeug.exceptions import ServiceUnavailable

from core.errors import BadInput, RunNotFound
from core.events import Event, RunFinished, event_to_dict
from core.log import EventLog, RunSummary
from core.questions import Question
from core.savings import of_run
from core.state import RunState, fold
from webui import lineage, savings
from webui.asking import asked
from webui.bodies import json_object
from webui.live import WATCH_S, Live, parse_after
from webui.uploads import from_json

if TYPE_CHECKING:
    from core.endpoints import RoleStatus
    from core.services import Services

MAX_LISTED = 500
_converter = cattrs.Converter()


def blueprint(services: Services, live: Live) -> Blueprint:
    """The API over `services`; following readers share the sockets' places."""
    api = Blueprint("api", __name__)
    log = services.log

    @api.post("/api/runs")
    def start() -> tuple[Response, int, dict[str, str]]:
        body = json_object()
        goal = body.get("goal")
        if not isinstance(goal, str):
            raise BadInput("goal", 'The body must be like {"goal": "what the code should do"}.')
        wait = body.get("wait_for_answers", False)
        if not isinstance(wait, bool):
            raise BadInput("wait_for_answers", "`wait_for_answers` must be true or false.")
        files = from_json(body.get("files", []))
        run_id = services.runs.start(goal, files, wait_for_answers=wait)
        url = url_for("pages.run", run_id=run_id, _external=True)
        return jsonify(id=run_id, url=url), 201, {"Location": url}

    @api.get("/api/runs")
    def runs() -> Response:
        limit = _limit(request.args.get("limit", "50"))
        listed = log.history(limit=limit, before=_before(log, request.args.get("before")))
        return jsonify(runs=[_summary(summary) for summary in listed])

    @api.get("/api/runs/<run_id>")
    def run(run_id: str) -> Response:
        state = fold(log.since(run_id))
        services.answers.look(state)
        return jsonify(state_to_dict(state))

    @api.get("/api/runs/<run_id>/events")
    def events(run_id: str) -> Response:
        after = parse_after(request.args.get("after"))
        first = log.since(run_id, after)
        follow = request.args.get("follow", "0") not in ("0", "false", "")
        if follow and not live.slots.acquire(blocking=False):
            raise ServiceUnavailable("Too many open pages and readers. Close some and try again.")
        lines = _follow(run_id, after, first) if follow else map(_line, first)
        response = Response(lines, mimetype="application/x-ndjson")
        if follow:
            # Not in the generator: one that was never started runs no `finally`.
            response.call_on_close(live.slots.release)
        return response

    def _follow(run_id: str, after: int, batch: list[Event]) -> Iterator[str]:
        ended = not batch and _ended(run_id)
        while not live.stopping.is_set():
            for event in batch:
                yield _line(event)
                after = event.seq
                ended = ended or isinstance(event.payload, RunFinished)
            if ended:
                return
            batch = log.wait(run_id, after, WATCH_S)

    def _ended(run_id: str) -> bool:
        return any(isinstance(event.payload, RunFinished) for event in log.since(run_id))

    @api.post("/api/runs/<run_id>/answers")
    def answer(run_id: str) -> Response:
        body = json_object()
        given = {name: body.get(name, "") for name in ("case", "answer", "source", "was")}
        for name, value in given.items():
            if not isinstance(value, str):
                raise BadInput(name, f"`{name}` must be a text.")
        state = services.answers.give(run_id, **given)
        return jsonify(state_to_dict(state) | {"case": given["case"], "answer": given["answer"]})

    @api.post("/api/runs/<run_id>/go-on")
    def go_on(run_id: str) -> tuple[Response, int]:
        if request.content_length:
            json_object()
        waited = services.answers.go_on(run_id)
        return jsonify(id=run_id, waited=waited), 202 if waited else 200

    @api.post("/api/runs/<run_id>/cancel")
    def cancel(run_id: str) -> tuple[Response, int]:
        if request.content_length:
            json_object()
        stopping = services.runs.cancel(run_id)
        return jsonify(id=run_id, cancelling=stopping), 202 if stopping else 200

    @api.get("/api/endpoints")
    def endpoints() -> Response:
        return jsonify(roles=[role_to_dict(role) for role in services.client.status()])

    @api.get("/api/config")
    def config() -> Response:
        return jsonify(services.config.document())

    @api.put("/api/config")
    def save_config() -> Response:
        services.config.save_document(json_object())
        return jsonify(services.config.document())

    @api.get("/healthz")
    def health() -> Response:
        log.history(limit=1)
        return jsonify(status="ok")

    return api


def _limit(text: str) -> int:
    if re.fullmatch("[0-9]{1,4}", text) and 1 <= int(text) <= MAX_LISTED:
        return int(text)
    raise BadInput("limit", f"`limit` must be a number from 1 to {MAX_LISTED}.")


def _before(log: EventLog, run_id: str | None) -> str | None:
    if run_id is None:
        return None
    try:
        log.check(run_id)
    except RunNotFound as error:
        raise BadInput("before", f"`before` must be a run's id. {error.message}") from error
    return run_id


def _line(event: Event) -> str:
    return json.dumps(event_to_dict(event), ensure_ascii=False) + "\n"


def _summary(summary: RunSummary) -> dict[str, Any]:
    plain: dict[str, Any] = _converter.unstructure(summary)
    plain["id"] = plain.pop("run_id")
    return plain


def role_to_dict(known: RoleStatus) -> dict[str, Any]:
    """Who serves a role, as JSON values: each endpoint with what is known of it by name."""
    plain: dict[str, Any] = _converter.unstructure(known)
    plain["endpoints"] = [
        _converter.unstructure(endpoint) | {"has_model": has_model, "mend": mend}
        for endpoint, has_model, mend in known.endpoints
    ]
    return plain


def state_to_dict(state: RunState) -> dict[str, Any]:
    """A run's folded state as JSON values."""
    plain: dict[str, Any] = _converter.unstructure(state)
    finished = plain.pop("finished")
    plain["id"] = plain.pop("run_id")
    plain["tests"] = plain.pop("cases")
    del plain["escalations"]
    for candidate in plain["candidates"]:
        del candidate["executed"]
    return plain | {
        "phase": state.phase.value,
        "outcome": state.outcome,
        "reason": finished["reason"] if finished else "",
        "passed": finished["passed"] if finished else 0,
        "total": finished["total"] if finished else 0,
        "code": state.code,
        "attempts": [_attempt(view) for view in lineage.attempts(state)],
        "savings": savings.run_to_dict(of_run(state)),
        "questions": [_question(one) for one in asked(state)],
    }


def _question(question: Question) -> dict[str, Any]:
    plain: dict[str, Any] = _converter.unstructure(question)
    return plain | {"case": question.case.id}


def _attempt(view: lineage.AttemptView) -> dict[str, Any]:
    plain: dict[str, Any] = _converter.unstructure(view.started)
    plain["call"] = view.call.call if view.call else None
    plain["candidate"] = _converter.unstructure(view.candidate) if view.candidate else None
    return plain

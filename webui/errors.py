"""Every refusal as a page for people or as JSON for programs, with the right status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from flask import Flask, Response, jsonify, render_template, request
from werkzeug.exceptions import HTTPException, InternalServerError

from core.errors import AppError, BadInput, ConfigError, Problem, RunNotFound, StorageError

ADVICE = {
    400: "Check the address or what you sent.",
    403: "Open the app by the address it printed at start, reload the page and try again.",
    404: "The start page lists all runs.",
    405: "This address can't be used in this way.",
    413: "At most 1 MiB can be sent at once. Shorten the text.",
    415: "Send the body as JSON, with the header Content-Type: application/json.",
    500: "This is our fault. The terminal that the app runs in shows the details.",
}


def status_of(error: AppError) -> int:
    """The HTTP status for one of our errors."""
    if isinstance(error, RunNotFound):
        return 404
    if isinstance(error, (BadInput, ConfigError)):
        return 400
    if isinstance(error, StorageError):
        # As core.log words it; a path in another message may well have "full" in it.
        return 507 if " is full. Free " in error.message else 503
    return 500


def register(app: Flask) -> None:
    """Answer our own and HTTP's errors."""
    app.register_error_handler(AppError, _app_error)
    app.register_error_handler(HTTPException, _http_error)


def _wants_json() -> bool:
    return request.path.startswith(("/api/", "/healthz", "/metrics"))


def _app_error(error: AppError) -> tuple[Response | str, int]:
    problems = error.problems if isinstance(error, ConfigError) else ()
    field = problems[0].path if problems else getattr(error, "field", None)
    return _answer(status_of(error), error.code, error.message, field, problems)


def _http_error(error: HTTPException) -> Response | tuple[Response | str, int]:
    status = error.code or 500
    if error.response is not None or status < 400:
        return error.get_response()  # type: ignore[return-value]
    own = error.description if error.description != type(error).description else None
    message = ADVICE[500] if isinstance(error, InternalServerError) else own or ADVICE.get(status)
    code = error.name.lower().replace(" ", "_")
    return _answer(status, code, message or error.name, None)


def _answer(
    status: int, code: str, message: str, field: str | None, problems: Sequence[Problem] = ()
) -> tuple[Response | str, int]:
    if _wants_json():
        error: dict[str, object] = {"code": code, "message": message, "field": field}
        if problems:
            error["problems"] = [asdict(problem) for problem in problems]
        return jsonify(error=error), status
    advice = ADVICE.get(status, "")
    page = render_template(
        "error.html",
        status=status,
        code=code.replace("_", " "),
        message=message,
        advice=advice if advice != message else "",
    )
    return page, status

"""Every refusal as a page for people or as JSON for programs, with the right status."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import asdict

from flask import Flask, Response, jsonify, render_template, request
from werkzeug.exceptions import HTTPException, InternalServerError, RequestEntityTooLarge

from core.errors import (
    AppError,
    BadInput,
    ConfigError,
    Conflict,
    Problem,
    RunNotFound,
    StorageError,
)
from core.sandbox.names import size

DRAINED_BYTES = 64 * 1024 * 1024

ADVICE = {
    400: "Check the address or what you sent.",
    403: "Open the app by the address it printed at start, reload the page and try again.",
    404: "The start page lists all runs.",
    405: "This address can't be used in this way.",
    409: "Reload the page to see how things stand.",
    415: "Send the body as JSON, with the header Content-Type: application/json.",
    500: "This is our fault. The terminal that the app runs in shows the details.",
}


def status_of(error: AppError) -> int:
    """The HTTP status for one of our errors."""
    if isinstance(error, RunNotFound):
        return 404
    if isinstance(error, (BadInput, ConfigError)):
        return 400
    if isinstance(error, Conflict):
        return 409
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
    if isinstance(error, RequestEntityTooLarge):
        own = _too_much()
    message = ADVICE[500] if isinstance(error, InternalServerError) else own or ADVICE.get(status)
    code = error.name.lower().replace(" ", "_")
    return _answer(status, code, message or error.name, None)


def _too_much() -> str:
    """A browser that is still sending would take a closed connection for a fault: listen on."""
    limit, length = request.max_content_length or 0, request.content_length or 0
    ends_by_itself = request.environ.get("wsgi.input_terminated", False)
    # Where reading on would wait for ever, only if nothing was read yet.
    left = min(length, DRAINED_BYTES) if length > limit or ends_by_itself else 0
    with contextlib.suppress(OSError, ValueError):
        while left > 0 and (piece := request.environ["wsgi.input"].read(min(left, 65536))):
            left -= len(piece)
    if length <= limit:
        return f"A text can have at most {size(request.max_form_memory_size or 0)}. Shorten it."
    return f"At most {size(limit)} can be sent at once. Send less text, or fewer or smaller files."


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

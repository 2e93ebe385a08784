"""The forms under the questions about a run's tests, and what other pages learn of the answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, g, redirect, request, url_for
from werkzeug.wrappers import Response

from core.errors import AppError, BadInput, RunNotFound, SandboxError
from core.state import fold
from webui import render
from webui.errors import status_of
from webui.live import parse_after
from webui.pages import run_page

if TYPE_CHECKING:
    from core.services import Services


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why an answer was refused: about which case and field ('' for none), and what was typed.

    `adding`: it was to be a test of the user's own.
    """

    case: str
    field: str
    message: str
    typed: str
    adding: bool


def problem() -> Problem | None:
    """What is wrong with the answer that this very request brought."""
    found: Problem | None = g.get("answer_problem")
    return found


def blueprint(services: Services) -> Blueprint:
    """The forms' addresses."""
    answers = Blueprint("answers", __name__)

    @answers.post("/runs/<run_id>/answers")
    def give(run_id: str) -> Response | tuple[str, int]:
        form = request.form
        case, typed, answer = (form.get(name, "") for name in ("case", "source", "answer"))
        try:
            services.answers.give(run_id, case, answer, source=typed, was=form.get("was", ""))
        except RunNotFound:
            raise
        except AppError as error:
            field = error.field if isinstance(error, BadInput) else ""
            adding = answer == "add" and not case
            g.answer_problem = Problem(
                case=case, field=field, message=error.message, typed=typed, adding=adding
            )
            # Of a server error the page would show nothing; this answer is kept.
            status = 409 if isinstance(error, SandboxError) else status_of(error)
            return run_page(services, fold(services.log.since(run_id))), status
        return redirect(url_for("pages.run", run_id=run_id) + "#questions", 303)

    @answers.post("/runs/<run_id>/go-on")
    def go_on(run_id: str) -> Response:
        services.answers.go_on(run_id)
        return redirect(url_for("pages.run", run_id=run_id), 303)

    @answers.get("/runs/<run_id>/news")
    def news(run_id: str) -> str | tuple[str, int]:
        after = parse_after(request.args.get("after"))
        if not services.log.since(run_id, after):
            return "", 204
        return render.snapshot_frame(fold(services.log.since(run_id)))

    return answers

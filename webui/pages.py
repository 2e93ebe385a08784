"""The start page, a run's page and the forms on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from core.answer_words import goal_with_answers
from core.errors import BadInput, StorageError
from core.state import RunState, fold
from webui import render, status
from webui.errors import status_of
from webui.uploads import download, uploaded

if TYPE_CHECKING:
    from core.services import Services

EXAMPLES = (
    ("Hex colours", "Turn a hex colour into its parts. rgb('#ff8000') == (255, 128, 0)"),
    ("File sizes", "Show a number of bytes for people. human(1536) == '1.5 KB'"),
    ("Leap years", "Whether a year is a leap year. is_leap(2000) == True, is_leap(1900) == False"),
    (
        "Query strings",
        "Parse a query string into a dict of lists. parse('a=1&b=2&a=3') == "
        "{'a': ['1', '3'], 'b': ['2']}",
    ),
    ("A counter", "A class Counter with up(), down() and value, which is never below 0."),
)
HISTORY_PAGE = 25


def blueprint(services: Services) -> Blueprint:
    """The pages over `services`."""
    pages = Blueprint("pages", __name__)

    def start_page(goal: str, *, problem: str = "", field: str = "", files_from: str = "") -> str:
        before = request.args.get("before")
        if before is not None:
            services.log.check(before)
        return render_template(
            "index.html",
            goal=goal,
            problem=problem,
            field=field,
            examples=EXAMPLES,
            builtin=status.builtin(services),
            roles=services.client.status(),
            files_from=files_from,
            old_files=tuple(services.log.files(files_from)) if files_from else (),
            runs=services.log.history(limit=HISTORY_PAGE, before=before),
            totals=services.savings.totals(),
            older=HISTORY_PAGE,
        )

    def load(run_id: str) -> RunState:
        return fold(services.log.since(run_id))

    @pages.get("/")
    def index() -> str:
        again = request.args.get("again")
        goal = request.args.get("goal", "") if again is None else goal_with_answers(load(again))
        return start_page(goal, files_from=again or "")

    @pages.post("/runs")
    def start() -> BaseResponse | tuple[str, int]:
        goal = request.form.get("goal", "").replace("\r\n", "\n")
        files_from = request.form.get("files_from", "")
        try:
            files = {**services.log.files(files_from), **uploaded()}
            run_id = services.runs.start(
                goal, files, wait_for_answers="wait_for_answers" in request.form
            )
        except (BadInput, StorageError) as error:
            message = error.message
            if any(sent.filename for sent in request.files.getlist("files")):
                message += " Choose your files again: a page can't keep them."
            field = getattr(error, "field", "")
            page = start_page(goal, problem=message, field=field, files_from=files_from)
            return page, status_of(error)
        return redirect(url_for("pages.run", run_id=run_id), 303)

    @pages.get("/runs/<run_id>")
    def run(run_id: str) -> str:
        return run_page(services, load(run_id))

    @pages.get("/runs/<run_id>/files/<name>")
    def input_file(run_id: str, name: str) -> BaseResponse:
        data = services.log.files(run_id).get(name)
        if data is None:
            services.log.check(run_id)
            abort(404, "No file of this name came with the run's goal.")
        return download(name, data)

    @pages.post("/runs/<run_id>/cancel")
    def cancel(run_id: str) -> BaseResponse:
        services.runs.cancel(run_id)
        return redirect(url_for("pages.run", run_id=run_id), 303)

    @pages.get("/runs/<run_id>/code.py")
    def code(run_id: str) -> Response:
        shown = load(run_id).code
        if not shown:
            abort(404, "This run has no code.")
        response = Response(shown, mimetype="text/x-python")
        response.headers["Content-Disposition"] = f'attachment; filename="{run_id}.py"'
        return response

    @pages.get("/status")
    def status_lines() -> str:
        place = request.args.get("place", "index")
        if place not in ("index", "settings", *services.log.open_runs()):
            place = ""
        return render_template(
            "_status.html",
            place=place,
            builtin=status.builtin(services),
            roles=services.client.status(),
        )

    @pages.get("/history")
    def history() -> str:
        return render_template("_history.html", runs=services.log.history(limit=HISTORY_PAGE))

    return pages


def run_page(services: Services, state: RunState) -> str:
    """A run's page; answers that a dead process left are taken up on the way."""
    services.answers.look(state)
    return render_template(
        "run.html",
        state=state,
        region=render.region,
        live=render.connected(state),
        builtin=status.builtin(services),
        roles=services.client.status(),
    )

"""The panel "Try it": run a run's code once with one's own input, and look at what came of it."""

from __future__ import annotations

import secrets
import shlex
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import Blueprint, abort, redirect, request, url_for
from werkzeug.wrappers import Response

from core.errors import AppError, BadInput, RunNotFound
from core.sandbox.files import check_inputs
from core.tryout import Trial, Tried
from webui.uploads import download, uploaded

if TYPE_CHECKING:
    from core.services import Services

# How much of the last results is kept, over all runs.
MAX_KEPT = 50
MAX_KEPT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What was typed, and either what came of it or why nothing did; `token` names its files."""

    token: str
    arguments: str
    call: str
    stdin: str
    names: tuple[str, ...] = ()
    tried: Tried | None = None
    problem: str = ""
    field: str = ""

    @property
    def kept_bytes(self) -> int:
        """About how much memory it takes."""
        result = self.tried.result if self.tried else None
        files = sum(len(file.data) for file in result.files) if result else 0
        texts = len(result.stdout) + len(result.stderr) if result else 0
        return files + texts + len(self.stdin) + len(self.arguments) + 1000


class LastTries:
    """Each run's last result, in memory; the oldest go when there are too many. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Shown] = OrderedDict()

    def keep(self, run_id: str, shown: Shown) -> None:
        """Replace the run's last one."""
        with self._lock:
            self._kept.pop(run_id, None)
            self._kept[run_id] = shown
            while len(self._kept) > 1 and (
                len(self._kept) > MAX_KEPT
                or sum(one.kept_bytes for one in self._kept.values()) > MAX_KEPT_BYTES
            ):
                self._kept.popitem(last=False)

    def last(self, run_id: str) -> Shown | None:
        """The run's last one, if it is still kept."""
        with self._lock:
            return self._kept.get(run_id)


def blueprint(services: Services, tries: LastTries) -> Blueprint:
    """The panel's form and the files that programs left."""
    panel = Blueprint("tries", __name__)

    @panel.post("/runs/<run_id>/try")
    def start(run_id: str) -> Response:
        services.log.check(run_id)
        tries.keep(run_id, _carry_out(services, run_id))
        return redirect(url_for("pages.run", run_id=run_id) + "#tryout", 303)

    @panel.get("/runs/<run_id>/try/<token>/<int:number>")
    def left(run_id: str, token: str, number: int) -> Response:
        shown = tries.last(run_id)
        files = shown.tried.result.files if shown and shown.tried else ()
        if shown is None or shown.token != token or number >= len(files):
            abort(404, "This file is no longer kept: only each run's last result is. Try it again.")
        return download(files[number].name, files[number].data)

    return panel


def _carry_out(services: Services, run_id: str) -> Shown:
    typed = {
        name: request.form.get(name, "").replace("\r\n", "\n")
        for name in ("arguments", "call", "stdin")
    }
    tried, problem, field = None, "", ""
    names: tuple[str, ...] = ()
    try:
        files = uploaded()
        names = tuple(files)
        check_inputs(files, limit_bytes=services.config.current.run.input_files_bytes)
        trial = Trial(
            arguments=_words(typed["arguments"]),
            stdin=typed["stdin"].encode("utf-8", "replace"),
            call=typed["call"].strip(),
            files=files,
        )
        tried = services.tryout.run(run_id, trial)
    except RunNotFound:
        raise
    except AppError as error:
        problem = error.message
        field = error.field if isinstance(error, BadInput) else ""
    return Shown(
        token=secrets.token_hex(8),
        names=names,
        tried=tried,
        problem=problem,
        field=field,
        **typed,
    )


def _words(text: str) -> tuple[str, ...]:
    """The arguments as a shell would split them; nothing in them is expanded."""
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        message = f"The arguments have a quote that is not closed ({error})."
        raise BadInput("arguments", message) from error

"""The browser app: pages, JSON API and websocket over the engine's services."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask

from core import savings_words
from core.qualify_result import summary
from core.sandbox.names import size
from core.savings import of_run
from core.tryout import callables_of
from webui import (
    answers,
    api,
    asking,
    endpoints,
    endpoints_api,
    errors,
    figures,
    lineage,
    live,
    metrics,
    pages,
    present,
    savings,
    settings,
    status,
)
from webui.highlight import diff_lines, python_lines
from webui.security import MAX_BODY_BYTES, Security
from webui.tries import LastTries
from webui.tries import blueprint as tries_blueprint

if TYPE_CHECKING:
    from core.services import Services

ROOT = Path(__file__).resolve().parent.parent


def create_app(services: Services, *, host: str | None = None, threads: int = 64) -> Flask:
    """The app over `services`; `host` is what it listens on if not the configured one.

    `threads` is how many requests the server carries at a time; sockets may take half of them.
    """
    app = Flask(
        __name__, static_folder=str(ROOT / "static"), template_folder=str(ROOT / "templates")
    )
    config = services.config.current
    tries = LastTries()
    Security(app, host or config.host, config.data_dir, lambda: upload_limit(services))
    connections = live.Live(threading.BoundedSemaphore(max(1, threads // 2)))
    app.extensions["live"] = connections
    app.extensions["services"] = services
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(
        status=status,
        figures=figures,
        pulls=services.pulls,
        qualifier=services.qualifier,
        measured=summary,
        present=present,
        lineage=lineage,
        savings_words=savings_words,
        run_savings=of_run,
        python_lines=python_lines,
        diff_lines=diff_lines,
        now=time.time,
        last_try=tries.last,
        asking=asking,
        answer_problem=answers.problem,
        packages=lambda: services.packages.state,
        callables=callables_of,
        file_size=size,
        upload_limit=lambda: services.config.current.run.input_files_bytes,
    )
    app.jinja_env.filters.update(moment=_moment, size=_size, sentence=status.sentence)
    errors.register(app)
    app.register_blueprint(pages.blueprint(services))
    app.register_blueprint(tries_blueprint(services, tries))
    app.register_blueprint(answers.blueprint(services))
    app.register_blueprint(settings.blueprint(services))
    app.register_blueprint(endpoints.blueprint(services))
    app.register_blueprint(endpoints_api.blueprint(services))
    app.register_blueprint(api.blueprint(services, connections))
    app.register_blueprint(metrics.blueprint(services))
    app.register_blueprint(savings.blueprint(services))
    live.register(app, services.log, connections, services.answers.look)
    # Late, so that even a page without a word of its own tells of the sandbox.
    app.context_processor(lambda: {"rung": status.rung(services)})
    return app


def upload_limit(services: Services) -> int:
    """The longest body in bytes that brings files: a good deal more than the files may have, so
    that most of what is too large comes back to the form with a word about it."""
    return 4 * services.config.current.run.input_files_bytes + MAX_BODY_BYTES


def stop(app: Flask) -> None:
    """End the lasting connections within a second: browsers are told to come back (1012)."""
    connections: live.Live = app.extensions["live"]
    connections.stopping.set()
    services: Services = app.extensions["services"]
    services.tryout.close()


def _moment(at: float) -> str:
    """Unix seconds as local time, like 2026-01-31 17:05."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def _size(count: float) -> str:
    """Bytes for people, like 491 MB."""
    for unit in ("bytes", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.2f} GB"

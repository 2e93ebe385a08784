"""The real services behind the page, with an engine that writes scripted events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask
from play import shared_sandbox
from werkzeug.serving import WSGIRequestHandler, make_server

import webui
from core.answers import Answers
from core.config import ConfigStore
from core.context import Ports
from core.embedded import Builtin
from core.endpoints import Client
from core.endpoints.pull import Pulls
from core.errors import IllegalEvent
from core.events import CancelRequested, Payload, RunFinished
from core.log import EventLog
from core.qualified import Qualifier
from core.runs import Runs
from core.sandbox.packages import Packages
from core.savings_book import SavingsBook
from core.services import Services
from core.tools import SkillLibrary
from core.tryout import TryOut

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CONFIG = """# My models.
ollama:
  base_url: "{base_url}"
  models:
    overseer: "llama3"   # plans
    generator:
      model: "codellama"
      endpoints:
        - "{base_url}"  # the desk
        - "http://127.0.0.1:10/v1"
embedded: off
data_dir: "{data_dir}"
"""
# Nobody listens on port 9 (discard) of a test machine's loopback.
DEAD_URL = "http://127.0.0.1:9"


class ScriptedEngine:
    """In the durable layer's place: carries a run out by writing the events of a script.

    Before each event after the first it waits for `step`, unless `free`.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self.script: Callable[[], Iterable[Payload]] = lambda: ()
        self.free = True
        self._turn = threading.Condition()
        self._allowed = 0  # events that may be written
        self._writing = 0
        self._threads: list[threading.Thread] = []

    def submit(self, run_id: str) -> None:
        """Begin to write the script's events, without its RunStarted."""
        payloads = list(self.script())[1:]
        thread = threading.Thread(target=self._play, args=(run_id, payloads))
        self._threads.append(thread)
        thread.start()

    def step(self, count: int = 1) -> None:
        """Let this many events be written, and wait until they are, or until the script ends."""
        with self._turn:
            self._allowed += count
            self._turn.notify_all()
            assert self._turn.wait_for(self._is_done, 10)

    def finish(self) -> None:
        """Write all that is left and wait for it."""
        with self._turn:
            self.free = True
            self._turn.notify_all()
        for thread in list(self._threads):
            thread.join(10)

    def _is_done(self) -> bool:
        return not self._threads or not (self._allowed or self._writing)

    def _play(self, run_id: str, payloads: list[Payload]) -> None:
        try:
            self._log.claim(run_id)
            self._write(run_id, payloads)
        finally:
            with self._turn:
                self._threads.remove(threading.current_thread())
                self._turn.notify_all()

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        with self._turn:
            self._turn.wait_for(lambda: self.free or self._allowed)
            self._allowed = max(0, self._allowed - 1)
            self._writing += 1
        try:
            yield
        finally:
            with self._turn:
                self._writing -= 1
                self._turn.notify_all()

    def _write(self, run_id: str, payloads: list[Payload]) -> None:
        for payload in payloads:
            with self._in_turn():
                if not self._append(run_id, payload):
                    return

    def _append(self, run_id: str, payload: Payload) -> bool:
        """Whether the run goes on."""
        events = self._log.since(run_id)
        if any(isinstance(event.payload, CancelRequested) for event in events):
            self._log.append(run_id, RunFinished(outcome="cancelled", reason="You stopped it."))
            return False
        try:
            self._log.append(run_id, payload)
        except IllegalEvent:
            return False
        return True


@dataclass
class Web:
    """An app on its own data, and what a test does to it."""

    app: Flask
    services: Services
    engine: ScriptedEngine
    config_path: Path
    url: str = ""


@contextmanager
def web(folder: Path, *, base_url: str = DEAD_URL, builtin: Builtin | None = None) -> Iterator[Web]:
    """Services below `folder` and the app over them."""
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(base_url=base_url, data_dir=folder / "data"))
    config = ConfigStore(path)
    log = EventLog(config.current.data_dir / "events.db")
    client = Client(lambda: config.current, builtin=builtin)
    sandbox = shared_sandbox()
    skills = SkillLibrary(config.current.data_dir / "skills")
    packages = Packages(config.current.sandbox.packages, config.current.data_dir / "packages")
    ports = Ports(
        client=client,
        sandbox=sandbox,
        skills=skills,
        config=lambda: config.current,
        packages=packages,
    )
    runs, engine = Runs(log, ports), ScriptedEngine(log)
    runs.attach(engine)  # type: ignore[arg-type]  # all that is used of it is submit
    services = Services(
        config=config,
        opened_with=config.current,
        log=log,
        runs=runs,
        client=client,
        builtin=builtin,
        sandbox=sandbox,
        packages=packages,
        tryout=TryOut(log, sandbox, skills),
        answers=Answers(log, sandbox, skills),
        pulls=Pulls(client.probe),
        qualifier=Qualifier(
            lambda: config.current,
            client,
            sandbox,
            config.current.data_dir / "qualifications.json",
        ),
        savings=SavingsBook(log.path),
    )
    app = webui.create_app(services, threads=8)
    app.testing = True
    try:
        yield Web(app=app, services=services, engine=engine, config_path=path)
    finally:
        webui.stop(app)
        engine.finish()
        services.answers.close()
        services.pulls.close()
        services.qualifier.close()
        client.close()
        services.savings.close()
        log.close()


class _Handler(WSGIRequestHandler):
    """Says nothing, and as gunicorn does sends no HTTP answer after a websocket's end."""

    _upgraded = False

    def log(self, type: str, message: str, *args: object) -> None:
        pass

    def send_response(self, code: int, message: str | None = None) -> None:
        self._upgraded = code == 200 and "Upgrade" in self.headers
        super().send_response(code, message)

    def end_headers(self) -> None:
        if self._upgraded:
            self._headers_buffer: list[bytes] = []
        else:
            super().end_headers()


def _closing(app: WSGIApplication) -> WSGIApplication:
    """Closes what it answers with, as gunicorn does: werkzeug's server forgets to, and leaves a
    file open, where a browser resets the connection."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        with closing(app(environ, start_response)) as body:  # type: ignore[type-var]
            yield from body

    return answer


@contextmanager
def served(site: Web) -> Iterator[str]:
    """The app on a real server, a thread for each request; its base URL."""
    app = _closing(site.app)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Handler)
    server.daemon_threads = True  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield site.url
    finally:
        webui.stop(site.app)
        server.shutdown()
        thread.join()
        server.server_close()

"""Logs of a bench's runs, kept, and the replies in them, given again.

So what a change of a rule makes of a whole bench is known in minutes, and of the same replies: only
what no earlier run asked goes to a model.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from unittest.mock import patch

import core.ask
from bench.humaneval_heard import Question, heard, step_of
from bench.humaneval_tasks import BenchError
from core.cancel import Cancel
from core.endpoints import Client, Reply, Request, Watcher
from core.errors import StorageError
from core.events import Role
from core.log import EventLog
from core.services import Services
from core.writer import Writer

_ALL = 100_000


class Logs:
    """The logs of a folder; without one nothing is kept or given again."""

    def __init__(
        self,
        folder: Path | None,
        log: EventLog,
        known: Mapping[Question, Reply],
        models: Mapping[Role, str],
    ) -> None:
        started = time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime())
        self._file = folder and folder / f"{started}-{os.getpid()}-{time.monotonic_ns()}.db"
        self._log = log
        self._known = known
        self._models = models
        self._lock = threading.Lock()
        self._given: list[Reply] = []

    def keep(self) -> None:
        """Copy the log as it is now into the folder. Raises BenchError."""
        if self._file is None:
            return
        part = self._file.with_suffix(".part")  # killed meanwhile, no half a log is left
        try:
            source, copy = sqlite3.connect(self._log.path), sqlite3.connect(part)
            with closing(source), closing(copy):
                source.backup(copy)
            part.replace(self._file)
        except (sqlite3.Error, OSError) as error:
            raise BenchError(f"{self._file} can't be written: {error}.") from error

    def given_again(self) -> list[Reply]:
        """The replies that were given again since this was asked last."""
        with self._lock:
            given, self._given = self._given, []
        return given

    def find(self, call: str, role: Role, request: Request) -> Reply | None:
        """The reply of an earlier run to this call."""
        prompt = request.messages[0].content
        return self._known.get(
            Question(step_of(call), role, self._models[role], prompt, request.begin)
        )

    def give(self, reply: Reply) -> Reply:
        """The reply, which is counted as given again."""
        with self._lock:
            self._given.append(reply)
        return reply


@dataclass(frozen=True, slots=True)
class _Heard:
    """A client that has the reply already."""

    logs: Logs
    reply: Reply

    def chat(self, role: Role, request: Request, *, watcher: Watcher, cancel: Cancel) -> Reply:
        cancel.check()
        reply = self.logs.give(self.reply)
        watcher.sent(
            model=reply.model,
            endpoint=reply.endpoint,
            characters=len(request.messages[0].content) + len(reply.begun),
            prompt_tokens_estimated=0,
            context_size=reply.context_size,
        )
        if reply.text:
            watcher.token(reply.begun + reply.text)
        return reply


@contextmanager
def kept(folder: Path | None, services: Services, models: Mapping[Role, str]) -> Iterator[Logs]:
    """The logs of `folder`, made if need be, to which that of these services is added in the end,
    however it ends. Raises BenchError, also for a file `*.db` there that is no log."""
    if folder is None:
        yield Logs(None, services.log, {}, models)
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(f"--logs {folder} can't be used: {error.strerror}.") from error
    logs = Logs(folder, services.log, replies(folder), models)
    real = core.ask._call

    def call(
        writer: Writer, client: Client, call: str, role: Role, request: Request, cancel: Cancel
    ) -> Reply:
        known = logs.find(call, role, request)
        asked = client if known is None else cast(Client, _Heard(logs, known))
        return real(writer, asked, call, role, request, cancel)

    with patch.object(core.ask, "_call", call):
        try:
            yield logs
        finally:
            # All of the finished tasks is kept; what ends the bench is not to be hidden by this.
            with suppress(BenchError):
                logs.keep()


def replies(folder: Path) -> dict[Question, Reply]:
    """All whole replies in the folder's logs; of a question asked several times the first."""
    found: dict[Question, Reply] = {}
    for path in sorted(folder.glob("*.db")):
        _check(path)
        try:
            with closing(EventLog(path)) as log:
                for run in reversed(log.history(_ALL)):
                    found = heard(log.since(run.run_id)) | found
        except (StorageError, KeyError) as error:
            raise BenchError(f"{path} can't be read as a log of runs: {error}.") from error
    return found


def _check(path: Path) -> None:
    """Raise BenchError for a file that is no log: to open one as such would change it."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as file:
            file.execute("SELECT run_id, seq, body FROM events LIMIT 1")
    except sqlite3.Error as error:
        raise BenchError(f"{path} is no log of runs ({error}). Take it away.") from error

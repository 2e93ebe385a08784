"""Logs of a bench's runs, kept, and the replies in them, given again.

So what a change of a rule makes of a whole bench is known in minutes: only what no earlier run was
asked goes to a model. A question is the same if a step of that name asked it of that model for that
role in the same words; its temperature is not looked at, so whoever changes one takes a new folder.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from unittest.mock import patch

import core.ask
from bench.humaneval_tasks import BenchError
from core.cancel import Cancel
from core.endpoints import Client, Reply, Request
from core.errors import StorageError
from core.events import Event, PromptWritten, ReplyReceived, RequestSent, Role, TokensArrived
from core.log import EventLog
from core.services import Services
from core.writer import Writer

Question = tuple[str, Role, str, str, str]
"""The step's name, the role, its model, the prompt, and how the reply was begun."""
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
        self._file = folder and folder / f"{time.strftime('%Y-%m-%d-%H%M%S')}.db"
        self._log = log
        self._known = known
        self._models = models
        self._ask = core.ask._call
        self._spared_s = 0.0

    def keep(self) -> float:
        """Copy the log as it is now into the folder: the seconds that those replies had taken that
        were given again since the last time."""
        if self._file is not None:
            source, copy = sqlite3.connect(self._log.path), sqlite3.connect(self._file)
            with closing(source), closing(copy):
                source.backup(copy)
        spared_s, self._spared_s = self._spared_s, 0.0
        return spared_s

    def answer(
        self,
        writer: Writer,
        client: Client,
        call: str,
        role: Role,
        request: Request,
        cancel: Cancel,
    ) -> Reply:
        """In place of core.ask._call: the known reply, written into the log as it was, else it."""
        text = request.messages[0].content
        reply = self._known.get((_step(call), role, self._models[role], text, request.begin))
        if reply is None:
            return self._ask(writer, client, call, role, request, cancel)
        self._spared_s += reply.seconds
        for payload in _told(call, role, request, reply):
            writer.write(payload)
        return reply


@contextmanager
def kept(folder: Path | None, services: Services, models: Mapping[Role, str]) -> Iterator[Logs]:
    """The logs of `folder`, made if need be. Raises BenchError for a file there that is no log."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    logs = Logs(folder, services.log, _replies(folder) if folder else {}, models)
    with patch.object(core.ask, "_call", logs.answer):
        yield logs


def _replies(folder: Path) -> dict[Question, Reply]:
    """Of a question that was asked several times the first reply."""
    found: dict[Question, Reply] = {}
    for path in sorted(folder.glob("*.db")):
        try:
            with closing(EventLog(path)) as log:
                for run in log.history(_ALL):
                    found = _heard(log.since(run.run_id)) | found
        except StorageError as error:
            raise BenchError(f"{path} is no log of runs: {error.message}") from error
    return found


def _heard(events: list[Event]) -> dict[Question, Reply]:
    """All whole replies of a run."""
    found: dict[Question, Reply] = {}
    asked: dict[str, PromptWritten] = {}
    sent: dict[str, RequestSent] = {}
    texts: dict[str, str] = {}
    for event in events:
        match event.payload:
            case PromptWritten() as prompt:
                asked[prompt.call] = prompt
            case RequestSent() as request:
                sent[request.call] = request
                texts[request.call] = ""
            case TokensArrived() as tokens:
                texts[tokens.call] += tokens.text
            case ReplyReceived() as reply:
                prompt, request = asked[reply.call], sent[reply.call]
                # Where the reply was begun for the model, its text has that beginning too.
                text = texts[reply.call]
                begun = prompt.begin if text.startswith(prompt.begin) else ""
                found.setdefault(
                    (_step(reply.call), prompt.role, request.model, prompt.text, prompt.begin),
                    Reply(
                        text=text.removeprefix(begun),
                        model=request.model,
                        endpoint=request.endpoint,
                        tokens_in=reply.tokens_in,
                        tokens_out=reply.tokens_out,
                        first_token_s=reply.first_token_s,
                        seconds=reply.seconds,
                        finish_reason=reply.finish_reason,
                        thinking="",
                        attempts=(),
                        context_size=request.context_size,
                        prompt_truncated=False,
                        begun=begun,
                    ),
                )
    return found


def _step(call: str) -> str:
    """The step's name: a call's id ends with the writer's epoch and the number of the try."""
    return call.rsplit(".", 2)[0]


def _told(
    call: str, role: Role, request: Request, reply: Reply
) -> tuple[RequestSent | TokensArrived | ReplyReceived, ...]:
    """What the log says of a call."""
    return (
        RequestSent(
            call=call,
            role=role,
            model=reply.model,
            endpoint=reply.endpoint,
            characters=len(request.messages[0].content) + len(reply.begun),
            prompt_tokens_estimated=0,
            context_size=reply.context_size,
        ),
        TokensArrived(call=call, text=reply.begun + reply.text),
        ReplyReceived(
            call=call,
            tokens_in=reply.tokens_in,
            tokens_out=reply.tokens_out,
            first_token_s=reply.first_token_s,
            seconds=reply.seconds,
            finish_reason=reply.finish_reason,
        ),
    )

"""One question to a model as a recorded step, with everything that happens to it in the log."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass

from core.cancel import Cancel
from core.endpoints import Client, Message, Reply, Request
from core.errors import (
    AppError,
    BuiltinUnavailable,
    Cancelled,
    EndpointError,
    IllegalEvent,
    NoEndpointLeft,
    SandboxError,
    StorageError,
    StreamInterrupted,
)
from core.events import (
    CallFailed,
    CallQueued,
    EndpointFailed,
    PromptWritten,
    ReplyReceived,
    RequestSent,
    Role,
    TokensArrived,
)
from core.steps import Json, Leaving, Steps
from core.writer import Writer

# A page shows growing text smoothly at this pace; each batch is one row in the database.
BATCH_S = 0.15
# A reply that broke off is asked for again, from its start, this often.
INTERRUPTED_TRIES = 3
LOST = "Stopped: another candidate was verified first."


class StepFailed(AppError):
    """A recorded step ended with one of our errors; `kind` is that error's class name."""

    code = "step_failed"

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model said, and who said it; `begun`: what it went on from."""

    text: str
    model: str
    endpoint: str
    finish_reason: str
    begun: str = ""


def recorded(writer: Writer, steps: Steps, name: str, work: Callable[[], Json]) -> Json:
    """`steps.step`, with our errors recorded as values and raised again, on every replay.

    Raises Cancelled or StepFailed; Leaving, unrecorded, when this process is about to end.
    """

    def tagged() -> Json:
        try:
            return {"value": work()}
        except (
            Cancelled,
            NoEndpointLeft,
            EndpointError,
            BuiltinUnavailable,
            SandboxError,
        ) as error:
            if writer.leaving:
                raise Leaving from error
            return {"failed": type(error).__name__, "message": error.message}
        except (StorageError, IllegalEvent) as error:
            # No result: the log can't be used, or is another process's now.
            raise Leaving from error

    result = steps.step(name, tagged)
    if "failed" not in result:
        return result["value"]
    if result["failed"] == Cancelled.__name__:
        raise Cancelled
    raise StepFailed(result["failed"], result["message"])


def ask(
    writer: Writer,
    steps: Steps,
    client: Client,
    *,
    name: str,
    role: Role,
    purpose: str,
    prompt: Callable[[], str],
    begin: Callable[[], str] = lambda: "",
    temperature: float,
    max_tokens: int,
    cancel: Cancel,
) -> Answer:
    """The role's answer to `prompt()`, recorded as step `name`; a model that can go on from there
    has it begun with `begin()`.

    `temperature` from 0 (repeatable) to 2; `max_tokens` bounds the reply. Raises Cancelled once
    `cancel` is set, or StepFailed when no endpoint could answer.
    """

    def work() -> Json:
        request = Request(
            messages=(Message(role="user", content=prompt()),),
            begin=begin(),
            temperature=temperature,
            max_tokens=max_tokens,
            run=writer.run_id,
        )
        return asdict(_answer(writer, client, name, role, purpose, request, cancel))

    return Answer(**recorded(writer, steps, name, work))


def _answer(
    writer: Writer,
    client: Client,
    name: str,
    role: Role,
    purpose: str,
    request: Request,
    cancel: Cancel,
) -> Answer:
    number = 1
    while True:
        call = f"{name}.{writer.epoch}.{number}"
        text = request.messages[0].content
        writer.write(
            PromptWritten(call=call, role=role, purpose=purpose, text=text, begin=request.begin)
        )
        try:
            reply = _call(writer, client, call, role, request, cancel)
        except StreamInterrupted:
            if number == INTERRUPTED_TRIES:
                raise
            number += 1
            continue
        return Answer(
            text=reply.text,
            model=reply.model,
            endpoint=reply.endpoint,
            finish_reason=reply.finish_reason,
            begun=reply.begun,
        )


def _call(
    writer: Writer, client: Client, call: str, role: Role, request: Request, cancel: Cancel
) -> Reply:
    watcher = _LogWatcher(writer, call, role)
    try:
        reply = client.chat(role, request, watcher=watcher, cancel=cancel)
    except AppError as error:
        watcher.flush()
        kind = type(error).__name__
        lost = isinstance(error, Cancelled) and not writer.cancel.is_set()
        message = LOST if lost else error.message
        # A process that leaves writes no more: whoever goes on marks the call as interrupted.
        if not writer.leaving:
            writer.write(CallFailed(call=call, error=kind, message=message))
        raise
    watcher.flush()
    writer.write(
        ReplyReceived(
            call=call,
            tokens_in=reply.tokens_in,
            tokens_out=reply.tokens_out,
            first_token_s=reply.first_token_s,
            seconds=reply.seconds,
            finish_reason=reply.finish_reason,
        )
    )
    return reply


class _LogWatcher:
    """Puts what the endpoint client reports into the log.

    Text is written at most once in BATCH_S, and never later than that: a model that stalls must
    not keep what it has said.
    """

    def __init__(self, writer: Writer, call: str, role: Role) -> None:
        self._writer = writer
        self._call = call
        self._role: Role = role
        self._lock = threading.Lock()
        self._waiting: list[str] = []
        self._timer: threading.Timer | None = None
        self._fault: BaseException | None = None
        self._queued = False  # and the log says so

    def sent(
        self,
        *,
        model: str,
        endpoint: str,
        characters: int,
        prompt_tokens_estimated: int,
        context_size: int,
    ) -> None:
        self._queued = False
        self._writer.write(
            RequestSent(
                call=self._call,
                role=self._role,
                model=model,
                endpoint=endpoint,
                characters=characters,
                prompt_tokens_estimated=prompt_tokens_estimated,
                context_size=context_size,
            )
        )

    def queued(self, *, position: int) -> None:
        """Said once for each wait: that it waits matters, each step up in the queue does not."""
        if not self._queued:
            self._queued = True
            self._writer.write(CallQueued(call=self._call, role=self._role, position=position))

    def token(self, text: str) -> None:
        with self._lock:
            if self._fault is not None:
                raise self._fault
            self._waiting.append(text)
            if self._timer is None:
                self._timer = threading.Timer(BATCH_S, self._due)
                self._timer.start()

    def failed(self, *, endpoint: str, error: str, message: str, cooldown_s: float) -> None:
        self.flush()
        self._writer.write(
            EndpointFailed(
                call=self._call,
                role=self._role,
                endpoint=endpoint,
                error=error,
                message=message,
                cooldown_s=cooldown_s,
            )
        )

    def flush(self) -> None:
        """Write what has arrived since the last time; a batch under way is waited for."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            self._write_batch()
            if self._fault is not None:
                raise self._fault

    def _due(self) -> None:
        """In the timer's thread: what can't be written is raised in the caller's."""
        with self._lock:
            try:
                self._write_batch()
            except (IllegalEvent, Leaving) as fault:
                self._fault = fault

    def _write_batch(self) -> None:
        self._timer = None
        if self._waiting:
            text = "".join(self._waiting)
            self._waiting.clear()
            self._writer.write(TokensArrived(call=self._call, text=text))

"""How well an endpoint serves a model: a minute of small tasks, asked of that endpoint alone."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from core.cancel import Cancel
from core.config import Config, EndpointConfig, Timeouts
from core.endpoints import Client, Message, Reply, Request
from core.endpoints.figures import LEAST_STREAM_S
from core.errors import AppError, Cancelled, ModelAnswerError, NoEndpointLeft, SandboxError
from core.events import Case
from core.qualify_result import Qualification
from core.qualify_tasks import CHARACTERS_PER_TOKEN, Task, tasks
from core.replies import extract_code
from core.sandbox import Sandbox

LIMIT_S = 60.0
# A place among the endpoint's calls, for the length of the block.
Slot = Callable[[EndpointConfig, Cancel], AbstractContextManager[None]]
_TIMEOUTS = Timeouts(connect_s=2.0, first_byte_s=LIMIT_S, idle_s=30.0, total_s=LIMIT_S)


def measure(
    config: Config,
    endpoint: EndpointConfig,
    model: str,
    sandbox: Sandbox,
    *,
    cancel: Cancel,
    slot: Slot = lambda endpoint, cancel: nullcontext(),
    told: Callable[[int, int], None] = lambda step, of: None,
    limit_s: float = LIMIT_S,
    now: Callable[[], float] = time.time,
) -> Qualification:
    """Ask the endpoint all tasks, at most `limit_s` seconds; `told` gets the task's number and
    their number before each.

    Each task takes a `slot` of the endpoint's; else neither the rotation nor the figures of the
    app's own client know of it. Raises Cancelled.
    """
    stop, found, began = Cancel(), _Found(), time.monotonic()
    timer = threading.Timer(limit_s, stop.set)
    timer.daemon = True
    timer.start()
    take_back = cancel.on_set(stop.set)
    try:
        _ask(config, endpoint, model, sandbox, stop, slot, told, found)
    except Cancelled:
        cancel.check()
        found.notes.append(f"stopped after {limit_s:.0f} s")
    except NoEndpointLeft as error:
        found.notes.append("; ".join(one.message for one in error.attempts) or error.message)
    except AppError as error:
        found.notes.append(error.message)
    finally:
        take_back()
        timer.cancel()
    return found.whole(endpoint, model, now(), time.monotonic() - began)


def _ask(
    config: Config,
    endpoint: EndpointConfig,
    model: str,
    sandbox: Sandbox,
    stop: Cancel,
    slot: Slot,
    told: Callable[[int, int], None],
    found: _Found,
) -> None:
    """All tasks, through a client of their own: it has no stand-in, and nobody's turn moves."""
    settings = replace(config, timeouts=_TIMEOUTS, embedded="off")
    awake = replace(endpoint, drain=False, disabled=False)
    client = Client(lambda: settings)
    try:
        every = tasks(settings.context_size(model))
        for number, task in enumerate(every):
            told(number + 1, len(every))
            with slot(awake, stop):
                reply = client.chat_at(
                    "triage", model, [awake], _request(task), watcher=_Silent(), cancel=stop
                )
            found.take(task, reply, _passes(task, reply, sandbox, stop))
    finally:
        client.close()


class _Silent:
    """A watcher that only watches."""

    def sent(self, **_: object) -> None:
        """Nothing to do."""

    def token(self, text: str) -> None:
        """Nothing to do."""

    def failed(self, **_: object) -> None:
        """Nothing to do."""


class _Found:
    def __init__(self) -> None:
        self.notes: list[str] = []
        self._marks: dict[str, bool] = {}
        self._firsts: list[float] = []
        self._spent = self._tokens = 0.0

    def take(self, task: Task, reply: Reply, passes: bool | None) -> None:
        """`passes` None: nothing here could judge it."""
        self._firsts.append(reply.first_token_s)
        spent = reply.seconds - reply.first_token_s
        if spent > LEAST_STREAM_S:
            self._spent += spent
            self._tokens += reply.tokens_out or len(reply.text) / CHARACTERS_PER_TOKEN
        if passes is not None:
            self._marks[task.name] = passes
        if reply.prompt_truncated:
            self.notes.append("the server cut the long text to fit its context")

    def whole(
        self, endpoint: EndpointConfig, model: str, at: float, seconds: float
    ) -> Qualification:
        # The first waited for the model to be loaded, the last for its long text to be read.
        short = self._firsts[1:5] or self._firsts
        return Qualification(
            id=endpoint.id,
            url=endpoint.url,
            model=model,
            at=at,
            passed=sum(self._marks.values()),
            asked=len(self._marks),
            failed=tuple(name for name, right in self._marks.items() if not right),
            # To the microsecond: a server beside us can be faster than one millisecond, and 0 says
            # that nothing is known.
            first_token_s=round(statistics.median(short), 6) if short else 0.0,
            tokens_per_s=round(self._tokens / self._spent, 1) if self._spent else 0.0,
            seconds=round(seconds, 1),
            note="; ".join(self.notes),
        )


def _request(task: Task) -> Request:
    message = Message(role="user", content=task.prompt)
    return Request(
        messages=(message,), temperature=0.0, max_tokens=task.max_tokens, seed=7, think=False
    )


def _passes(task: Task, reply: Reply, sandbox: Sandbox, cancel: Cancel) -> bool | None:
    if task.right is not None:
        return task.right(reply.text)
    try:
        code = extract_code(reply.text, task.function, finish_reason=reply.finish_reason).code
        cases = [
            Case(id=str(number), source=source, origin="generated")
            for number, source in enumerate(task.cases)
        ]
        return sandbox.run(code, cases, cancel=cancel).status == "passed"
    except ModelAnswerError:
        return False
    except SandboxError:
        return None

"""Every error that leaves a module of ours, as one tree.

    AppError                    carries `code` (machine word) and a message that says what to do
      ConfigError               bad configuration: `problems`, each with dotted path, line and mend
      BadInput                  a user's input was refused: `field`
      RunNotFound               no such run
      Conflict                  it is too late for that: somebody came first, or the run ended
      StorageError              the database can't be read or written (disk full, locked, newer)
      Cancelled                 the user stopped the run
      EndpointError             a model server failed us: `endpoint`, `error_class`
        Unreachable             the request never arrived: safe to send elsewhere at once
        NoReply                 silence past a deadline: it may have begun
        BadReply                an answer that is not a model's reply: `status`
        ModelMissing            the server answers but lacks the model
        StreamInterrupted       the reply broke off after a token was delivered: `partial`
      NoEndpointLeft            every endpoint of a role failed: `role`, `attempts` in order
      BuiltinUnavailable        the built-in model can't be had: says why and what to do
      ModelAnswerError          a model answered, but with nothing we can use
      SandboxError              the sandbox itself failed; never a test result
      IllegalEvent              our bug: an event that the run's state does not allow

Generated code that fails is not an error: it is an ExecutionFinished event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class AppError(Exception):
    """Base of all our errors; `str(error)` is a sentence for the user."""

    code = "error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a configuration: dotted path, 1-based line (0: unknown), text, mend."""

    path: str
    line: int
    message: str
    mend: str

    def __str__(self) -> str:
        where = f"line {self.line}, {self.path}" if self.line else self.path
        return f"{where}: {self.message}. {self.mend}".rstrip()


class ConfigError(AppError):
    """The configuration can't be used; `problems` lists everything found, in file order."""

    code = "bad_config"

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))
        self.source = source
        self.problems = problems


class BadInput(AppError):
    """A value from a user was refused; `field` names it."""

    code = "bad_input"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class RunNotFound(AppError):
    """No run has this id."""

    code = "run_not_found"

    def __init__(self, run_id: str) -> None:
        super().__init__(f"There is no run {run_id!r}. The history on the start page lists them.")
        self.run_id = run_id


class Conflict(AppError):
    """The request was right once, but something else has happened in between."""

    code = "conflict"


class StorageError(AppError):
    """The database can't be read or written."""

    code = "storage"


class Cancelled(AppError):
    """The user stopped the run."""

    code = "cancelled"

    def __init__(self) -> None:
        super().__init__("Cancelled")


class EndpointError(AppError):
    """One request to one endpoint failed; `error_class` is a short word for events and metrics."""

    code = "endpoint"

    def __init__(self, endpoint: str, error_class: str, message: str) -> None:
        super().__init__(message)
        self.endpoint = endpoint
        self.error_class = error_class


class Unreachable(EndpointError):
    """Refused, no route, unknown host, TLS failure: the server never saw the request."""


class NoReply(EndpointError):
    """No first byte, or silence in the middle, past its deadline."""


class BadReply(EndpointError):
    """An HTTP error, a web page, broken JSON: `status` is the HTTP status, 0 for none."""

    def __init__(self, endpoint: str, error_class: str, message: str, status: int = 0) -> None:
        super().__init__(endpoint, error_class, message)
        self.status = status


class ModelMissing(EndpointError):
    """The endpoint answers, but does not have the model."""


class StreamInterrupted(EndpointError):
    """The reply broke off after tokens were delivered: `partial` is what had arrived."""

    def __init__(self, endpoint: str, error_class: str, message: str, partial: str) -> None:
        super().__init__(endpoint, error_class, message)
        self.partial = partial


class FailedAttempt(Protocol):
    """What NoEndpointLeft needs to know of an attempt."""

    @property
    def endpoint(self) -> str: ...
    @property
    def message(self) -> str: ...


class NoEndpointLeft(AppError):
    """Every endpoint of `role` failed; `attempts` lists them in the order tried."""

    code = "no_endpoint"

    def __init__(self, role: str, attempts: tuple[FailedAttempt, ...], mend: str = "") -> None:
        # One that asked for a break may have been asked several times, with the same answer.
        told = dict.fromkeys((attempt.endpoint, attempt.message) for attempt in attempts)
        tried = "; ".join(f"{endpoint}: {message}" for endpoint, message in told)
        count = len({endpoint for endpoint, _ in told})
        plural = "endpoint" if count == 1 else "endpoints"
        super().__init__(f"{role}: {count} {plural} tried - {tried}. {mend}".rstrip())
        self.role = role
        self.attempts = attempts


class BuiltinUnavailable(AppError):
    """The built-in model can't be fetched, verified or started."""

    code = "builtin_unavailable"


class ModelAnswerError(AppError):
    """A model answered, but nothing usable could be read from its answer."""

    code = "model_answer"


class SandboxError(AppError):
    """The sandbox could not run the code at all, or its record is missing or forged."""

    code = "sandbox"


class IllegalEvent(AppError):
    """An event that the run's phase does not allow; the state is left alone."""

    code = "illegal_event"

    def __init__(self, phase: str, kind: str) -> None:
        super().__init__(f"{kind} is not allowed in a run that is {phase}")
        self.phase = phase
        self.kind = kind

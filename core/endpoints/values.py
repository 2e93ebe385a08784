"""What callers of the endpoints give and get: frozen values and two small protocols."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, runtime_checkable

from core.cancel import Cancel
from core.endpoints.figures import NO_FIGURES, Figures
from core.events import Role

CHARACTERS_PER_TOKEN = 3.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of the conversation that the model is shown."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a model is asked. `max_tokens` caps the reply; `seed` None lets the server choose.

    `think`: whether, or how much ("low", "medium", "high"), a model that can think does; None
    leaves it to the server, and a model that can't is asked without. `format` is "json" or a JSON
    schema that the reply must follow. `run` is the run that asks: where calls must wait, runs are
    served in turn. `begin` is how the reply begins where the model can be made to go on from there;
    others are asked without it, and begin by themselves.
    """

    messages: tuple[Message, ...]
    temperature: float = 0.2
    max_tokens: int = 1024
    seed: int | None = None
    stop: tuple[str, ...] = ()
    think: bool | str | None = None
    format: Literal["json"] | Mapping[str, Any] | None = None
    run: str | None = None
    begin: str = ""

    def begun(self) -> Request:
        """The request with its reply begun, as the last message."""
        return replace(
            self, messages=(*self.messages, Message(role="assistant", content=self.begin))
        )

    @property
    def characters(self) -> int:
        """Length of all messages."""
        return sum(len(message.content) for message in self.messages)

    @property
    def tokens_estimated(self) -> int:
        """Tokens of all messages, guessed from their length, rounded up."""
        return math.ceil(self.characters / CHARACTERS_PER_TOKEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One endpoint's failure within a call: `error` is a machine word, `message` a sentence.

    `cooldown_s` says for how long the endpoint is passed over from then on; 0: not at all.
    """

    endpoint: str
    model: str
    error: str
    message: str
    seconds: float
    cooldown_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole reply. Token counts are the server's own, 0 when it gave none. `begun` is what it was
    begun with and goes on from, '' when the server began it.

    `seconds` and `first_token_s` are of the attempt that succeeded; `attempts` are those that
    failed before it. `context_size` is in tokens, 0 when the server decides. `prompt_truncated`:
    the server's own count says that it cut the prompt to fit.
    """

    text: str
    model: str
    endpoint: str
    tokens_in: int
    tokens_out: int
    first_token_s: float
    seconds: float
    finish_reason: str
    thinking: str
    attempts: tuple[Attempt, ...]
    context_size: int
    prompt_truncated: bool
    begun: str = ""


class Watcher(Protocol):
    """Told what a call does while it does it, in the caller's own thread."""

    def sent(
        self,
        *,
        model: str,
        endpoint: str,
        characters: int,
        prompt_tokens_estimated: int,
        context_size: int,
    ) -> None:
        """The request goes to this endpoint now; again after each failover."""

    def token(self, text: str) -> None:
        """More of the reply's text."""

    def failed(self, *, endpoint: str, error: str, message: str, cooldown_s: float) -> None:
        """This endpoint failed; it is passed over for `cooldown_s` seconds."""


@runtime_checkable
class QueueWatcher(Protocol):
    """A watcher that also wants to know when its call must wait for an endpoint."""

    def queued(self, *, position: int) -> None:
        """All endpoints are full or busy; `position` calls, this one included, are before the
        next one that comes. Told again when it changes, at most about once a second."""


class Builtin(Protocol):
    """The model server that the app carries itself; OpenAI-compatible."""

    def acquire(self, role: Role, cancel: Cancel, broken: str = "") -> tuple[str, str]:
        """URL and model, once it serves. Raises BuiltinUnavailable or Cancelled.

        `broken` is the URL of a server that failed a moment ago, '' for none.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointStatus:
    """What is known of an endpoint, without asking it.

    `state` is a word of states.State, `message` its reason. `reachable` None: never asked. `models`
    is what it last listed. `cooldown_s` is the rest of its cooldown. `calls` and `failures` are
    requests since the start, for all roles; so are the `figures`. `id` tells it from others with
    the same URL, see EndpointConfig.
    """

    id: str
    url: str
    kind: str
    state: str
    reachable: bool | None
    models: tuple[str, ...]
    message: str
    in_flight: int
    cooldown_s: float
    calls: int
    failures: int
    name: str = ""
    weight: int = 1
    max_inflight: int = 32
    figures: Figures = NO_FIGURES


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleStatus:
    """A role's endpoints in rotation order, each with whether it has the role's model.

    `has_model` None: not known. The third value is the command or step that mends it, '' when
    nothing is wrong. `why` says what keeps the role's own endpoints from serving it, '' if nothing.
    `waiting`: its calls in the queue.
    """

    role: Role
    model: str
    endpoints: tuple[tuple[EndpointStatus, bool | None, str], ...]
    served_by_builtin: bool
    why: str
    strategy: str = "round_robin"
    waiting: int = 0
    figures: Figures = NO_FIGURES

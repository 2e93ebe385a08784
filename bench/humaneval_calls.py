"""Questions to the models, straight to the product's client, and what they cost."""

from __future__ import annotations

from collections import Counter
from typing import Any

from bench.humaneval_tasks import BenchError
from core.cancel import Cancel
from core.endpoints import Client, Message, Reply, Request
from core.errors import AppError, ModelAnswerError, StreamInterrupted
from core.events import ROLES, Role
from core.replies import extract_code

TRIES = 3  # of a reply that breaks off, as often as a run of the product asks again


class Asking:
    """Asks on behalf of one task and keeps count."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.calls = 0
        self.tokens_in: Counter[str] = Counter()
        self.tokens_out: Counter[str] = Counter()

    def ask(self, role: Role, prompt: str, *, temperature: float, max_tokens: int) -> Reply:
        """The role's reply. Raises BenchError when no model could answer: that is no result."""
        request = Request(
            messages=(Message(role="user", content=prompt),),
            temperature=temperature,
            max_tokens=max_tokens,
        )
        reply = self._chat(role, request)
        self.calls += 1
        self.tokens_in[reply.model] += reply.tokens_in
        self.tokens_out[reply.model] += reply.tokens_out
        return reply

    def costs(self) -> dict[str, Any]:
        """The fields of Answer that tell of calls."""
        return {
            "calls": self.calls,
            "tokens_in": dict(self.tokens_in),
            "tokens_out": dict(self.tokens_out),
        }

    def _chat(self, role: Role, request: Request) -> Reply:
        left = TRIES
        while True:
            left -= 1
            try:
                return self._client.chat(role, request, watcher=_Silent(), cancel=Cancel())
            except StreamInterrupted as error:
                if not left:
                    raise unanswered(role, error) from error
            except AppError as error:
                raise unanswered(role, error) from error


def unanswered(role: str, error: AppError) -> BenchError:
    """What to say when the models are gone in the middle."""
    return BenchError(
        f"The {role} got no answer, so the bench stops: {error.message} What is done is kept; "
        "the same command goes on from there."
    )


def code_in(reply: Reply, name: str) -> str:
    """The reply's code; without any, the whole reply, which then fails as it is."""
    try:
        return extract_code(reply.text, name, finish_reason=reply.finish_reason).code
    except ModelAnswerError:
        return reply.text


def models(client: Client) -> dict[Role, str]:
    """Which model answers for each role, asked of each: so they are also loaded.

    Raises BenchError.
    """
    asking = Asking(client)
    hello = "Answer with the word: ready"
    found: dict[Role, str] = {}
    for role in ROLES:
        found[role] = asking.ask(role, hello, temperature=0.0, max_tokens=1).model
    return found


class _Silent:
    """A watcher that has nobody to tell."""

    def sent(self, **_: Any) -> None: ...

    def token(self, text: str) -> None: ...

    def failed(self, **_: Any) -> None: ...

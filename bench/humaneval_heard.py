"""What a run's log holds of its questions to models, and of their replies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.endpoints import Reply
from core.events import Event, PromptWritten, ReplyReceived, RequestSent, Role, TokensArrived


@dataclass(frozen=True, slots=True)
class Question:
    """What makes a reply one to the same question: the `step`'s name, who is asked, and the words.

    All else is taken to be as it was: temperature, room, context, the server and its files.
    """

    step: str
    role: Role
    model: str
    prompt: str
    begin: str


def heard(events: Sequence[Event]) -> dict[Question, Reply]:
    """The whole replies of a run."""
    found: dict[Question, Reply] = {}
    prompts: dict[str, PromptWritten] = {}
    requests: dict[str, RequestSent] = {}
    texts: dict[str, str] = {}
    for event in events:
        match event.payload:
            case PromptWritten() as prompt:
                prompts[prompt.call] = prompt
            case RequestSent() as request:
                requests[request.call], texts[request.call] = request, ""
            case TokensArrived() as tokens:
                texts[tokens.call] += tokens.text
            case ReplyReceived() as received:
                prompt, request = prompts[received.call], requests[received.call]
                question = Question(
                    step_of(received.call), prompt.role, request.model, prompt.text, prompt.begin
                )
                text = texts[received.call]
                found.setdefault(question, _reply(prompt, request, received, text))
    return found


def _reply(
    prompt: PromptWritten, request: RequestSent, received: ReplyReceived, text: str
) -> Reply:
    # Only a server that goes on from a beginning was sent more than the prompt, and then the text
    # in the log has that beginning too.
    begun = prompt.begin if request.characters > len(prompt.text) else ""
    return Reply(
        text=text.removeprefix(begun),
        model=request.model,
        endpoint=request.endpoint,
        tokens_in=received.tokens_in,
        tokens_out=received.tokens_out,
        first_token_s=received.first_token_s,
        seconds=received.seconds,
        finish_reason=received.finish_reason,
        thinking="",
        attempts=(),
        context_size=request.context_size,
        prompt_truncated=False,
        begun=begun,
    )


def step_of(call: str) -> str:
    """The step's name: a call's id ends with the writer's epoch and the number of the try."""
    return call.rsplit(".", 2)[0]

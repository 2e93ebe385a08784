"""What a run's log holds of its questions to models, and of their replies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.endpoints import Reply
from core.events import Event, PromptWritten, RequestSent, Role
from core.state import CallState, calls_of


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
    """The whole replies of a run; of a question asked several times the first."""
    payloads = [event.payload for event in events]
    begins = {one.call: one.begin for one in payloads if isinstance(one, PromptWritten)}
    sent = {one.call: one.characters for one in payloads if isinstance(one, RequestSent)}
    found: dict[Question, Reply] = {}
    for call in calls_of(events):
        if call.status == "done":
            begin = begins[call.call]
            question = Question(step_of(call.call), call.role, call.model, call.prompt, begin)
            # Only a server that goes on from a beginning was sent more than the prompt, and then
            # the text in the log has that beginning too.
            begun = begin if sent[call.call] > len(call.prompt) else ""
            found.setdefault(question, _reply(call, begun))
    return found


def _reply(call: CallState, begun: str) -> Reply:
    return Reply(
        text=call.text.removeprefix(begun),
        model=call.model,
        endpoint=call.endpoint,
        tokens_in=call.tokens_in,
        tokens_out=call.tokens_out,
        first_token_s=call.first_token_s,
        seconds=call.seconds,
        finish_reason=call.finish_reason,
        thinking="",
        attempts=(),
        context_size=call.context_size,
        prompt_truncated=False,
        begun=begun,
    )


def step_of(call: str) -> str:
    """The step's name: a call's id ends with the writer's epoch and the number of the try."""
    return call.rsplit(".", 2)[0]

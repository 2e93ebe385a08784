"""The OpenAI-compatible API: POST /v1/chat/completions, answered by server-sent events."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from core.endpoints import faults
from core.endpoints.sse import events
from core.endpoints.values import Request
from core.endpoints.wire import Chunk, Source, count_of, parse_object, text_of
from core.errors import EndpointError, NoReply

# The counts and the closing [DONE] follow the finish at once; a reply is whole without them.
USAGE_S = 5.0
# What some servers refuse to know, and a reply can do without.
_DISPENSABLE = ("stream_options", "seed", "reasoning_effort", "temperature", "max_tokens")
_NEWER = "max_completion_tokens"
_UNKNOWN = re.compile(
    r"unsupported|not support|unrecogni[sz]ed|unknown|unexpected|not permitted|not allowed", re.I
)
_KNOWN = {"choices", "usage", "id", "object", "type"}


class OpenAIWire:
    """llama.cpp, vLLM, LM Studio and gateways. The server decides the context size."""

    path = "/v1/chat/completions"

    def body(
        self, request: Request, model: str, context_size: int, keep_alive: str | int
    ) -> dict[str, Any]:
        """`context_size` and `keep_alive` have no place in this protocol."""
        body: dict[str, Any] = {
            "model": model,
            "messages": [{"role": one.role, "content": one.content} for one in request.messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
        }
        if request.seed is not None:
            body["seed"] = request.seed
        if request.stop:
            body["stop"] = list(request.stop)
        if request.format == "json":
            body["response_format"] = {"type": "json_object"}
        elif request.format is not None:
            schema = {"name": "reply", "schema": request.format}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        if isinstance(request.think, str):
            body["reasoning_effort"] = request.think
        return body

    def simpler(self, body: dict[str, Any], refusal: str) -> dict[str, Any] | None:
        """Without the parameter that the server names, or with its newer name."""
        if not _UNKNOWN.search(refusal):
            return None
        for name in _DISPENSABLE:
            if name in body and name in refusal:
                left = {key: value for key, value in body.items() if key != name}
                if name == "max_tokens" and _NEWER in refusal:
                    left[_NEWER] = body[name]
                return left
        return None

    def chunks(self, source: Source, model: str) -> Iterator[Chunk]:
        """Up to a finish_reason and the usage after it. [DONE] alone proves nothing."""
        finished, first = False, True
        coming = events(source)
        while True:
            try:
                name, data = next(coming)
            except StopIteration:
                break
            except NoReply:
                if finished:
                    break
                raise
            if data == b"[DONE]":
                break
            plain = parse_object(source.endpoint, data)
            problem = _problem(source.endpoint, model, name, plain)
            if problem is not None:
                raise problem
            if first and plain and not plain.keys() & _KNOWN:
                raise faults.not_a_reply(source.endpoint, data)
            first = False
            chunk = _chunk(plain)
            yield chunk
            if chunk.finish:
                finished = True
                source.hurry(USAGE_S)
        if not finished:
            raise faults.unfinished(source.endpoint)


def _problem(endpoint: str, model: str, name: str, plain: dict[str, Any]) -> EndpointError | None:
    """What is wrong with an event that is no piece of a reply; None for all others."""
    error = plain.get("error")
    if name == "error" or error or plain.get("object") == "error":
        words = faults.error_words(plain)
        code = error.get("code") if isinstance(error, dict) else plain.get("code")
        return faults.stream_error(endpoint, model, words, code)
    if not plain.keys() & _KNOWN and plain.keys() & {"detail", "message"}:
        return faults.stream_error(endpoint, model, faults.error_words(plain))
    return None


def _chunk(plain: dict[str, Any]) -> Chunk:
    choices, usage = plain.get("choices"), plain.get("usage")
    choice = choices[0] if isinstance(choices, list) and choices else {}
    choice = choice if isinstance(choice, dict) else {}
    delta = choice.get("delta") or choice.get("message")  # the latter from who does not stream
    delta = delta if isinstance(delta, dict) else {}
    parts = delta.get("content")
    if isinstance(parts, list):
        delta = {**delta, "content": _text(parts, "text"), "reasoning": _text(parts, "thinking")}
    usage = usage if isinstance(usage, dict) else {}
    return Chunk(
        text=text_of(delta, "content"),
        thinking=text_of(delta, "reasoning_content", "reasoning"),
        finish=text_of(choice, "finish_reason"),
        tokens_in=count_of(usage, "prompt_tokens"),
        tokens_out=count_of(usage, "completion_tokens"),
    )


def _text(parts: Any, kind: str) -> str:
    """The texts of the parts of this kind; a part may itself consist of parts."""
    if isinstance(parts, str):
        return parts
    listed = [one for one in parts if isinstance(one, dict)] if isinstance(parts, list) else []
    return "".join(
        _text(one.get(kind), "text") for one in listed if one.get("type", "text") == kind
    )

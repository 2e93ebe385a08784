"""The OpenAI-compatible API: POST /v1/chat/completions, answered by server-sent events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.endpoints import faults
from core.endpoints.values import Request
from core.endpoints.wire import Chunk, Source, count_of, parse_object, text_of
from core.errors import EndpointError, NoReply

# The counts and the closing [DONE] follow the finish at once; a reply is whole without them.
USAGE_S = 5.0


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

    def chunks(self, source: Source, model: str) -> Iterator[Chunk]:
        """Up to a finish_reason and the usage after it. [DONE] alone proves nothing."""
        finished = False
        events = _events(source)
        while True:
            try:
                name, data = next(events)
            except StopIteration:
                break
            except NoReply:
                if finished:
                    break
                raise
            if data == b"[DONE]":
                break
            plain = parse_object(source.endpoint, data)
            if name == "error" or plain.get("error") or plain.get("object") == "error":
                words = faults.error_words(plain)
                raise faults.stream_error(source.endpoint, model, words)
            chunk = _chunk(plain)
            yield chunk
            if chunk.finish:
                finished = True
                source.hurry(USAGE_S)
        if not finished:
            raise faults.unfinished(source.endpoint)


def _events(source: Source) -> Iterator[tuple[str, bytes]]:
    """Name ('' when none) and data of each event; a body that holds none is refused."""
    name, data, strange, events = "", list[bytes](), b"", 0
    for line in source.lines():
        if not line:
            if data:
                events += 1
                yield name, b"\n".join(data)
            name, data = "", []
            continue
        field, _, value = line.partition(b":")
        value = value.strip()
        if field == b"data":
            data.append(value)
        elif field == b"error":  # llama.cpp's older builds
            events += 1
            yield "error", value
        elif field == b"event":
            name = value.decode("utf-8", "replace")
        elif field and not strange:
            strange = line
    if data:
        yield name, b"\n".join(data)
    elif strange and not events:
        raise _stranger(source.endpoint, strange)


def _stranger(endpoint: str, line: bytes) -> EndpointError:
    words = faults.error_text(line) if line.startswith(b"{") and b'"error"' in line else ""
    if words:
        return faults.stream_error(endpoint, "", words)
    return faults.not_a_reply(endpoint, line)


def _chunk(plain: dict[str, Any]) -> Chunk:
    choices, usage = plain.get("choices"), plain.get("usage")
    choice = choices[0] if isinstance(choices, list) and choices else {}
    choice = choice if isinstance(choice, dict) else {}
    delta = choice.get("delta")
    delta = delta if isinstance(delta, dict) else {}
    usage = usage if isinstance(usage, dict) else {}
    return Chunk(
        text=text_of(delta, "content"),
        thinking=text_of(delta, "reasoning_content", "reasoning"),
        finish=text_of(choice, "finish_reason"),
        tokens_in=count_of(usage, "prompt_tokens"),
        tokens_out=count_of(usage, "completion_tokens"),
    )

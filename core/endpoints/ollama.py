"""Ollama's native API: POST /api/chat, answered by one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.endpoints import faults
from core.endpoints.values import Request
from core.endpoints.wire import Chunk, Source, count_of, parse_object, text_of


class OllamaWire:
    """The native protocol. `think` is sent only where a caller asks for it: a model may refuse."""

    path = "/api/chat"

    def body(
        self, request: Request, model: str, context_size: int, keep_alive: str | int
    ) -> dict[str, Any]:
        """num_ctx goes with every request, always the same for a model: a change reloads it."""
        options: dict[str, Any] = {
            "num_predict": request.max_tokens,
            "temperature": request.temperature,
        }
        if context_size:
            options["num_ctx"] = context_size
        if request.seed is not None:
            options["seed"] = request.seed
        if request.stop:
            options["stop"] = list(request.stop)
        messages = [{"role": one.role, "content": one.content} for one in request.messages]
        body: dict[str, Any] = {
            "model": model,
            "messages": messages,
            "stream": True,
            "keep_alive": keep_alive,
            "options": options,
        }
        if request.think is not None:
            body["think"] = request.think
        if request.format is not None:
            body["format"] = request.format
        return body

    def simpler(self, body: dict[str, Any], refusal: str) -> dict[str, Any] | None:
        """Without `think`, for a model that can't."""
        if "think" not in body or "does not support think" not in refusal:
            return None
        return {key: value for key, value in body.items() if key != "think"}

    def chunks(self, source: Source, model: str) -> Iterator[Chunk]:
        """Up to `done: true`. A stream that ends without it was broken off, whatever HTTP says."""
        first = True
        for line in source.lines():
            if not line:
                continue
            if first and line.startswith(b"<"):
                raise faults.not_a_reply(source.endpoint, line)
            plain = parse_object(source.endpoint, line)
            if plain.get("error") is not None:
                words = faults.error_words(plain)
                raise faults.stream_error(source.endpoint, model, words)
            if first and not plain.keys() & {"message", "done"}:
                raise faults.not_a_reply(source.endpoint, line)
            first = False
            yield _chunk(plain)
            if plain.get("done") is True:
                return
        raise faults.unfinished(source.endpoint)


def _chunk(plain: dict[str, Any]) -> Chunk:
    message = plain.get("message")
    message = message if isinstance(message, dict) else {}
    done = plain.get("done") is True
    return Chunk(
        text=text_of(message, "content"),
        thinking=text_of(message, "thinking"),
        finish=(text_of(plain, "done_reason") or "stop") if done else "",
        tokens_in=count_of(plain, "prompt_eval_count"),
        tokens_out=count_of(plain, "eval_count"),
    )

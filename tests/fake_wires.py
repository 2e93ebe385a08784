"""The bodies that the fake model server streams: NDJSON and server-sent events."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass
class Reply:
    """What the server does with one chat; by default it streams `text` and finishes.

    `pause` comes before each chunk after the first `free` ones: seconds, or an event to wait for.
    """

    text: str = ""
    chunk: int = 8  # characters
    thinking: str = ""
    pause: float | threading.Event = 0.0
    free: int = 0
    status: int = 200
    error: str = ""  # with status 200: a line in the stream, after the text
    done: bool = True  # False: the stream just ends
    done_reason: str = "stop"
    hang: Literal["", "headers", "body", "middle"] = ""
    cut: bool = False  # after the text the connection breaks
    tokens_in: int = 26
    raw: bytes | None = None  # this body in place of everything else
    content_type: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Seen:
    """A request: `body` is None for a GET."""

    path: str
    body: dict[str, Any] | None
    headers: dict[str, str]


def _pieces(reply: Reply) -> Iterator[tuple[str, str]]:
    for name, text in (("thinking", reply.thinking), ("content", reply.text)):
        for start in range(0, len(text), reply.chunk):
            yield name, text[start : start + reply.chunk]


def ndjson(reply: Reply, body: dict[str, Any], path: str) -> Iterator[tuple[bool, bytes]]:
    head = {"model": body["model"], "created_at": "2026-01-01T00:00:00.000000Z"}

    def piece(name: str, text: str) -> dict[str, Any]:
        if path == "/api/generate":
            return {"response": "", "thinking" if name == "thinking" else "response": text}
        return {"message": {"role": "assistant", "content": "", name: text}}

    count = 0
    for name, text in _pieces(reply):
        count += 1
        yield False, _line({**head, **piece(name, text), "done": False})
    if reply.error:
        yield True, _line({"error": reply.error})
    elif not reply.done:
        yield True, b"\n"
    else:
        counts = {"prompt_eval_count": reply.tokens_in, "eval_count": count}
        times = {
            "total_duration": 4883583458,
            "load_duration": 1334875,
            "eval_duration": 45 * 10**8,
        }
        end = {"done": True, "done_reason": reply.done_reason, **times, **counts}
        yield True, _line({**head, **piece("content", ""), **end})


def sse(reply: Reply, body: dict[str, Any], path: str) -> Iterator[tuple[bool, bytes]]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": body["model"]}

    def event(delta: dict[str, str], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return b"data: " + _line({**head, "choices": [choice]}) + b"\n"

    count = 0
    for name, text in _pieces(reply):
        count += 1
        yield False, event({"reasoning_content" if name == "thinking" else name: text})
    if reply.error:
        yield True, b"data: " + _line({"error": {"message": reply.error}}) + b"\n"
    elif reply.done:
        yield True, event({}, reply.done_reason)
        if (body.get("stream_options") or {}).get("include_usage"):
            usage = {"prompt_tokens": reply.tokens_in, "completion_tokens": count}
            yield True, b"data: " + _line({**head, "choices": [], "usage": usage}) + b"\n"
    yield True, b"data: [DONE]\n\n"


def _line(plain: dict[str, Any]) -> bytes:
    return json.dumps(plain, ensure_ascii=False).encode() + b"\n"

"""Servers that speak OpenAI's or Ollama's API in their own way: they work, or are called right.

The bodies are what these servers send, shortened: llama.cpp, vLLM, LM Studio, LiteLLM, TGI,
OpenRouter, Mistral, Together, frameworks that do not stream, and gateways in between.
"""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from endpoint_helpers import RawServer, ask, body_of, client_for, saying

from core.endpoints import Reply as ModelReply
from core.errors import EndpointError, NoEndpointLeft, StreamInterrupted


def event(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    plain = {"id": "c-1", "object": "chat.completion.chunk", "choices": [choice], **more}
    return b"data: " + json.dumps(plain).encode() + b"\n\n"


def data(plain: object) -> bytes:
    return b"data: " + json.dumps(plain).encode() + b"\n\n"


ROLE = event({"role": "assistant", "content": None})
WHOLE = event({"content": "a"}) + event({"content": "b"}) + event({}, "stop")
USAGE = data({"id": "c-1", "choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}})
DONE = b"data: [DONE]\n\n"
PLAIN = {
    "id": "c-1",
    "object": "chat.completion",
    "choices": [{"message": {"role": "assistant", "content": "ab"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 7, "completion_tokens": 2},
}


def said(body: bytes, kind: str = "text/event-stream") -> ModelReply:
    """What a server's body becomes; raises as a call does."""
    with RawServer([body_of(body, kind)]) as server, client_for(f"{server.url}/v1") as client:
        return ask(client)


def failure(body: bytes, kind: str = "text/event-stream") -> tuple[str, str]:
    """The class and the message of the error that a body becomes."""
    try:
        said(body, kind)
    except NoEndpointLeft as error:
        [attempt] = error.attempts
        return attempt.error, attempt.message  # type: ignore[attr-defined]
    except EndpointError as error:
        where = "interrupted: " if isinstance(error, StreamInterrupted) else ""
        return where + error.error_class, error.message
    raise AssertionError("it was taken for a reply")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(ROLE + WHOLE + USAGE + DONE, id="role first, usage last"),
        pytest.param(b": OPENROUTER PROCESSING\n\n" * 3 + WHOLE + USAGE + DONE, id="comments"),
        pytest.param(b":\n\n" + WHOLE.replace(b"data: ", b"data:") + USAGE, id="no space, no end"),
        pytest.param((WHOLE + USAGE + DONE).replace(b"\n", b"\r\n"), id="CRLF"),
        pytest.param(b"\xef\xbb\xbf" + WHOLE + USAGE + DONE, id="byte order mark"),
        pytest.param(b"id: 1\nretry: 3000\n\n" + WHOLE + USAGE, id="id and retry"),
        pytest.param(b"data: \n\n" + WHOLE + b"data:\n\n" + USAGE + DONE, id="empty events"),
        pytest.param(b'event: ping\ndata: {"type": "ping"}\n\n' + WHOLE + USAGE, id="pings"),
        pytest.param(b"data: {}\n\n" + WHOLE + USAGE, id="an empty object"),
        pytest.param(
            event({"role": "assistant", "content": "ab"}, "stop", usage=PLAIN["usage"]),
            id="at once",
        ),
        pytest.param(
            event({"content": "ab"}, "stop", error=None, usage=PLAIN["usage"]), id="null error"
        ),
        pytest.param(
            event({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]})
            + event({"content": [{"type": "text", "text": "ab"}]}, "stop")
            + USAGE,
            id="content in parts",
        ),
        pytest.param(data(PLAIN) + DONE, id="a whole message in one event"),
    ],
)
def test_a_reply_in_any_of_these_ways_is_a_reply(body: bytes) -> None:
    reply = said(body)
    assert (reply.text, reply.finish_reason) == ("ab", "stop")
    assert (reply.tokens_in, reply.tokens_out) == (7, 2)


@pytest.mark.parametrize("indent", [None, 2])
def test_a_server_that_does_not_stream_is_read_whole(indent: int | None) -> None:
    reply = said(json.dumps(PLAIN, indent=indent).encode(), "application/json")
    assert (reply.text, reply.tokens_in, reply.finish_reason) == ("ab", 7, "stop")


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_reasoning_is_kept_apart(key: str) -> None:
    reply = said(event({key: "let me "}) + event({key: "see", "content": ""}) + WHOLE + DONE)
    assert (reply.text, reply.thinking) == ("ab", "let me see")


def test_reasoning_in_parts_is_kept_apart() -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, "odd", {}]
    assert said(event({"content": parts}) + WHOLE).thinking == "hm"


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (data({"error": {"message": "boom", "code": 500}}) + DONE, "stream_error", "boom"),
        (data({"object": "error", "message": "boom", "code": 500}), "stream_error", "boom"),
        (data({"error": "Input validation error: x"}), "stream_error", "Input validation"),
        (data({"error": {"message": "bad key", "code": "401"}}), "forbidden", "key rejected"),
        (data({"error": {"message": "too long", "code": 400}}), "bad_request", "too long"),
        (data({"error": {"message": "model x does not exist"}}), "model_missing", "is not on"),
        (b'event: error\ndata: {"message": "boom"}\n\n', "stream_error", "boom"),
        (WHOLE[:60] + b"\n\n", "malformed", "invalid JSON"),
        (b'{"error": {"message": "boom"}}', "stream_error", "boom"),
        (b'{\n  "detail": "Not Found"\n}', "stream_error", "Not Found"),
        (b'{"hello": 1}', "not_a_model_reply", "check the address"),
        (b'{"hello": ', "malformed", "invalid JSON"),
        (b"<!DOCTYPE html>\n<html>", "not_a_model_reply", "a web page"),
        (b": only comments\n\n", "unfinished", "without finishing"),
        (b"id: 1\n\n", "unfinished", "without finishing"),
        (ROLE + event({}) + DONE, "unfinished", "without finishing"),
        (event({"content": "a"}) + data({"error": "boom"}), "interrupted: stream_error", "boom"),
        (event({"content": "a"}) + DONE, "interrupted: unfinished", "without finishing"),
    ],
)  # fmt: skip
def test_what_is_no_reply_is_called_right(body: bytes, error: str, words: str) -> None:
    kind, message = failure(body)
    assert kind == error
    assert words in message


@pytest.mark.parametrize("kind", ["text/html", "Text/HTML; charset=utf-8"])
def test_a_web_page_is_known_by_its_type(kind: str) -> None:
    assert failure(b"Welcome!\n", kind)[0] == "not_a_model_reply"


def test_an_error_within_a_reply_is_told_in_few_words() -> None:
    _, message = failure(data({"error": {"message": "x" * 100_000}}))
    assert len(message) < 500


def test_packed_events_are_read_though_nobody_asked_for_packing() -> None:
    packed = gzip.compress(ROLE + WHOLE + USAGE + DONE)
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n"
    whole = f"{head}Content-Length: {len(packed)}\r\n\r\n".encode() + packed
    with RawServer([saying(whole)]) as server, client_for(f"{server.url}/v1") as client:
        assert ask(client).text == "ab"


def test_a_connection_that_breaks_after_the_finish_costs_nothing() -> None:
    body = ROLE + WHOLE
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    cut = saying(head + b"%x\r\n%s\r\n" % (len(body), body))  # and no last chunk
    with RawServer([cut]) as server, client_for(f"{server.url}/v1") as client:
        assert ask(client).text == "ab"


@pytest.mark.parametrize("extra", [{"error": None}, {"remote_model": "x"}])
def test_an_ollama_like_server_may_say_more_than_ollama(extra: dict[str, object]) -> None:
    lines = [
        {"message": {"role": "assistant", "content": "ab"}, "done": False, **extra},
        {"message": {"content": ""}, "done": True, **extra},
    ]
    body = b"\r\n".join(json.dumps(one).encode() for one in lines)
    version = b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\nConnection: close\r\n\r\n{"version":"0.3"}'
    with (
        RawServer([saying(version), body_of(body)]) as server,
        client_for(server.url) as client,
    ):
        assert ask(client).text == "ab"

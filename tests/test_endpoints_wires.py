"""Both protocols, against real servers: what counts as a reply, and what each oddity becomes."""

from __future__ import annotations

import json
import time

import pytest
from endpoint_helpers import HELLO, MODEL, RawServer, Recorder, ask, body_of, client_for, saying
from fake_ollama import FakeOllama, Reply

from core.endpoints import Message, Request
from core.errors import BadReply, NoEndpointLeft, StreamInterrupted

BOTH = pytest.mark.parametrize("suffix", ["", "/v1"])


def ndjson(*objects: object) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in objects)


def content(text: str, **more: object) -> dict[str, object]:
    return {"message": {"role": "assistant", "content": text}, "done": False, **more}


DONE = {"done": True, "done_reason": "stop"}


def failure_at(handler_bytes: bytes, kind: str = "application/x-ndjson") -> tuple[str, str]:
    """Error class and message of the only attempt at an endpoint that sends these bytes."""
    version = b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\nConnection: close\r\n\r\n{"version":"0.3"}'
    with RawServer([saying(version), body_of(handler_bytes, kind)]) as server:
        with client_for(server.url) as client, pytest.raises(NoEndpointLeft) as caught:
            ask(client)
        [attempt] = caught.value.attempts
        return attempt.error, attempt.message  # type: ignore[attr-defined]


@BOTH
def test_a_reply_comes_in_tokens_and_as_a_whole(suffix: str) -> None:
    watcher = Recorder()
    with (
        FakeOllama(script=["def äöü(): ...  # ✓ 你好"]) as server,
        client_for(server.url + suffix) as client,
    ):
        reply = ask(client, watcher=watcher)
    assert reply.text == "".join(watcher.of("token")) == "def äöü(): ...  # ✓ 你好"
    assert (reply.model, reply.endpoint, reply.finish_reason) == (MODEL, server.url, "stop")
    assert (reply.tokens_in, reply.tokens_out) == (26, 3)
    assert 0 < reply.first_token_s <= reply.seconds
    assert reply.attempts == ()


def test_ollama_is_told_its_context_and_keep_alive_every_time() -> None:
    request = Request(
        messages=(Message(role="system", content="s"), Message(role="user", content="u")),
        temperature=0.5,
        max_tokens=77,
        seed=4,
        stop=("END",),
    )
    sizes = {"default": 4096, MODEL: 16384}
    with FakeOllama() as server, client_for(server.url, num_ctx=sizes, keep_alive="5m") as client:
        assert ask(client, request=request).context_size == 16384
    [body] = server.chats
    assert body == {
        "model": MODEL,
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
        "stream": True,
        "keep_alive": "5m",
        "options": {
            "num_ctx": 16384,
            "num_predict": 77,
            "temperature": 0.5,
            "seed": 4,
            "stop": ["END"],
        },
    }


def test_an_openai_server_is_found_out_and_asked_for_usage() -> None:
    with FakeOllama(ollama=False) as server, client_for(server.url) as client:
        assert ask(client).context_size == 0
        ask(client)
    paths = [seen.path for seen in server.requests]
    assert paths == ["/api/version", "/v1/models"] + ["/v1/chat/completions"] * 2
    assert server.chats[0]["stream_options"] == {"include_usage": True}
    assert server.chats[0]["max_tokens"] == HELLO.max_tokens
    assert server.connections == 1


@BOTH
def test_thinking_is_kept_apart_and_length_is_told(suffix: str) -> None:
    script = [Reply(text="42", thinking="hm, let me see", done_reason="length")]
    with FakeOllama(script=script) as server, client_for(server.url + suffix) as client:
        reply = ask(client)
    assert (reply.text, reply.thinking, reply.finish_reason) == ("42", "hm, let me see", "length")


@BOTH
def test_an_end_without_finish_is_no_success(suffix: str) -> None:
    script = [Reply(done=False), Reply(text="half an ans", done=False)]
    with FakeOllama(script=script) as server, client_for(server.url + suffix) as client:
        with pytest.raises(NoEndpointLeft, match="without finishing"):
            ask(client)
        with pytest.raises(StreamInterrupted) as caught:
            ask(client)
        assert client.status()[1].endpoints[0][0].state == "unknown"  # the model's fault
    assert (caught.value.partial, caught.value.error_class) == ("half an ans", "unfinished")


@BOTH
def test_an_error_in_the_stream_is_told_in_the_servers_words(suffix: str) -> None:
    script = [Reply(error="CUDA error: gone"), Reply(text="def f", error="runner terminated")]
    with FakeOllama(script=script) as server, client_for(server.url + suffix) as client:
        with pytest.raises(NoEndpointLeft, match="CUDA error: gone"):
            ask(client)
        with pytest.raises(StreamInterrupted, match="runner terminated") as caught:
            ask(client)
    assert caught.value.partial == "def f"


def test_characters_split_between_packets_survive() -> None:
    whole = ndjson(content("x")).replace(b'"x"', '"na\u2028ïve 你好"'.encode()) + ndjson(DONE)
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    pieces = [whole[i : i + 1] for i in range(len(whole))]
    version = b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\nConnection: close\r\n\r\n{"version":"0.3"}'
    with (
        RawServer([saying(version), saying(head, *pieces)]) as server,
        client_for(server.url) as client,
    ):
        assert ask(client).text == "na\u2028ïve 你好"


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (b"{nonsense\n", "malformed", "invalid JSON: {nonsense"),
        (b"[1]\n", "malformed", "invalid JSON"),
        (b"<!doctype html><html>\n", "not_a_model_reply", "web page"),
        (b'{"hello": 1}\n', "not_a_model_reply", "not with a model's reply"),
        (b'{"error": "Unexpected endpoint or method."}\n', "no_such_api", "endpoint"),
        (b'{"error": "model requires more system memory"}\n', "out_of_memory", "memory"),
        (b"", "unfinished", "without finishing"),
        (ndjson({"done": False}), "unfinished", "without finishing"),
    ],
)
def test_odd_native_bodies(body: bytes, error: str, words: str) -> None:
    kind, message = failure_at(body)
    assert kind == error
    assert words in message


def test_html_is_refused_by_its_type() -> None:
    assert failure_at(b"hello\n", "text/html; charset=utf-8")[0] == "not_a_model_reply"


def sse_reply(body: bytes) -> str:
    """The text that an OpenAI-compatible server's body gives, or the class of its error."""
    with (
        RawServer([body_of(body, "text/event-stream")]) as server,
        client_for(server.url + "/v1") as client,
    ):
        try:
            return ask(client).text
        except (NoEndpointLeft, StreamInterrupted) as error:
            if isinstance(error, StreamInterrupted):
                return f"interrupted: {error.error_class}"
            return error.attempts[0].error  # type: ignore[attr-defined, no-any-return]


def delta(text: str, finish: str | None = None) -> bytes:
    choice = {"delta": {"content": text}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (delta("a") + delta("b", "stop") + b"data: [DONE]\n\n", "ab"),
        (b": ping\r\n\r\n" + delta("a", "stop").replace(b"\n", b"\r\n"), "a"),
        (delta("a", "stop").rstrip(), "a"),
        (b'data: {"choices":\ndata: [{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n', "a"),
        (b"data: [DONE]\n\n", "unfinished"),
        (delta("a") + b"data: [DONE]\n\n", "interrupted: unfinished"),
        (b'data: {"error": {"message": "boom"}}\n\ndata: [DONE]\n\n', "stream_error"),
        (b'error: {"code":500,"message":"boom"}\n\ndata: [DONE]\n\n', "stream_error"),
        (b'data: {"object":"error","message":"boom"}\n\n', "stream_error"),
        (b'{"error":"Unexpected endpoint or method."}', "no_such_api"),
        (b"<html>", "not_a_model_reply"),
        (b"nonsense\n", "not_a_model_reply"),
        (b"data: {oops\n\n", "malformed"),
    ],
)
def test_server_sent_events(body: bytes, outcome: str) -> None:
    assert sse_reply(body) == outcome


HOURS = {"Retry-After": "9999"}


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (Reply(status=500, error="llama runner process has terminated"), "server_error", "runner"),
        (Reply(status=500, error="model requires more system memory"), "out_of_memory", "memory"),
        (Reply(status=429, error="slow down", headers=HOURS), "rate_limited", "slow down"),
        (Reply(status=401, error="unauthorized"), "forbidden", "key rejected"),
        (Reply(status=403, raw=b""), "forbidden", "OLLAMA_HOST"),
        (Reply(status=404, raw=b"404 page not found"), "no_such_api", "no such API"),
        (
            Reply(status=301, raw=b"", headers={"Location": "https://new.example/"}),
            "redirect",
            "https://new.example/; put that address in the config",
        ),
    ],
)
@BOTH
def test_http_statuses(suffix: str, reply: Reply, error: str, words: str) -> None:
    with (
        FakeOllama(script=[reply]) as server,
        client_for(server.url + suffix) as client,
        pytest.raises(NoEndpointLeft) as caught,
    ):
        ask(client)
    [attempt] = caught.value.attempts
    assert attempt.error == error  # type: ignore[attr-defined]
    assert words in attempt.message
    assert len(server.chats) == 1


def test_a_request_nobody_would_take_is_not_sent_elsewhere() -> None:
    bad = [Reply(status=400, error="invalid temperature")]
    with (
        FakeOllama(script=bad) as one,
        FakeOllama(script=bad) as two,
        client_for(one.url, two.url) as client,
        pytest.raises(BadReply, match="invalid temperature") as caught,
    ):
        ask(client)
    assert caught.value.status == 400
    assert (len(one.chats), len(two.chats)) == (1, 0)


def test_rate_limits_last_as_long_as_the_server_says() -> None:
    watcher = Recorder()
    limited = Reply(status=429, error="x", headers={"Retry-After": "17"})
    with (
        FakeOllama(script=[limited]) as one,
        FakeOllama() as two,
        client_for(one.url, two.url) as client,
    ):
        assert ask(client, watcher=watcher).endpoint == two.url
    assert watcher.of("failed")[0]["cooldown_s"] == 17


def test_a_cut_prompt_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    long = Request(messages=(Message(role="user", content="word " * 2000),))
    script = [Reply(text="ok", tokens_in=514), Reply(text="ok", tokens_in=2500)]
    with (
        FakeOllama(script=script) as server,
        client_for(server.url, num_ctx={"default": 1024}) as client,
    ):
        assert ask(client, request=long).prompt_truncated
        assert not ask(client, request=long).prompt_truncated
    assert "raise num_ctx" in caplog.text


def test_a_line_of_8_mib_is_quick_and_a_longer_one_refused() -> None:
    text = "x" * (8 * 1024 * 1024 - 200)
    with (
        FakeOllama(script=[Reply(text=text, chunk=len(text))]) as server,
        client_for(server.url) as client,
    ):
        ask(client, request=HELLO)
        began = time.monotonic()
        assert len(ask(client).text) == len(text)
        assert time.monotonic() - began < 1.0
    assert failure_at_large(b"x" * (9 * 1024 * 1024)) == "too_large"


def failure_at_large(body: bytes) -> str:
    with RawServer([body_of(body)]) as server, client_for(server.url + "/v1") as client:
        with pytest.raises(BadReply) as caught:
            ask(client)
        return caught.value.error_class


def test_the_log_tells_where_each_request_goes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="core.endpoints")
    with FakeOllama(script=["0123456789"]) as server, client_for(server.url) as client:
        ask(client)
    assert caplog.messages == [
        f"Generating with model '{MODEL}' at {server.url}...",
        f"✓ Generated 10 characters from {server.url}",
    ]

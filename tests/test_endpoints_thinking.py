"""What only some models can: think, follow a format, stay within their context."""

from __future__ import annotations

from dataclasses import replace

import pytest
from endpoint_helpers import HELLO, MODEL, Recorder, ask, client_for
from fake_ollama import FakeOllama, Reply

from core.endpoints import Message, Request
from core.errors import BadReply

SCHEMA = {"type": "object", "properties": {"passed": {"type": "boolean"}}}
CANT_THINK = Reply(status=400, error=f'"{MODEL}" does not support thinking')


def test_think_and_format_reach_an_ollama_server_as_asked() -> None:
    with FakeOllama() as server, client_for(server.url) as client:
        ask(client)
        ask(client, request=replace(HELLO, think=False, format="json"))
        ask(client, request=replace(HELLO, think="low", format=SCHEMA))
    bare, plain, rich = server.chats
    assert not {"think", "format"} & bare.keys()
    assert (plain["think"], plain["format"]) == (False, "json")
    assert (rich["think"], rich["format"]) == ("low", SCHEMA)


def test_an_openai_server_gets_them_in_its_own_words() -> None:
    with FakeOllama() as server, client_for(f"{server.url}/v1") as client:
        ask(client)
        ask(client, request=replace(HELLO, think=True, format="json"))
        ask(client, request=replace(HELLO, think="high", format=SCHEMA))
    bare, plain, rich = server.chats
    assert not {"think", "response_format", "reasoning_effort"} & bare.keys()
    assert plain["response_format"] == {"type": "json_object"}
    assert "reasoning_effort" not in plain
    assert rich["response_format"]["json_schema"]["schema"] == SCHEMA
    assert rich["reasoning_effort"] == "high"


def test_a_model_that_cannot_think_is_asked_again_without_on_the_same_server() -> None:
    watcher = Recorder()
    with (
        FakeOllama(script=[CANT_THINK, "fine"]) as server,
        FakeOllama() as other,
        client_for(server.url, other.url) as client,
    ):
        reply = ask(client, request=replace(HELLO, think=True), watcher=watcher)
        row = client.status()[1].endpoints[0][0]
    assert (reply.text, reply.endpoint, reply.attempts) == ("fine", server.url, ())
    assert [body.get("think") for body in server.chats] == [True, None]
    assert (watcher.of("failed"), row.failures, row.state) == ([], 0, "healthy")


def test_it_is_asked_again_only_once_and_only_when_that_may_help() -> None:
    with FakeOllama(script=[CANT_THINK]) as server, client_for(server.url) as client:
        with pytest.raises(BadReply, match="does not support thinking"):
            ask(client, request=replace(HELLO, think=True))
        assert len(server.chats) == 2
        with pytest.raises(BadReply):
            ask(client)
        assert len(server.chats) == 3


@pytest.mark.parametrize("suffix", ["", "/v1"])
def test_a_reply_that_was_all_thinking_says_so(suffix: str) -> None:
    script = [Reply(thinking="let me see " * 9, done_reason="length")]
    with FakeOllama(script=script) as server, client_for(server.url + suffix) as client:
        reply = ask(client)
    assert (reply.text, reply.finish_reason) == ("", "length")
    assert reply.thinking.startswith("let me see")
    assert 0 < reply.first_token_s <= reply.seconds  # thinking counts as the first token


def test_a_prompt_over_the_context_is_told_before_and_shown_after(
    caplog: pytest.LogCaptureFixture,
) -> None:
    long, watcher = Request(messages=(Message(role="user", content="word " * 4000),)), Recorder()
    with (
        FakeOllama(script=[Reply(text="ok", tokens_in=1026)]) as server,
        client_for(server.url, num_ctx={"default": 2048}) as client,
    ):
        reply = ask(client, request=long, watcher=watcher)
    [sent] = watcher.of("sent")
    assert sent["prompt_tokens_estimated"] > sent["context_size"] == 2048
    assert "raise num_ctx for it in the config" in caplog.text
    assert (reply.prompt_truncated, reply.tokens_in, reply.context_size) == (True, 1026, 2048)

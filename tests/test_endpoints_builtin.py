"""The built-in model serves a role while none of its endpoints can, and never hides a fault."""

from __future__ import annotations

from dataclasses import replace

import pytest
from endpoint_helpers import (
    HELLO,
    MODEL,
    Handler,
    RawServer,
    Recorder,
    ask,
    client_for,
    dead_url,
    hang,
    saying,
)
from fake_ollama import FakeOllama, Reply

from core.cancel import Cancel
from core.config import Timeouts
from core.errors import BuiltinUnavailable, EndpointError, NoEndpointLeft
from core.events import Role


class FakeBuiltin:
    """A builtin whose server is a fake with only the OpenAI API.

    `again` is where it serves once that server broke.
    """

    def __init__(self, url: str = "", again: str = "") -> None:
        self.url = url
        self.again = again
        self.roles: list[Role] = []

    def acquire(self, role: Role, cancel: Cancel, broken: str = "") -> tuple[str, str]:
        self.roles.append(role)
        if not self.url:
            raise BuiltinUnavailable("The disk is full. Free 500 MB.")
        return self.again if broken == self.url else self.url, "llama3"


def test_the_builtin_serves_when_nobody_is_there() -> None:
    watcher, dead = Recorder(), dead_url()
    with FakeOllama(script=["from inside"], ollama=False) as server:
        builtin = FakeBuiltin(server.url)
        with client_for(dead, builtin=builtin) as client:
            first, second = ask(client, watcher=watcher), ask(client, "triage")
            assert client.counters == {"generator": 1, "triage": 1}
            triage = client.status()[3]
    assert (first.text, first.endpoint, first.model) == ("from inside", server.url, "llama3")
    assert [one.error for one in first.attempts] == ["refused"]
    assert second.attempts == ()  # in cooldown: straight to the builtin
    assert builtin.roles == ["generator", "triage"]
    assert [(sent["endpoint"], sent["model"]) for sent in watcher.of("sent")] == [
        (dead, MODEL),
        (server.url, "llama3"),
    ]
    assert triage.served_by_builtin
    assert "connection refused" in triage.why


def test_the_builtin_serves_a_role_whose_model_is_nowhere() -> None:
    with (
        FakeOllama(models=["tinyllama"]) as server,
        FakeOllama(["llama3"]) as inside,
        client_for(server.url, builtin=FakeBuiltin(inside.url)) as client,
    ):
        assert ask(client).endpoint == inside.url


def test_the_builtin_does_not_hide_a_fault_of_the_users_own_server() -> None:
    broken = [Reply(status=500, error="llama runner process has terminated")]
    with FakeOllama(script=broken) as server:
        builtin = FakeBuiltin(dead_url())
        with (
            client_for(server.url, dead_url(), builtin=builtin) as client,
            pytest.raises(NoEndpointLeft, match="runner process"),
        ):
            ask(client)
    assert builtin.roles == []


def test_the_builtin_may_be_off() -> None:
    with (
        FakeOllama() as inside,
        client_for(dead_url(), builtin=FakeBuiltin(inside.url), embedded="off") as client,
        pytest.raises(NoEndpointLeft),
    ):
        ask(client)
    assert inside.chats == []


def test_a_builtin_that_cannot_be_had_says_what_else_was_tried() -> None:
    dead = dead_url()
    with client_for(dead, builtin=FakeBuiltin()) as client:
        for _ in range(2):  # the second time in cooldown, and tried all the same
            with pytest.raises(BuiltinUnavailable) as caught:
                ask(client)
            assert str(caught.value).startswith("The disk is full. Free 500 MB. Can't reach")
            assert dead in str(caught.value)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 999\r\n\r\n"


@pytest.mark.parametrize(("died", "error"), [(saying(b""), "reset"), (saying(HEAD), "cut")])
def test_a_builtin_that_died_with_the_request_is_asked_once_more(died: Handler, error: str) -> None:
    watcher = Recorder()
    with RawServer([died]) as broken, FakeOllama(script=["again"], ollama=False) as server:
        builtin = FakeBuiltin(broken.url, again=server.url)
        with client_for(dead_url(), builtin=builtin) as client:
            reply = ask(client, watcher=watcher)
        assert broken.connections == 1
        with (
            client_for(dead_url(), builtin=FakeBuiltin(broken.url, again=broken.url)) as client,
            pytest.raises(NoEndpointLeft, match=broken.url),
        ):
            ask(client)
        assert broken.connections == 3
    assert (reply.text, reply.endpoint) == ("again", server.url)
    assert [one.error for one in reply.attempts] == ["refused", error]


def test_both_tries_together_keep_to_the_time_of_one_call() -> None:
    limits = Timeouts(connect_s=2, first_byte_s=10, idle_s=10, total_s=1)
    with RawServer([saying(HEAD, pause_s=0.4)]) as broken, RawServer([hang]) as silent:
        builtin = FakeBuiltin(broken.url, again=silent.url)
        with (
            client_for(dead_url(), builtin=builtin, timeouts=limits) as client,
            pytest.raises(EndpointError, match=r"within the 0\.\d+ s left for the call"),
        ):
            ask(client)
    assert builtin.roles == ["generator"] * 2


def test_a_builtin_that_answers_with_an_error_is_not_asked_again() -> None:
    with FakeOllama(script=[Reply(status=500, error="no slot")], ollama=False) as server:
        builtin = FakeBuiltin(server.url, again=server.url)
        with (
            client_for(dead_url(), builtin=builtin) as client,
            pytest.raises(NoEndpointLeft, match="no slot"),
        ):
            ask(client)
        assert len(server.chats) == 1


def test_only_the_builtin_goes_on_from_a_reply_that_was_begun() -> None:
    request = replace(HELLO, begin="Once upon ")
    with FakeOllama(script=["a time"], ollama=False) as inside, FakeOllama(script=["Well"]) as own:
        watcher = Recorder()
        with client_for(dead_url(), builtin=FakeBuiltin(inside.url)) as client:
            reply = ask(client, request=request, watcher=watcher)
        with client_for(own.url) as client:
            other = ask(client, request=request)
    assert (reply.begun, reply.text) == ("Once upon ", "a time")
    assert "".join(watcher.of("token")) == "Once upon a time"
    assert inside.chats[0]["messages"][-1] == {"role": "assistant", "content": "Once upon "}
    asked = len(request.messages[0].content)
    assert watcher.of("sent")[-1]["characters"] == asked + len("Once upon ")
    assert (other.begun, other.text) == ("", "Well")
    assert [one["role"] for one in own.chats[0]["messages"]] == ["user"]

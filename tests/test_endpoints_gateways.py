"""Statuses, headers and refusals of gateways and hosted models: what each does to a call."""

from __future__ import annotations

import json
from typing import Any

import pytest
from endpoint_helpers import Clock, RawServer, ask, body_of, client_for, saying
from fake_ollama import FakeOllama, Reply
from test_endpoints_dialects import DONE, ROLE, WHOLE, data

from core.config import Timeouts
from core.errors import BadReply, NoEndpointLeft


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (400, "Invalid model name passed in model=x. Call `/v1/models`", "model_missing"),
        (400, "x is not a valid model ID", "model_missing"),
        (400, "Model Not Exist", "model_missing"),
        (404, "The model `x` does not exist.", "model_missing"),
        (402, "Insufficient Balance", "forbidden"),
        (408, "Request timed out", "server_error"),
        (529, "Overloaded", "busy"),
        (524, "", "server_error"),
        (204, "", "not_a_model_reply"),
    ],
)
def test_statuses_of_gateways_send_the_call_elsewhere(status: int, text: str, error: str) -> None:
    refusing = Reply(status=status, raw=json.dumps({"error": {"message": text}}).encode())
    if status == 204:
        refusing.raw = b""
    with (
        FakeOllama(script=[refusing]) as gateway,
        FakeOllama(script=["from elsewhere"]) as other,
        client_for(f"{gateway.url}/v1", f"{other.url}/v1") as client,
    ):
        reply = ask(client)
    assert (reply.text, [one.error for one in reply.attempts]) == ("from elsewhere", [error])


@pytest.mark.parametrize(("code", "error"), [(503, "busy"), ("429", "rate_limited")])
def test_a_break_asked_for_within_a_reply_is_one_too(code: object, error: str) -> None:
    body = data({"error": {"message": "slow down", "code": code}}) + DONE
    with (
        RawServer([body_of(body, "text/event-stream")]) as gateway,
        FakeOllama() as other,
        client_for(f"{gateway.url}/v1", other.url, clock=Clock()) as client,
    ):
        assert [one.error for one in ask(client).attempts] == [error]
        assert client.status()[1].endpoints[0][0].state == error


def test_a_lone_server_that_was_asked_again_is_one_endpoint_in_the_error() -> None:
    busy = Reply(status=503, error="Loading model")
    with (
        FakeOllama(script=[busy]) as server,
        client_for(server.url, timeouts=Timeouts(total_s=5)) as client,
        pytest.raises(NoEndpointLeft, match=r"1 endpoint tried - [^;]*Loading model\.$"),
    ):
        ask(client)
    assert len(server.chats) == 2


NO_STREAM_OPTIONS = {
    "detail": [
        {
            "type": "extra_forbidden",
            "loc": ["body", "stream_options"],
            "msg": "Extra inputs are not permitted",
        }
    ]
}


@pytest.mark.parametrize(
    ("status", "refusal", "gone"),
    [
        (422, NO_STREAM_OPTIONS, "stream_options"),
        (
            400,
            {"error": {"message": "Unrecognized request argument supplied: stream_options"}},
            "stream_options",
        ),
        (
            400,
            {
                "error": {
                    "message": "Unsupported value: 'temperature' does not support 0.2 with this "
                    "model. Only the default (1) value is supported."
                }
            },
            "temperature",
        ),
        (
            400,
            {
                "error": {
                    "message": "Unsupported parameter: 'max_tokens' is not supported with this "
                    "model. Use 'max_completion_tokens' instead."
                }
            },
            "max_tokens",
        ),
    ],
)
def test_a_parameter_that_a_server_does_not_know_is_left_out(
    status: int, refusal: dict[str, Any], gone: str
) -> None:
    refusing = Reply(status=status, raw=json.dumps(refusal).encode())
    with FakeOllama(script=[refusing, "ab"]) as server, client_for(f"{server.url}/v1") as client:
        reply = ask(client)
    assert (reply.text, reply.attempts) == ("ab", ())
    first, second = server.chats
    left = {key: value for key, value in first.items() if key != gone}
    newer = {"max_completion_tokens": first[gone]} if gone == "max_tokens" else {}
    assert second == left | newer


def test_a_value_that_a_server_refuses_is_not_left_out() -> None:
    refusing = Reply(status=400, error="temperature must be between 0 and 0.1")
    with (
        FakeOllama(script=[refusing, "ab"]) as server,
        client_for(f"{server.url}/v1") as client,
        pytest.raises(BadReply, match="temperature must be"),
    ):
        ask(client)
    assert len(server.chats) == 1


def test_a_status_of_201_is_as_good_as_200() -> None:
    body = ROLE + WHOLE + DONE
    head = f"HTTP/1.1 201 Created\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with RawServer([saying(head + body)]) as server, client_for(f"{server.url}/v1") as client:
        assert ask(client).text == "ab"


@pytest.mark.parametrize(("given", "waited"), [("1.5", 1.5), ("0.5", 0.5), ("soon", 2.0)])
def test_a_rate_limit_may_name_parts_of_a_second(given: str, waited: float) -> None:
    limited = Reply(status=429, error="x", headers={"Retry-After": given})
    with (
        FakeOllama(script=[limited]) as one,
        FakeOllama() as two,
        client_for(one.url, two.url) as client,
    ):
        [failed] = ask(client).attempts
    assert failed.cooldown_s == waited


def test_a_bare_list_of_models_is_a_list() -> None:
    body = b'[{"id": "codellama", "type": "chat"}]'
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
    with RawServer([saying(head + body)]) as server, client_for(f"{server.url}/v1") as client:
        [(seen, has, _)] = client.probe()[1].endpoints
    assert (seen.reachable, has) == (True, True)

"""Keys reach the server they are for, and nobody else: no log, error, event, page or metric."""

from __future__ import annotations

import base64
import json
import logging
import traceback
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import cattrs
import pytest
from endpoint_helpers import MODEL, RawServer, Recorder, ask, config, hang, saying
from fake_ollama import FakeOllama, Reply

from core.cancel import Cancel
from core.config import AuthConfig, EndpointConfig, HeaderConfig, RoleConfig, Timeouts
from core.config.urls import Kind
from core.endpoints import Client
from core.endpoints.http import Http
from core.endpoints.kinds import Kinds
from core.endpoints.probe import look
from core.endpoints.secrets import HIDDEN, access, redact
from core.errors import AppError, EndpointError, NoEndpointLeft, StreamInterrupted, Unreachable

SECRET = "sk-hunter2-0123456789abcdef"
KEYED = AuthConfig(type="bearer", env="TEST_KEY")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", SECRET)


def client_of(*endpoints: EndpointConfig) -> Client:
    limits = Timeouts(connect_s=0.5, first_byte_s=0.5, idle_s=0.5, total_s=5)
    made = config("http://127.0.0.1:1", timeouts=limits)
    entry = RoleConfig(model=MODEL, endpoints=endpoints)
    settings = replace(made, models={**made.models, "generator": entry})
    return Client(lambda: settings)


WAYS = {
    "bearer": (AuthConfig(env="TEST_KEY"), "Authorization", f"Bearer {SECRET}"),
    "basic": (
        AuthConfig(type="basic", env="TEST_KEY"),
        "Authorization",
        "Basic " + base64.b64encode(SECRET.encode()).decode(),
    ),
    "header": (AuthConfig(type="header", env="TEST_KEY", name="X-Key"), "X-Key", SECRET),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_key_goes_with_every_request(way: str) -> None:
    auth, header, value = WAYS[way]
    headers = (HeaderConfig(name="X-Team", value="blue"), HeaderConfig(name="X-T", env="TEST_KEY"))
    with FakeOllama() as server:
        client = client_of(EndpointConfig(url=server.url, auth=auth, headers=headers))
        client.probe()
        ask(client)
        client.close()
    assert {seen.path for seen in server.requests} >= {"/api/version", "/api/tags", "/api/chat"}
    for seen in server.requests:
        sent = {name.lower(): text for name, text in seen.headers.items()}
        assert sent[header.lower()] == value
        assert (sent["x-team"], sent["x-t"]) == ("blue", SECRET)


def test_a_header_of_the_users_replaces_ours_whatever_its_case() -> None:
    headers = tuple(HeaderConfig(name=name, value="mine") for name in ("user-agent", "x-api-key"))
    with FakeOllama() as server:
        auth = AuthConfig(type="header", env="TEST_KEY")
        client = client_of(EndpointConfig(url=server.url, auth=auth, headers=headers))
        ask(client)
        client.close()
    for seen in server.requests:
        sent = {name.lower(): text for name, text in seen.headers.items()}
        assert len(sent) == len(seen.headers)
        assert (sent["user-agent"], sent["x-api-key"]) == ("mine", SECRET)
        assert (sent["accept-encoding"], "cookie" in sent) == ("identity", False)


def test_each_endpoint_gets_only_its_own_key() -> None:
    with FakeOllama() as keyed, FakeOllama() as bare:
        client = client_of(EndpointConfig(url=keyed.url, auth=KEYED), EndpointConfig(url=bare.url))
        for _ in range(4):
            ask(client)
        client.close()
    assert all("Authorization" in seen.headers for seen in keyed.requests)
    assert not any("Authorization" in seen.headers for seen in bare.requests)


def test_a_redirect_gets_no_key() -> None:
    with FakeOllama() as thief:
        away = Reply(status=307, raw=b"", headers={"Location": f"{thief.url}/api/chat"})
        with FakeOllama(script=[away]) as server:
            client = client_of(EndpointConfig(url=server.url, kind="ollama", auth=KEYED))
            with pytest.raises(NoEndpointLeft, match="redirects"):
                ask(client)
            client.close()
        assert thief.requests == []


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (None, "environment variable TEST_KEY is not set"),
        ("  ", "not set or empty"),
        ("a\nb", "no header can carry"),
        ("schlüssel", "no header can carry"),
    ],
)
def test_a_key_that_cannot_be_used_is_named_not_shown(
    monkeypatch: pytest.MonkeyPatch, key: str | None, reason: str
) -> None:
    if key is None:
        monkeypatch.delenv("TEST_KEY")
    else:
        monkeypatch.setenv("TEST_KEY", key)
    with FakeOllama() as server:
        client = client_of(EndpointConfig(url=server.url, auth=KEYED))
        with pytest.raises(NoEndpointLeft, match=reason):
            ask(client)
        assert client.status()[1].endpoints[0][0].state == "misconfigured"
        client.close()
    assert server.requests == []


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    auth = AuthConfig(file=tmp_path / "key")
    with pytest.raises(Unreachable, match=r"the file .*key can't be read \(no such file"):
        access(EndpointConfig(url="http://a:1", auth=auth))


ECHOES = {
    "status": Reply(status=400, error=f"Incorrect API key provided: {SECRET}."),
    "key rejected": Reply(status=401, error=f"bad key {SECRET}"),
    "server error": Reply(status=500, error=f"{SECRET} crashed"),
    "rate": Reply(status=429, error=SECRET),
    "cut off": Reply(status=500, raw=b"x" * 285 + SECRET.encode(), content_type="text/plain"),
    "in stream": Reply(error=f"no {SECRET}"),
    "after a token": Reply(text="def", error=f"no {SECRET}"),
    "malformed": Reply(raw=b'{"done": ' + SECRET.encode() + b"\n"),
    "redirect": Reply(status=302, raw=b"", headers={"Location": f"http://x/?k={SECRET}"}),
}


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


@pytest.mark.parametrize("echo", ECHOES)
def test_no_secret_is_told_even_where_a_server_repeats_it(  # scenario 28
    echo: str, records: pytest.LogCaptureFixture
) -> None:
    watcher = Recorder()
    with FakeOllama(script=[ECHOES[echo]]) as server:
        client = client_of(EndpointConfig(url=server.url, kind="ollama", auth=KEYED))
        with pytest.raises(AppError) as caught:
            ask(client, watcher=watcher)
        client.probe()
        status = client.status()
        client.close()
    told = [str(caught.value), caught.value.message, repr(caught.value), repr(watcher.calls)]
    told += [json.dumps(cattrs.unstructure(status)), records.text]
    told += [str(asdict(one)) for one in getattr(caught.value, "attempts", ())]
    told += [str(caught.value.__cause__)]
    everything = "\n".join(told)
    assert SECRET not in everything
    assert SECRET[:8] not in everything
    assert base64.b64encode(SECRET.encode()).decode() not in everything


@pytest.mark.parametrize(
    "handler",
    [hang, saying(b""), saying(b"\x16\x03\x01 nonsense\r\n")],
    ids=["hang", "close", "nonsense"],
)
def test_no_secret_is_in_a_failures_traceback(handler) -> None:  # type: ignore[no-untyped-def]
    with RawServer([handler]) as server:
        client = client_of(EndpointConfig(url=server.url, kind="openai", auth=KEYED))
        with pytest.raises((NoEndpointLeft, StreamInterrupted)) as caught:
            ask(client)
        client.close()
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_redaction_leaves_the_rest_of_a_message_alone() -> None:
    error = EndpointError("http://a:1", "server_error", f"it said {SECRET}, and {SECRET[:12]}")
    redact(error, (SECRET,))
    assert str(error) == error.message == f"it said {HIDDEN}, and {HIDDEN}"
    calm = EndpointError("http://a:1", "server_error", "it said no")
    redact(calm, (SECRET,))
    assert calm.message == "it said no"


def test_what_goes_with_a_request_shows_no_value() -> None:
    entry = access(EndpointConfig(url="http://a:1", auth=KEYED))
    assert repr(entry) == "Access(Authorization)"


@pytest.mark.parametrize("kind", ["ollama", "auto"])
@pytest.mark.parametrize("before", [0, 280])
def test_no_secret_is_told_by_a_look_either(
    monkeypatch: pytest.MonkeyPatch, kind: Kind, before: int
) -> None:
    monkeypatch.setenv("KEY_OF_THE_TEST", SECRET)
    error = json.dumps({"error": f"{'x' * before} bad key {SECRET}"}).encode()
    head = f"HTTP/1.1 401 Unauthorized\r\nContent-Length: {len(error)}\r\nConnection: close\r\n\r\n"
    with RawServer([saying(head.encode() + error)] * 3) as server:
        auth = AuthConfig(type="bearer", env="KEY_OF_THE_TEST")
        endpoint = EndpointConfig(url=server.url, kind=kind, auth=auth)
        http = Http()
        found = look(http, Kinds(http), endpoint, 5.0, Cancel())
        http.close()
    assert found.error
    assert SECRET[:12] not in found.message

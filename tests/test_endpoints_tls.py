"""Certificates: trusted only when they are, or when the user says so for this endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from endpoint_helpers import MODEL, RawServer, ask, config, hang
from fake_ollama import FakeOllama, Reply
from fake_tls import speak_tls, write_certificate

from core.config import EndpointConfig, RoleConfig
from core.endpoints import Client
from core.errors import NoEndpointLeft


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[FakeOllama, str]]:
    """A model server that speaks https, and its URL."""
    with FakeOllama(script=["in private"]) as server:
        yield server, speak_tls(server, tmp_path)


def client_of(*endpoints: EndpointConfig) -> Client:
    made = config("http://127.0.0.1:1")
    entry = RoleConfig(model=MODEL, endpoints=endpoints)
    settings = replace(made, models={**made.models, "generator": entry})
    return Client(lambda: settings)


def test_an_untrusted_certificate_is_refused_with_what_to_do(  # scenario 19
    secure: tuple[FakeOllama, str],
) -> None:
    server, url = secure
    client = client_of(EndpointConfig(url=url))
    with pytest.raises(NoEndpointLeft, match=r"certificate of https://.* not trusted; set ca_file"):
        ask(client)
    [row] = client.status()[1].endpoints
    assert (row[0].state, 50 < row[0].cooldown_s <= 60) == ("misconfigured", True)
    client.close()
    assert server.requests == []


def test_a_ca_file_makes_it_trusted(secure: tuple[FakeOllama, str], tmp_path: Path) -> None:
    server, url = secure
    client = client_of(EndpointConfig(url=url, ca_file=write_certificate(tmp_path)))
    assert [ask(client).text for _ in range(2)] == ["in private"] * 2
    client.close()
    assert server.connections == 1  # kept, as without TLS


def test_verify_false_asks_no_questions_and_warns_nobody(secure: tuple[FakeOllama, str]) -> None:
    _, url = secure
    client = client_of(EndpointConfig(url=url, verify=False))
    assert ask(client).text == "in private"
    client.close()


def test_the_settings_of_one_endpoint_are_not_anothers(
    secure: tuple[FakeOllama, str], tmp_path: Path
) -> None:
    _, url = secure
    trusting = client_of(EndpointConfig(url=url, verify=False))
    assert ask(trusting).text == "in private"
    trusting.close()
    strict = client_of(EndpointConfig(url=url), EndpointConfig(url=url, ca_file=tmp_path / "no"))
    with pytest.raises(NoEndpointLeft, match="not trusted"):
        ask(strict)
    strict.close()


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("gone.pem", "no such file or directory"),
        ("folder", "is a directory"),
        ("empty.pem", "it holds no certificate in PEM form"),
        ("page.html", "it holds no certificate in PEM form"),
    ],
)
def test_a_ca_file_that_cannot_be_used_is_named_with_the_reason(
    secure: tuple[FakeOllama, str], tmp_path: Path, name: str, why: str
) -> None:
    _, url = secure
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.pem").write_text("")
    (tmp_path / "page.html").write_text("<html>not found</html>")
    client = client_of(EndpointConfig(url=url, ca_file=tmp_path / name))
    with pytest.raises(NoEndpointLeft) as caught:
        ask(client)
    client.close()
    [attempt] = caught.value.attempts
    assert attempt.error == "certificate"  # type: ignore[attr-defined]
    assert attempt.message.startswith(
        f"The ca_file {tmp_path / name} of {url} can't be used: {why}"
    )


def test_http_to_a_tls_port_is_told_from_a_model_server(secure: tuple[FakeOllama, str]) -> None:
    server, _ = secure  # scenario 19
    client = client_of(EndpointConfig(url=server.url, kind="ollama"))
    with pytest.raises(NoEndpointLeft) as caught:
        ask(client)
    client.close()
    assert caught.value.attempts[0].error in ("reset", "not_http")  # type: ignore[attr-defined]


def test_a_cut_reply_over_tls_is_no_success(secure: tuple[FakeOllama, str]) -> None:
    server, url = secure
    server.script = [Reply(thinking="hm", cut=True), "whole"]
    client = client_of(EndpointConfig(url=url, verify=False))
    with pytest.raises(NoEndpointLeft):
        ask(client)
    assert ask(client).text == "whole"
    client.close()


def test_a_changed_entry_makes_new_connections(
    secure: tuple[FakeOllama, str], tmp_path: Path
) -> None:
    _, url = secure
    made = config("http://127.0.0.1:1")
    entries = [
        EndpointConfig(url=url),
        EndpointConfig(url=url, ca_file=write_certificate(tmp_path)),
    ]
    current = [entries[0]]

    def settings():  # type: ignore[no-untyped-def]
        role = RoleConfig(model=MODEL, endpoints=(current[0],))
        return replace(made, models={**made.models, "generator": role})

    client = Client(settings)
    with pytest.raises(NoEndpointLeft, match="not trusted"):
        ask(client)
    current[0] = entries[1]
    assert ask(client).text == "in private"
    client.close()


def test_a_handshake_that_never_ends_is_no_reply() -> None:
    with RawServer([hang], greet=False) as server:
        url = server.url.replace("http:", "https:")
        client = client_of(EndpointConfig(url=url))
        with pytest.raises(NoEndpointLeft, match=r"No answer from https://.* in 2 s \(off"):
            ask(client)
        client.close()

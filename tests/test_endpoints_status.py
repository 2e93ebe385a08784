"""What is known of the endpoints, and the client of the first version's scripts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from endpoint_helpers import MODEL, RawServer, ask, client_for, dead_url, hang
from fake_ollama import FakeOllama

from core.config import ConfigManager
from core.endpoints import OllamaClient
from core.endpoints.names import canonical, has_model


def test_a_probe_tells_who_answers_and_what_is_missing() -> None:
    dead = dead_url()
    with (
        FakeOllama(models=["CodeLlama:latest"]) as has,
        FakeOllama(models=[]) as lacks,
        client_for(has.url, lacks.url, dead) as client,
    ):
        generator = client.probe()[1]
    rows = [(e.reachable, e.kind, e.state, found, mend) for e, found, mend in generator.endpoints]
    assert rows[0] == (True, "ollama", "unknown", True, "")
    assert rows[1] == (True, "ollama", "unknown", False, f"ollama pull {MODEL}")
    assert rows[2][:4] == (False, "auto", "open", None)
    assert "Can't reach" in rows[2][4]
    assert generator.endpoints[0][0].models == ("codellama:latest",)
    assert (generator.served_by_builtin, generator.why) == (False, "")


def test_a_probe_asks_all_at_once_and_does_not_wait_for_the_silent() -> None:
    with (
        RawServer([hang]) as one,
        RawServer([hang]) as two,
        FakeOllama() as good,
        client_for(one.url, two.url, good.url) as client,
    ):
        began = time.monotonic()
        rows = client.probe(0.3)[1].endpoints
        assert time.monotonic() - began < 0.8
    assert [row[0].reachable for row in rows] == [False, False, True]


def test_an_openai_server_lists_its_models() -> None:
    with FakeOllama(["qwen"], ollama=False) as server, client_for(server.url) as client:
        [(status, has, mend)] = client.probe()[1].endpoints
    assert (status.kind, status.models, has) == ("openai", ("qwen",), False)
    assert "qwen" not in mend
    assert "load codellama there" in mend


def test_status_asks_nobody() -> None:
    with FakeOllama() as server, client_for(server.url) as client:
        [(status, has, _)] = client.status()[1].endpoints
    assert (status.reachable, has, status.state, server.requests) == (None, None, "unknown", [])


def test_what_a_probe_found_steers_the_next_call() -> None:
    with (
        FakeOllama(models=[]) as lacks,
        FakeOllama() as has,
        client_for(dead_url(), lacks.url, has.url) as client,
    ):
        client.probe()
        assert ask(client).attempts == ()
    assert lacks.chats == []


@pytest.mark.parametrize("status", [403, 404])
def test_a_gateway_without_a_list_of_models_keeps_serving(status: int) -> None:
    """Several have none, or refuse it to keys that may chat."""
    with (
        FakeOllama(script=["from the gateway"], refused={"/v1/models": status}) as gateway,
        FakeOllama() as other,
        client_for(f"{gateway.url}/v1", other.url) as client,
    ):
        for _ in range(2):  # never asked before, and after it has served
            client.probe()
            [(seen, has, mend), _] = client.status()[1].endpoints
            assert (seen.state == "misconfigured", has, mend) == (False, None, "")
            assert f"HTTP {status}" in seen.message
            assert [ask(client).endpoint for _ in range(2)] == [gateway.url, other.url]
        assert client.status()[1].endpoints[0][0].reachable


@pytest.mark.parametrize("suffix", ["", "/v1"])
def test_a_look_that_finds_nobody_counts_whatever_was_served_before(suffix: str) -> None:
    with FakeOllama() as server, client_for(f"{server.url}{suffix}") as client:
        ask(client)
        server.close()
        [(seen, _, mend)] = client.probe()[1].endpoints
    assert (seen.state, seen.reachable) == ("open", False)
    assert "Can't reach" in mend


def test_an_ollama_server_that_served_is_not_taken_out_by_a_refused_list() -> None:
    with (
        FakeOllama(script=["served"]) as server,
        client_for(server.url, dead_url()) as client,
    ):
        server.refused["/api/tags"] = 403
        client.probe()
        assert client.status()[1].endpoints[0][0].state == "misconfigured"
    with FakeOllama(script=["served"]) as server, client_for(server.url) as client:
        ask(client)
        server.refused["/api/tags"] = 403
        client.probe()
        assert client.status()[1].endpoints[0][0].state == "healthy"
        assert client.status()[1].why == ""


def test_the_background_look_starts_at_once_and_ends_with_the_client() -> None:
    with FakeOllama() as server, client_for(server.url) as client:
        client.start()
        client.start()
        assert server.wait(lambda: any(seen.path == "/api/tags" for seen in server.requests))
    with RawServer([hang]) as silent, client_for(silent.url) as client:
        client.start()
        began = time.monotonic()
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("listed", "wanted", "same"),
    [
        ("llama3:latest", "llama3", True),
        ("llama3", "LLAMA3:latest", True),
        ("llama3:8b", "llama3", False),
        ("registry.ollama.ai/library/llama3:latest", "llama3", True),
        ("hf.co/User/Repo:Q4", "hf.co/user/repo:q4", True),
        ("host:5000/ns/model", "host:5000/ns/model:latest", True),
    ],
)
def test_model_names(listed: str, wanted: str, same: bool) -> None:
    assert has_model([listed], wanted) is same
    assert canonical(canonical(listed)) == canonical(listed)


def test_the_seeds_monitoring_snippet(tmp_path: Path) -> None:
    with FakeOllama() as one, FakeOllama() as two:
        path = tmp_path / "config.yaml"
        path.write_text(
            f"""
ollama:
  base_url: "{one.url}"
  models:
    overseer: {{model: "llama3", endpoint: null}}
    generator:
      model: "codellama"
      endpoints: ["{one.url}", "{two.url}"]
"""
        )
        config = ConfigManager(path)
        client = OllamaClient(config.ollama_url, config_manager=config)
        try:
            for _ in range(4):
                assert client.generate("add 1 plus 1") == "ok"
            client.generate("plan", model_key="overseer")
            client.generate("x", model="tinyllama", endpoint=two.url, system="be brief")
            assert client._endpoint_counters == {"generator": 5, "overseer": 1}
        finally:
            client.close()
    assert [body["model"] for body in one.chats] == ["codellama", "codellama", "llama3"]
    assert [body["model"] for body in two.chats] == ["codellama", "codellama", "tinyllama"]
    assert two.chats[-1]["messages"][0] == {"role": "system", "content": "be brief"}


def test_the_old_client_works_without_a_config() -> None:
    with FakeOllama(script=["hello"]) as server:
        client = OllamaClient(server.url)
        try:
            assert client.generate("hi", model="tinyllama") == "hello"
        finally:
            client.close()

"""warm_first against real servers: who has the model in memory is asked, and gets the calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from endpoint_helpers import MODEL, Clock, ask, config
from fake_ollama import FakeOllama

from core.config import EndpointConfig, RoleConfig
from core.endpoints import Client


@contextmanager
def looking(*servers: FakeOllama) -> Iterator[Client]:
    """A client that has looked into the memory of these. Its clock stands, so what it saw stays."""
    made = config(servers[0].url)
    entry = RoleConfig(
        model=MODEL,
        endpoints=tuple(EndpointConfig(url=one.url, kind="ollama") for one in servers),
        strategy="warm_first",
    )
    settings = replace(made, models={**made.models, "generator": entry})
    client = Client(lambda: settings, clock=Clock())
    client.start()
    try:
        for one in servers:  # the list of models is asked for after all memories were
            assert one.wait(lambda one=one: "/api/tags" in {seen.path for seen in one.requests})
        yield client
    finally:
        client.close()


def test_calls_go_to_the_server_that_has_the_model_in_memory() -> None:
    with (
        FakeOllama(loaded=[]) as cold,
        FakeOllama(loaded=[MODEL]) as warm,
        looking(cold, warm) as client,
    ):
        assert {ask(client).endpoint for _ in range(4)} == {warm.url}


@pytest.mark.parametrize("loaded", [[], [MODEL]])
def test_where_all_or_none_have_it_they_take_turns(loaded: list[str]) -> None:
    with (
        FakeOllama(loaded=loaded) as one,
        FakeOllama(loaded=loaded) as two,
        looking(one, two) as client,
    ):
        assert [ask(client).endpoint for _ in range(4)] == [one.url, two.url] * 2


def test_a_server_without_api_ps_is_taken_for_cold() -> None:
    with (
        FakeOllama(refused={"/api/ps": 404}) as old,
        FakeOllama(loaded=[MODEL]) as warm,
        looking(old, warm) as client,
    ):
        assert {ask(client).endpoint for _ in range(4)} == {warm.url}

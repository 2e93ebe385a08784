"""The configuration changes while calls stream: none is dropped, and the turns go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from endpoint_helpers import MODEL, ask, config
from fake_ollama import FakeOllama, Reply

from core.config import AuthConfig, Config, ConfigStore, EndpointConfig, RoleConfig
from core.endpoints import Client
from core.errors import ConfigError, NoEndpointLeft


class Site:
    """A client whose configuration can be exchanged."""

    def __init__(self) -> None:
        self.config = config("http://127.0.0.1:1")
        self.client = Client(lambda: self.config)

    def use(self, *endpoints: EndpointConfig | FakeOllama) -> None:
        listed = tuple(
            EndpointConfig(url=one.url, kind="ollama") if isinstance(one, FakeOllama) else one
            for one in endpoints
        )
        entry = RoleConfig(model=MODEL, endpoints=listed)
        self.config = replace(self.config, models={**self.config.models, "generator": entry})

    def turns(self, count: int) -> list[str]:
        return [ask(self.client).endpoint for _ in range(count)]


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.client.close()


def streaming(site: Site, server: FakeOllama) -> Callable[[], str]:
    """A call that has begun to stream and goes on when its result is asked for."""
    gate, texts = threading.Event(), list[str]()
    server.script = [Reply(text="0123456789" * 4, pause=gate, free=1), "next"]
    thread = threading.Thread(target=lambda: texts.append(ask(site.client).text))
    thread.start()
    assert server.wait(lambda: server.chats)

    def finish() -> str:
        gate.set()
        thread.join()
        [text] = texts
        return text

    return finish


CHANGES: dict[str, Callable[[Site, FakeOllama, FakeOllama], None]] = {
    "add": lambda site, one, two: site.use(one, two),
    "remove": lambda site, one, two: site.use(two),
    "reorder": lambda site, one, two: site.use(two, one),
    "drain": lambda site, one, two: site.use(EndpointConfig(url=one.url, drain=True), two),
    "disable": lambda site, one, two: site.use(EndpointConfig(url=one.url, disabled=True), two),
    "cap": lambda site, one, two: site.use(EndpointConfig(url=one.url, max_inflight=1), two),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_drops_no_call_that_streams(site: Site, change: str) -> None:  # scenario 24
    with FakeOllama() as one, FakeOllama() as two:
        site.use(one)
        finish = streaming(site, one)
        CHANGES[change](site, one, two)
        assert site.turns(2)[0] == two.url
        assert finish() == "0123456789" * 4


def test_turns_go_on_through_additions_and_new_orders(site: Site) -> None:  # scenario 24
    with FakeOllama() as one, FakeOllama() as two, FakeOllama() as three:
        site.use(one, two)
        assert site.turns(3) == [one.url, two.url, one.url]
        site.use(three, one, two)
        assert site.turns(2) == [two.url, three.url]
        site.use(two, three, one)
        assert site.turns(2) == [one.url, two.url]


def test_calls_without_a_pause_survive_constant_changes(site: Site) -> None:  # scenario 24
    with FakeOllama() as one, FakeOllama() as two, FakeOllama() as three:
        lists = [(one, two), (two,), (two, one, three), (three, two), (one, three)]
        site.use(*lists[0])
        over, failed = threading.Event(), list[BaseException]()

        def work() -> None:
            try:
                while not over.is_set():
                    ask(site.client)
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=work) for _ in range(6)]
        for thread in threads:
            thread.start()
        for number in range(40):
            site.use(*lists[number % len(lists)])
            time.sleep(0.01)
        over.set()
        for thread in threads:
            thread.join()
        rows = site.client.status()[1].endpoints
    assert failed == []
    assert [row[0].in_flight for row in rows] == [0] * len(rows)


def test_a_call_with_an_older_configuration_undoes_nothing(site: Site) -> None:
    with FakeOllama() as one, FakeOllama() as two:
        site.use(one)
        older = site.config
        site.use(two)
        ask(site.client)
        site.client._parts.monitor.noticed(older)  # as a call does that began just before
        assert [row[0].calls for row in site.client.status()[1].endpoints] == [1]


def test_a_file_that_is_wrong_changes_nothing(tmp_path: Path) -> None:  # scenario 24
    with FakeOllama(script=["fine"]) as server:
        path = tmp_path / "config.yaml"
        good = f'ollama: {{models: {{generator: {{model: "{MODEL}", endpoint: "{server.url}"}}}}}}'
        path.write_text(good)
        store = ConfigStore(path)
        client = Client(store.refresh)
        assert ask(client).text == "fine"
        path.write_text(good.replace("endpoint", "endpiont"))
        with pytest.raises(ConfigError, match=r"endpiont.*Did you mean `endpoint`"):
            store.reload()
        assert ask(client).text == "fine"
        client.close()


def test_a_role_whose_endpoints_are_all_off_says_why(site: Site) -> None:  # scenario 25
    site.use(
        EndpointConfig(url="http://a:1", drain=True),
        EndpointConfig(url="http://b:1", disabled=True),
    )
    with pytest.raises(NoEndpointLeft, match=r"a:1: being drained.*b:1: disabled"):
        ask(site.client)
    status = site.client.status()[1]
    assert [row[0].state for row in status.endpoints] == ["draining", "disabled"]
    assert "is being drained" in status.why


def test_a_disabled_endpoint_is_not_even_looked_at(site: Site) -> None:
    with FakeOllama() as server:
        site.use(EndpointConfig(url=server.url, disabled=True))
        site.client.probe(0.3)
        assert server.requests == []


def test_a_new_key_holds_at_once_and_ends_the_wait(site: Site, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("old\n")
    refusing = Reply(status=401, error="unauthorized")
    with FakeOllama(script=[refusing, "in"]) as server:
        auth = AuthConfig(type="bearer", file=key)
        site.use(EndpointConfig(url=server.url, kind="ollama", auth=auth))
        site.client._parts.monitor._changes.notice(site.config, secrets=True)
        with pytest.raises(NoEndpointLeft, match="key rejected"):
            ask(site.client)
        assert site.client.status()[1].endpoints[0][0].state == "misconfigured"
        key.write_text("new\n")
        site.client._parts.monitor._changes.notice(site.config, secrets=True)
        assert site.client.status()[1].endpoints[0][0].state == "unknown"
        assert ask(site.client).text == "in"
        sent = [seen.headers.get("Authorization") for seen in server.requests if seen.body]
    assert sent == ["Bearer old", "Bearer new"]


def test_an_entry_that_was_mended_is_tried_at_once(site: Site) -> None:
    with FakeOllama(ollama=False) as server:
        other = EndpointConfig(url="http://127.0.0.1:9")
        site.use(EndpointConfig(url=server.url, kind="ollama"), other)
        with pytest.raises(NoEndpointLeft, match="no such API"):
            ask(site.client)
        site.use(EndpointConfig(url=server.url, kind="openai"), other)
        assert ask(site.client).endpoint == server.url


def test_config_of_simple_is_as_it_was() -> None:
    made = Config.simple("http://a:1")
    assert made.role("generator").endpoints == (EndpointConfig(url="http://a:1"),)

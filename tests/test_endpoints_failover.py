"""No call is lost while one endpoint lives; what was delivered is never spliced."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from endpoint_helpers import (
    MODEL,
    Clock,
    RawServer,
    Recorder,
    ask,
    body_of,
    client_for,
    config,
    dead_url,
    drip,
    hang,
    saying,
)
from fake_ollama import FakeOllama, Reply

from core.config import Timeouts
from core.endpoints import Client
from core.errors import NoEndpointLeft, StreamInterrupted
from core.events import Role


def test_two_endpoints_alternate_and_count() -> None:
    with FakeOllama() as one, FakeOllama() as two, client_for(one.url, two.url) as client:
        endpoints = [ask(client).endpoint for _ in range(6)]
        assert client.counters == {"generator": 6}
    assert endpoints == [one.url, two.url] * 3


def test_roles_on_the_same_endpoints_each_alternate() -> None:
    with FakeOllama() as one, FakeOllama() as two, client_for(one.url, two.url) as client:
        roles: tuple[Role, ...] = ("generator", "triage")
        shares = Counter((role, ask(client, role).endpoint) for _ in range(4) for role in roles)
    assert set(shares.values()) == {2}
    assert len(shares) == 4


def test_many_threads_share_exactly() -> None:
    shares: Counter[str] = Counter()
    lock = threading.Lock()
    with FakeOllama() as one, FakeOllama() as two, client_for(one.url, two.url) as client:

        def work() -> None:
            mine = [ask(client).endpoint for _ in range(5)]
            with lock:
                shares.update(mine)

        threads = [threading.Thread(target=work) for _ in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.counters == {"generator": 160}
        status = client.status()[1]
        assert [row[0].in_flight for row in status.endpoints] == [0, 0]
    assert shares == {one.url: 80, two.url: 80}


def test_one_of_three_dead_is_tried_once_a_window_and_nothing_is_lost() -> None:
    clock, watcher, dead = Clock(), Recorder(), dead_url()
    with (
        FakeOllama() as one,
        FakeOllama() as two,
        client_for(dead, one.url, two.url, clock=clock) as client,
    ):
        shares = Counter(ask(client, watcher=watcher).endpoint for _ in range(20))
        assert len(watcher.of("failed")) == 1
        clock.now += 3
        for _ in range(20):
            ask(client, watcher=watcher)
    # The dead one's turn went to its successor, and nothing else shifted.
    assert shares == {one.url: 11, two.url: 9}
    [first, second] = watcher.of("failed")
    assert (first["endpoint"], first["error"]) == (dead, "refused")
    assert 1.6 <= first["cooldown_s"] <= 2.4
    assert 3.2 <= second["cooldown_s"] <= 4.8
    assert "connection refused. Is the model server (`ollama serve`) running" in first["message"]


def test_the_reply_lists_the_attempts_before_it() -> None:
    watcher, dead = Recorder(), dead_url()
    with FakeOllama(script=["fine"]) as alive, client_for(dead, alive.url) as client:
        reply = ask(client, watcher=watcher)
    assert [(one.endpoint, one.model, one.error) for one in reply.attempts] == [
        (dead, MODEL, "refused")
    ]
    assert [name for name, _ in watcher.calls] == ["sent", "failed", "sent", "token"]
    assert [sent["endpoint"] for sent in watcher.of("sent")] == [dead, alive.url]


def test_all_dead_is_one_error_that_lists_all_in_order() -> None:
    urls = [dead_url() for _ in range(3)]
    with client_for(*urls) as client:
        for _ in range(2):  # in cooldown too: rather try than lose the call
            with pytest.raises(NoEndpointLeft) as caught:
                ask(client)
            assert sorted(one.endpoint for one in caught.value.attempts) == sorted(urls)
    assert str(caught.value).startswith("generator: 3 endpoints tried - http://127.0.0.1:")
    assert caught.value.role == "generator"


def test_a_single_endpoint_is_asked_again_at_once() -> None:
    with FakeOllama() as server:
        port = server.port
    with client_for(server.url) as client:
        for _ in range(3):
            with pytest.raises(NoEndpointLeft):
                ask(client)
        with FakeOllama(script=["back"], port=port):
            assert ask(client).text == "back"
            assert client.status()[1].endpoints[0][0].state == "healthy"


FAULTY = {
    "busy": Reply(status=503, error="server busy"),
    "error first": Reply(error="CUDA error"),
    "end without done": Reply(done=False),
    "cut": Reply(cut=True),
    "web page": Reply(raw=b"<html>", content_type="text/html"),
    "redirect": Reply(status=307, raw=b"", headers={"Location": "http://x/"}),
    "thought, then broke off": Reply(thinking="hm", cut=True),
}


@pytest.mark.parametrize("fault", FAULTY.values(), ids=FAULTY)
def test_the_next_endpoint_serves_when_nothing_was_delivered(fault: Reply) -> None:
    with (
        FakeOllama(script=[fault]) as bad,
        FakeOllama(script=["fine"]) as good,
        client_for(bad.url, good.url) as client,
    ):
        reply = ask(client)
    assert (reply.text, reply.endpoint, len(reply.attempts)) == ("fine", good.url, 1)


LIMITS = Timeouts(connect_s=0.3, first_byte_s=0.3, idle_s=0.3, total_s=10)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nConnection: close\r\n\r\n"
ROUGH = {
    "hangs before headers": (hang, "first_byte_timeout"),
    "drips headers": (drip(b"HTTP/1.1 200 OK\r\nX: "), "first_byte_timeout"),
    "drips a header for ever": (drip(b"a"), "first_byte_timeout"),
    "hangs after headers": (lambda s, r: (saying(HEAD)(s, r), hang(s, r)), "first_byte_timeout"),
    "drips a line": (lambda s, r: (saying(HEAD)(s, r), drip(b"a")(s, r)), "first_byte_timeout"),
    "closes": (saying(b""), "reset"),
    "is not HTTP": (saying(b"SSH-2.0-OpenSSH_9.6\r\n"), "not_http"),
    "sends 200 headers": (saying(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200), "not_http"),
    "cuts the body": (saying(HEAD.replace(b"Connection: close", b"Content-Length: 9")), "cut"),
    "corrupts gzip": (
        saying(HEAD.replace(b"Connection: close", b"Content-Encoding: gzip") + b"nonsense"),
        "corrupt",
    ),
    "says nonsense": (body_of(b"nonsense\n"), "not_a_model_reply"),
}


@pytest.mark.parametrize(("handler", "error"), ROUGH.values(), ids=ROUGH)
def test_a_broken_server_costs_no_call(handler, error) -> None:  # type: ignore[no-untyped-def]
    with (
        RawServer([handler]) as bad,
        FakeOllama(script=["fine"]) as good,
        client_for(f"{bad.url}/v1", f"{good.url}/v1", timeouts=LIMITS) as client,
    ):
        reply = ask(client)
    assert reply.text == "fine"
    assert [one.error for one in reply.attempts] == [error]
    assert reply.attempts[0].seconds < 1.0


def test_after_a_token_the_reply_is_interrupted_not_spliced() -> None:
    watcher = Recorder()
    cut = Reply(text="def add(", cut=True)
    with (
        FakeOllama(script=[cut]) as bad,
        FakeOllama() as good,
        client_for(bad.url, good.url) as client,
        pytest.raises(StreamInterrupted) as caught,
    ):
        ask(client, watcher=watcher)
    assert (caught.value.partial, caught.value.endpoint) == ("def add(", bad.url)
    assert caught.value.error_class == "cut"
    assert len(watcher.of("failed")) == 1
    assert good.chats == []


def test_a_hang_in_the_middle_goes_elsewhere_only_while_nothing_was_delivered() -> None:
    script = [Reply(thinking="hm", hang="middle"), Reply(text="def", hang="middle")]
    with (
        FakeOllama(script=script) as bad,
        FakeOllama(script=["fine"]) as good,
        client_for(bad.url, good.url, timeouts=LIMITS) as client,
    ):
        reply = ask(client)
        assert (reply.text, reply.attempts[0].error) == ("fine", "idle_timeout")
        assert ask(client).endpoint == good.url
        with pytest.raises(StreamInterrupted, match="fell silent") as caught:
            ask(client)
        assert caught.value.partial == "def"
        assert bad.wait(lambda: len(bad.cancelled) == 2)


def test_a_missing_model_is_served_elsewhere_and_remembered() -> None:
    watcher = Recorder()
    with (
        FakeOllama(models=["llama3"]) as without,
        FakeOllama() as with_it,
        client_for(without.url, with_it.url) as client,
    ):
        for _ in range(4):
            assert ask(client, watcher=watcher).endpoint == with_it.url
        assert len(without.chats) == 1
        assert watcher.of("failed")[0]["error"] == "model_missing"
        without.models.append(MODEL)
        client.probe()
        assert {ask(client).endpoint for _ in range(2)} == {without.url, with_it.url}


@pytest.mark.parametrize("suffix", ["", "/v1"])
def test_a_model_missing_everywhere_says_how_to_pull_it(suffix: str) -> None:
    with (
        FakeOllama(models=[]) as one,
        FakeOllama(models=[]) as two,
        client_for(one.url + suffix, two.url + suffix) as client,
        pytest.raises(NoEndpointLeft) as caught,
    ):
        ask(client)
    assert f"Run `ollama pull {MODEL}` on {one.url}, {two.url}." in str(caught.value)


def test_a_kept_connection_that_the_server_closed_is_replaced_silently() -> None:
    whole = b'{"message":{"content":"hi"},"done":false}\n{"done":true,"done_reason":"stop"}\n'
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(whole)}\r\n\r\n".encode()
    version = b'HTTP/1.1 200 OK\r\nContent-Length: 17\r\nConnection: close\r\n\r\n{"version":"0.3"}'
    closed = threading.Event()

    def once(sock, server) -> None:  # type: ignore[no-untyped-def]
        saying(head + whole)(sock, server)
        sock.recv(65536)  # the next request, which gets no answer
        closed.set()

    with (
        RawServer([saying(version), once, saying(head + whole)]) as server,
        client_for(server.url) as client,
    ):
        assert ask(client).text == "hi"
        reply = ask(client)
        assert closed.wait(5)
    assert (reply.text, reply.attempts) == ("hi", ())
    assert server.connections == 3


def test_connections_are_kept() -> None:
    with FakeOllama() as server, client_for(server.url) as client:
        for _ in range(5):
            ask(client)
    assert server.connections == 1


def test_proxies_in_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, dead_url())
    with FakeOllama(script=["direct"]) as server, client_for(server.url) as client:
        assert ask(client).text == "direct"


def test_an_unknown_host_and_a_wrong_scheme_are_named() -> None:
    with FakeOllama(script=["fine"]) as good:
        plain_as_tls = good.url.replace("http:", "https:")
        with client_for("http://no-such-host.invalid:1", plain_as_tls, good.url) as client:
            first, second = ask(client).attempts
    assert (first.error, second.error) == ("dns", "tls")
    assert "Host no-such-host.invalid does not resolve" in first.message
    assert "try the same address with http://" in second.message


def test_a_change_of_the_config_holds_from_the_next_call_on() -> None:
    with FakeOllama(script=["old"]) as old, FakeOllama(script=["new"]) as new:
        settings = [config(old.url)]
        client = Client(lambda: settings[0])
        try:
            assert ask(client).text == "old"
            settings[0] = config(new.url)
            assert ask(client).text == "new"
        finally:
            client.close()

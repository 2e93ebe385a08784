"""The endpoints page and its API: pulling, measuring, figures; with and without JavaScript."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from endpoint_helpers import Recorder
from fake_ollama import Reply
from fake_pull import PullingOllama
from flask.testing import FlaskClient
from test_qualify import able
from test_webui_pages import token
from web_services import Web, web

from core.cancel import Cancel
from core.endpoints import Message, Request
from core.errors import AppError
from webui import figures

MODEL = "codellama"


@pytest.fixture
def server() -> Iterator[PullingOllama]:
    with PullingOllama(models=["llama3"], script=able) as fake:
        yield fake


@pytest.fixture
def site(tmp_path: Path, server: PullingOllama) -> Iterator[Web]:
    with web(tmp_path, base_url=server.url) as opened:
        yield opened


@pytest.fixture
def browser(site: Web) -> FlaskClient:
    return site.app.test_client()


def until(happened: Callable[[], object]) -> None:
    for _ in range(1000):
        if happened():
            return
        time.sleep(0.01)
    raise AssertionError("it never happened")


def fields(server: PullingOllama, model: str = MODEL, **more: str) -> dict[str, str]:
    return {"id": server.url, "model": model, "place": "generator-0", **more}


def page(browser: FlaskClient, address: str) -> str:
    return browser.get(address).get_data(as_text=True)


def test_a_missing_model_is_pulled_without_javascript(
    site: Web, browser: FlaskClient, server: PullingOllama
) -> None:
    assert "Pull it" in page(browser, "/endpoints")
    form = fields(server, csrf=token(browser), page="settings", role="generator")
    answer = browser.post("/endpoints/pull", data=form)
    assert (answer.status_code, answer.location) == (303, "/settings#role-generator")
    until(lambda: "2.00 GB of 4.00 GB" in page(browser, "/settings"))
    assert 'hx-trigger="every 1s"' in page(browser, "/endpoints")
    server.gate.set()
    until(lambda: "Pulling" not in page(browser, "/settings"))
    assert server.pulled == [MODEL]
    text = page(browser, "/settings")
    assert (
        "model missing" not in text.split('id="role-evaluator"')[0].split('id="role-generator"')[1]
    )


def test_the_part_of_the_page_shows_progress_and_then_has_all_looked_at(
    browser: FlaskClient, server: PullingOllama
) -> None:
    headers = {"HX-Request": "true"}
    form = fields(server, csrf=token(browser))
    box = browser.post("/endpoints/pull", data=form, headers=headers)
    assert box.get_data(as_text=True).lstrip().startswith('<div class="pull"')
    cancelled = browser.post("/endpoints/pull/cancel", data=form, headers=headers)
    assert "Cancelled." in cancelled.get_data(as_text=True)
    server.refuse = "no space left on device"
    server.gate.set()
    browser.post("/endpoints/pull", data=form, headers=headers)
    address = f"/endpoints/pull?id={server.url}&model={MODEL}&place=generator-0"
    until(lambda: "no space left on device" in page(browser, address))
    assert browser.get(address).headers["HX-Trigger"] == "saved"
    assert browser.get(address.replace("generator-0", '"x')).status_code == 400


@pytest.mark.parametrize(
    ("url", "why"),
    [("http://169.254.1.1", "no endpoint of any role"), ("ftp://x", "http")],
)
def test_only_endpoints_of_the_configuration_are_told_to_pull(
    browser: FlaskClient, url: str, why: str
) -> None:
    answer = browser.post("/api/endpoints/pull", json={"url": url, "model": MODEL})
    assert answer.status_code == 400
    assert why in answer.json["error"]["message"]
    assert browser.post("/endpoints/pull", data={"id": url, "model": "x"}).status_code == 403


def test_the_api_pulls_tells_and_cancels(browser: FlaskClient, server: PullingOllama) -> None:
    body = {"url": f"{server.url}/", "model": MODEL}
    started = browser.post("/api/endpoints/pull", json=body)
    assert (started.status_code, started.json["phase"]) == (202, "pulling")
    [known] = browser.get("/api/endpoints/pull", query_string=body).json["pulls"]
    assert (known["url"], known["running"]) == (server.url, True)
    stopped = browser.post("/api/endpoints/pull/cancel", json=body)
    assert stopped.json["phase"] == "cancelled"
    [kept] = browser.get("/api/endpoints/pull").json["pulls"]
    assert kept["phase"] == "cancelled"
    other = body | {"model": "other"}
    assert browser.post("/api/endpoints/pull/cancel", json=other).status_code == 400
    assert browser.get("/api/endpoints/pull", query_string=other).json == {"pulls": []}
    assert browser.post("/api/endpoints/pull", json={"url": 1}).status_code == 400


def test_an_endpoint_is_measured_and_the_result_stays(
    site: Web, browser: FlaskClient, server: PullingOllama
) -> None:
    form = fields(server, model="llama3", csrf=token(browser))
    assert browser.post("/endpoints/measure", data=form).location == "/endpoints"
    assert "Measuring: task" in page(browser, "/endpoints")
    until(lambda: "6 of 6, just now" in page(browser, "/endpoints/figures"))
    query = {"url": server.url, "model": "llama3"}
    told = browser.get("/api/endpoints/measure", query_string=query).json
    assert (told["running"], told["found"]["passed"], told["remark"]) == (None, 6, "")
    # The app's own turns and figures know nothing of it.
    assert site.services.client.counters == {}
    assert "Measure again" in page(browser, "/settings")


def test_calls_show_as_figures_and_charts_and_metrics(
    site: Web, browser: FlaskClient, server: PullingOllama
) -> None:
    hello = Request(messages=(Message(role="user", content="PINEAPPLE"),))
    client = site.services.client
    client.chat("overseer", hello, watcher=Recorder(), cancel=Cancel())
    with pytest.raises(AppError):
        client.chat("generator", hello, watcher=Recorder(), cancel=Cancel())
    text = page(browser, "/endpoints/figures")
    assert "The last 2 calls: 1 served in" in text
    assert "<dd>model missing 1</dd>" in text
    assert 'class="lost"' in text
    lines = page(browser, "/metrics").splitlines()
    labels = f'endpoint="{server.url}"'
    assert f'codeevolver_endpoint_errors_total{{class="model_missing",{labels}}} 1.0' in lines
    assert 'codeevolver_role_calls_ended_total{role="overseer"} 1.0' in lines
    wanted = f'codeevolver_endpoint_seconds{{{labels},phase="whole",quantile="0.95"}}'
    assert any(line.startswith(wanted) for line in lines)
    assert any(
        line.startswith('codeevolver_role_tokens_per_second{role="overseer"}') for line in lines
    )
    assert any(f"codeevolver_endpoint_state{{{labels}" in line for line in lines)


def test_one_address_with_two_keys_is_two_endpoints(
    site: Web, browser: FlaskClient, server: PullingOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONE_KEY", "k1-secret")
    keyed = {"url": server.url, "auth": {"env": "ONE_KEY"}, "name": "keyed"}
    models = {
        "overseer": {"model": "llama3", "endpoints": [keyed]},
        "generator": {"model": "llama3", "endpoints": [server.url, keyed]},
    }
    document = site.services.config.document()
    site.services.config.save_document(
        document | {"ollama": {"base_url": server.url, "models": models}}
    )
    roles = site.services.client.status()
    shown = [(card.endpoint.name, card.uses[0].roles) for card in figures.cards(roles)]
    assert shown == [
        ("keyed", ("overseer", "generator", "evaluator", "triage", "escalation")),
        ("", ("generator", "escalation")),
    ]
    told = page(browser, "/metrics")
    assert f'codeevolver_endpoint_state{{endpoint="{server.url} (2)"' in told
    assert "k1-secret" not in told


def test_twins_are_pulled_and_measured_each_with_its_own_key(
    site: Web, browser: FlaskClient, server: PullingOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = {"ONE_KEY": "k1-secret", "OTHER_KEY": "k2-secret"}
    for name, secret in keys.items():
        monkeypatch.setenv(name, secret)
    twins = [{"url": server.url, "auth": {"env": name}} for name in keys]
    generator = {"model": "llama3", "endpoints": twins}
    models = {"generator": generator, "triage": {"model": MODEL, "endpoints": twins}}
    document = site.services.config.document()
    site.services.config.save_document(
        document | {"ollama": {"base_url": server.url, "models": models}}
    )
    text = page(browser, "/endpoints")
    ids = [f"{server.url} (bearer ${name})" for name in keys]
    form = fields(server, model="llama3", csrf=token(browser), id=ids[1])
    assert f'name="id" value="{ids[1]}"' in text
    assert browser.post("/endpoints/measure", data=form).status_code == 303
    until(lambda: "6 of 6, just now" in page(browser, "/endpoints/figures"))
    book = site.services.qualifier.book
    assert [book.of(one, "llama3") is not None for one in ids] == [False, True]
    assert {seen.headers["Authorization"] for seen in server.requests if seen.body} == {
        "Bearer k2-secret"
    }
    server.gate.set()
    pulled = browser.post("/api/endpoints/pull", json={"id": ids[0], "model": MODEL})
    assert (pulled.status_code, pulled.json["id"], pulled.json["url"]) == (202, ids[0], server.url)
    assert site.services.pulls.state(ids[1], MODEL) is None
    vague = browser.post("/api/endpoints/pull", json={"url": server.url, "model": MODEL})
    assert vague.status_code == 400
    assert all(one in vague.json["error"]["message"] for one in ids)


def test_a_measurement_is_cancelled_on_the_page_and_in_the_api(
    site: Web, browser: FlaskClient, server: PullingOllama
) -> None:
    server.script = [Reply(hang="headers")]
    form = fields(server, model="llama3", csrf=token(browser))
    box = browser.post("/endpoints/measure", data=form, headers={"HX-Request": "true"})
    assert "/endpoints/measure/cancel" in box.get_data(as_text=True)
    assert server.wait(lambda: server.chats)
    stopped = browser.post("/endpoints/measure/cancel", data=form, headers={"HX-Request": "true"})
    assert ">Measure</button>" in stopped.get_data(as_text=True)
    assert server.wait(lambda: server.cancelled)
    body = {"url": server.url, "model": "llama3"}
    assert browser.post("/api/endpoints/measure", json=body).status_code == 202
    ended = browser.post("/api/endpoints/measure/cancel", json=body)
    assert ended.json == {"running": None, "found": None, "remark": ""}
    assert browser.post("/api/endpoints/measure/cancel", json=body).status_code == 400
    no_name = browser.post("/api/endpoints/measure", json=body | {"model": "\n"})
    assert no_name.json["error"]["field"] == "model"


def test_a_measurement_stays_in_sight_when_the_server_goes(
    site: Web, browser: FlaskClient, server: PullingOllama
) -> None:
    form = fields(server, model="llama3", csrf=token(browser))
    browser.post("/endpoints/measure", data=form)
    until(lambda: "6 of 6, just now" in page(browser, "/endpoints/figures"))
    server.close()
    text = page(browser, "/endpoints")
    assert "connection refused" in text
    assert "6 of 6, just now" in text


def test_a_pull_that_broke_off_says_so_where_the_server_went(
    site: Web, browser: FlaskClient, server: PullingOllama
) -> None:
    page(browser, "/endpoints")
    browser.post("/endpoints/pull", data=fields(server, csrf=token(browser)))
    until(lambda: "2.00 GB of 4.00 GB" in page(browser, "/endpoints/figures"))
    server.refuse = "disk went away"
    server.close()
    until(lambda: not site.services.pulls.all()[0].running)
    text = page(browser, "/endpoints")
    assert "connection refused" in text
    assert "Pull again" in text

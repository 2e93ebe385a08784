"""Tokens and savings on the pages, in the API and in the metrics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
import run_scripts
from flask.testing import FlaskClient
from markupsafe import escape
from prometheus_client.parser import text_string_to_metric_families
from web_services import Web

from core import events as ev
from core.savings import of_run
from core.savings_words import HOW, summary
from core.state import RunState, apply, fold
from webui import render

STRONG = "qwen2.5-coder:14b"


@pytest.fixture
def client(site: Web) -> FlaskClient:
    return site.app.test_client()


def text(client: FlaskClient, address: str) -> str:
    page = client.get(address)
    assert page.status_code == 200
    return " ".join(page.get_data(as_text=True).split())


def test_a_runs_page_shows_tokens_by_model_and_the_rule(site: Web, client: FlaskClient) -> None:
    run_scripts.write(site.services.log, "r1", run_scripts.passed_run())
    found = of_run(fold(site.services.log.since("r1")))
    page = text(client, "/runs/r1")
    assert str(escape(summary(found))) in page
    assert f'{STRONG} <span class="badge">strongest</span>' in page
    assert page.count('class="badge">strongest') == 1
    for sentence in HOW:
        assert str(escape(sentence)) in page
    weak = [use for use in found.uses if use.model == "codellama"]
    assert f'<td class="num">{sum(use.tokens_in for use in weak):,}</td>' in page


def test_using_more_is_said_plainly(site: Web, client: FlaskClient) -> None:
    script = list(run_scripts.failed_run())
    run_scripts.write(site.services.log, "r1", script)
    assert "tokens more than qwen2.5-coder:14b alone would have" in text(client, "/runs/r1")


def test_a_run_under_way_shows_tokens_as_they_come(site: Web) -> None:
    state = RunState(run_id="r")
    shown = []
    with site.app.test_request_context("/"):
        for seq, payload in enumerate(run_scripts.passed_run()):
            before = state
            state = apply(state, ev.Event(run_id="r", seq=seq, at=1000.0 + seq, payload=payload))
            frame = render.change_frame(before, state)
            if 'hx-target="#r-savings"' in frame:
                shown.append(type(payload))
                html = " ".join(render.region("savings", state).split())
                assert ("when the run has ended" in html) == (state.finished is None)
    assert shown == [ev.ReplyReceived] * 6 + [ev.RunFinished]


def test_unknown_counts_are_called_unknown(site: Web, client: FlaskClient) -> None:
    def uncounted() -> Iterator[ev.Payload]:
        for payload in run_scripts.passed_run():
            if isinstance(payload, ev.ReplyReceived) and payload.call.startswith(("code", "tests")):
                yield replace(payload, tokens_in=0, tokens_out=0)
            else:
                yield payload

    run_scripts.write(site.services.log, "r1", uncounted())
    page = text(client, "/runs/r1")
    assert page.count('<td class="num">unknown</td>') == 2
    assert "2 requests gave no full token count" in page
    assert "there is no estimate" in page
    body = client.get("/api/runs/r1").get_json()["savings"]
    assert (body["why"], body["estimate"], body["saved"]) == ("tokens_unknown", None, None)


def test_the_api_of_a_run(site: Web, client: FlaskClient) -> None:
    run_scripts.write(site.services.log, "r1", run_scripts.passed_run())
    body = client.get("/api/runs/r1").get_json()["savings"]
    assert body["saved"] == body["estimate"] - body["used"]
    assert body["strongest"] == [STRONG]
    (strong,) = [use for use in body["tokens"] if use["strong"]]
    assert strong["tokens_in"] + strong["tokens_out"] == body["used"]
    assert {"model", "role", "calls", "uncounted"} <= set(strong)


def test_the_start_page_and_the_api_sum_up_all_runs(site: Web, client: FlaskClient) -> None:
    assert "Tokens of all finished runs" not in text(client, "/")
    empty = client.get("/api/savings").get_json()
    assert (empty["runs"], empty["saved"], empty["tokens"]) == (0, None, [])
    for name, script in run_scripts.RUNS.items():
        run_scripts.write(site.services.log, name, script())
    body = client.get("/api/savings").get_json()
    each = [client.get(f"/api/runs/{name}").get_json()["savings"] for name in run_scripts.RUNS]
    assert body["runs"] == len(each)
    assert body["saved"] == sum(one["saved"] or 0 for one in each)
    assert body["rule"] == " ".join(HOW)
    page = text(client, "/")
    assert "Tokens of all finished runs" in page
    assert f"In {body['estimated']} runs, {body['passed']} of them passed" in page


def test_the_metrics_count_by_model_and_role(site: Web, client: FlaskClient) -> None:
    def tokens() -> dict[tuple[str, str, str], float]:
        metrics = client.get("/metrics").get_data(as_text=True)
        return {
            (
                sample.labels["model"],
                sample.labels["role"],
                sample.labels["direction"],
            ): sample.value
            for family in text_string_to_metric_families(metrics)
            for sample in family.samples
            if sample.name == "codeevolver_tokens_total"
        }

    run_scripts.write(site.services.log, "r1", run_scripts.passed_run())
    first = tokens()
    uses = of_run(fold(site.services.log.since("r1"))).uses
    assert first == {
        (use.model, use.role, direction): count
        for use in uses
        for direction, count in (("read", use.tokens_in), ("written", use.tokens_out))
    }
    # The same model in the same role, once as the strongest and once not, is one counter.
    script = list(run_scripts.resumed_run())
    run_scripts.write(
        site.services.log, "r2", [*script[:-1], replace(script[-1], strongest="llama3")]
    )
    assert sum(tokens().values()) > sum(first.values())
    metrics = client.get("/metrics").get_data(as_text=True)
    assert (
        'codeevolver_uncounted_requests_total{model="qwen2.5-coder:14b",role="generator"} 1.0'
        in (metrics)
    )
    assert re.search(r'codeevolver_strongest_tokens\{what="alone"\} \d+', metrics)


def test_a_models_name_is_only_ever_text(site: Web, client: FlaskClient) -> None:
    evil = "<script>alert(1)</script>"

    def script() -> Iterator[ev.Payload]:
        for payload in run_scripts.passed_run():
            renamed = isinstance(payload, ev.RequestSent)
            yield replace(payload, model=evil) if renamed else payload

    run_scripts.write(site.services.log, "r1", script())
    for address in ("/", "/runs/r1"):
        assert evil not in text(client, address)

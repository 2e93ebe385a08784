"""The JSON API: shapes, statuses, errors and the stream of events."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from pathlib import Path

import pytest
import requests
import run_scripts
import sqlalchemy as sa
from flask.testing import FlaskClient
from web_services import Web, served

from core.events import event_from_dict, event_to_dict
from core.log import storage_errors

# Deep enough for any code that recurses, and yet read by every Python's parser.
DEEP = b'{"goal": ' + b"[" * 400 + b"]" * 400 + b"}"


@pytest.fixture
def client(site: Web) -> FlaskClient:
    return site.app.test_client()


def test_starting_a_run_gives_its_id_and_address(site: Web, client: FlaskClient) -> None:
    site.engine.script = run_scripts.passed_run
    response = client.post("/api/runs", json={"goal": "add 1 plus 1"})
    assert response.status_code == 201
    body = response.get_json()
    assert re.fullmatch(r"[0-9a-z]{20}", body["id"])
    assert body["url"] == response.headers["Location"] == f"http://localhost/runs/{body['id']}"
    site.engine.finish()
    run = client.get(f"/api/runs/{body['id']}").get_json()
    assert run["goal"] == "add 1 plus 1"
    assert run["outcome"] == "passed"


def test_a_run_has_all_that_is_known_of_it(site: Web, client: FlaskClient) -> None:
    run_scripts.write(site.services.log, "r1", run_scripts.passed_run())
    run = client.get("/api/runs/r1").get_json()
    assert run["id"] == "r1"
    assert run["phase"] == "finished"
    assert run["reason"] == "Passed after 1 attempt to mend it."
    assert run["strategy"] == run_scripts.PLAN
    assert run["code"] == run_scripts.FIXED_CODE
    assert (run["passed"], run["total"]) == (4, 4)
    assert [test["origin"] for test in run["tests"]].count("yours") == 1
    assert len(run["calls"]) == 6
    assert run["calls"][1]["failures"][0]["error"] == "refused"
    (attempt,) = run["attempts"]
    assert (attempt["attempt"], attempt["of"], attempt["call"]) == (1, 3, "escalate-1.1.1")
    assert attempt["candidate"]["code"] == run_scripts.FIXED_CODE
    assert attempt["candidate"]["execution"]["status"] == "passed"
    assert [stage["stage"] for stage in run["stages"]][:2] == ["tools", "strategy"]
    assert run["score"]["scores"][0]["value"] == 9
    assert run["triage"]["passed"] is True


@pytest.mark.parametrize("name", run_scripts.RUNS)
def test_every_moment_of_a_run_is_json(site: Web, client: FlaskClient, name: str) -> None:
    payloads = list(run_scripts.RUNS[name]())
    run_scripts.write(site.services.log, "r1", payloads[:1])
    for payload in payloads[1:]:
        run = client.get("/api/runs/r1").get_json()
        assert run["outcome"] is None
        assert run["phase"] in ("running", "cancelling")
        site.services.log.append("r1", payload)
    assert client.get("/api/runs/r1").get_json()["outcome"] is not None


def test_events_come_one_on_a_line_after_the_cursor(site: Web, client: FlaskClient) -> None:
    run_scripts.write(site.services.log, "r1", run_scripts.passed_run())
    written = site.services.log.since("r1")
    response = client.get("/api/runs/r1/events")
    assert response.mimetype == "application/x-ndjson"
    lines = response.get_data(as_text=True).splitlines()
    assert [event_from_dict(json.loads(line)) for line in lines] == written
    tail = client.get(f"/api/runs/r1/events?after={written[-2].seq}").get_data(as_text=True)
    assert json.loads(tail) == event_to_dict(written[-1])
    assert client.get("/api/runs/r1/events?after=9999").get_data() == b""
    followed = client.get("/api/runs/r1/events?after=-1&follow=1").get_data(as_text=True)
    assert followed.splitlines() == lines


def test_following_streams_until_the_run_has_finished(site: Web) -> None:
    site.engine.script, site.engine.free = run_scripts.passed_run, False
    with served(site) as url:
        run_id = requests.post(f"{url}/api/runs", json={"goal": "x"}, timeout=5).json()["id"]
        address = f"{url}/api/runs/{run_id}/events?follow=1"
        with requests.get(address, stream=True, timeout=10) as response:
            lines = response.iter_lines(chunk_size=1)
            assert json.loads(next(lines))["kind"] == "RunStarted"
            site.engine.step()
            assert json.loads(next(lines))["kind"] == "StageStarted"
            threading.Thread(target=site.engine.finish).start()
            rest = [json.loads(line) for line in lines]
        assert rest[-1]["kind"] == "RunFinished"
        assert [event["seq"] for event in rest] == list(range(2, 2 + len(rest)))


def test_followers_are_capped_and_give_their_place_back(site: Web, client: FlaskClient) -> None:
    run_scripts.write(site.services.log, "r1", run_scripts.planned())
    readers = [client.get("/api/runs/r1/events?follow=1", buffered=False) for _ in range(4)]
    refused = client.get("/api/runs/r1/events?follow=1")
    assert refused.status_code == 503
    assert refused.get_json()["error"]["code"] == "service_unavailable"
    for reader in readers:
        reader.close()
    again = client.get("/api/runs/r1/events?follow=1", buffered=False)
    assert again.status_code == 200
    again.close()


def test_cancelling(site: Web, client: FlaskClient) -> None:
    run_scripts.write(site.services.log, "r1", run_scripts.planned())
    response = client.post("/api/runs/r1/cancel")
    assert (response.status_code, response.get_json()["cancelling"]) == (202, True)
    run_scripts.write(site.services.log, "r2", run_scripts.passed_run())
    response = client.post("/api/runs/r2/cancel", json={})
    assert (response.status_code, response.get_json()["cancelling"]) == (200, False)
    assert client.post("/api/runs/r2/cancel", data={"a": "b"}).status_code == 415


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        ({"json": {}}, 400, "bad_input", "goal"),
        ({"json": {"goal": 5}}, 400, "bad_input", "goal"),
        ({"json": {"goal": " "}}, 400, "bad_input", "goal"),
        ({"json": {"goal": "x" * 20_001}}, 400, "bad_input", "goal"),
        ({"json": {"goal": "a\0b"}}, 400, "bad_input", "goal"),
        ({"json": {"goal": "a\x1bb"}}, 400, "bad_input", "goal"),
        ({"json": ["goal"]}, 400, "bad_input", ""),
        ({"data": b"{", "content_type": "application/json"}, 400, "bad_input", ""),
        ({"data": b"\xff\xfe", "content_type": "application/json"}, 400, "bad_input", ""),
        ({"data": b'{"goal": NaN}', "content_type": "application/json"}, 400, "bad_input", ""),
        ({"data": b"[" * 200_000, "content_type": "application/json"}, 400, "bad_input", ""),
        ({"data": DEEP, "content_type": "application/json"}, 400, "bad_input", ""),
        ({"data": {"goal": "x"}}, 415, "unsupported_media_type", None),
        ({"json": {"goal": "x" * 18_000_000}}, 413, "request_entity_too_large", None),
    ],
)
def test_bad_bodies(
    site: Web, client: FlaskClient, body: dict[str, object], status: int, code: str, field: str
) -> None:
    response = client.post("/api/runs", **body)  # type: ignore[arg-type]
    assert response.status_code == status
    error = response.get_json()["error"]
    assert (error["code"], error["field"]) == (code, field)
    assert len(error["message"]) > 20
    assert site.services.log.history() == ()


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [
        ("GET", "/api/runs/nope", 404),
        ("GET", "/api/runs/nope/events", 404),
        ("POST", "/api/runs/nope/cancel", 404),
        ("GET", "/api/nope", 404),
        ("DELETE", "/api/runs", 405),
        ("GET", "/api/runs/r1/events?after=x", 400),
        ("GET", "/api/runs/r1/events?after=-2", 400),
        ("GET", "/api/runs/r1/events?after=99999999999999", 400),
        ("GET", "/api/runs/r1/events?after=", 400),
        ("GET", "/api/runs/r1/events?after=1_0", 400),
        ("GET", "/api/runs/r1/events?after=%201", 400),
        ("GET", "/api/runs/r1/events?after=%2B1", 400),
        ("GET", "/api/runs/r1/events?after=1%0A", 400),
        ("GET", "/api/runs/r1/events?after=%D9%A1", 400),
        ("GET", "/api/runs?limit=abc", 400),
        ("GET", "/api/runs?limit=0", 400),
        ("GET", "/api/runs?limit=501", 400),
        ("GET", "/api/runs?before=nope", 400),
        ("GET", "/api/runs?before=", 400),
    ],
)
def test_bad_addresses(
    site: Web, client: FlaskClient, method: str, address: str, status: int
) -> None:
    run_scripts.write(site.services.log, "r1", run_scripts.planned())
    response = client.open(address, method=method)
    assert response.status_code == status
    error = response.get_json()["error"]
    assert error["message"]
    argument = re.search(r"\?(\w+)=", address)
    assert error["field"] == (argument[1] if argument else None)


@pytest.mark.parametrize(
    ("fault", "status"),
    [("database or disk is full", 507), ("attempt to write a readonly database", 503)],
)
def test_a_full_disk_is_507(site: Web, client: FlaskClient, fault: str, status: int) -> None:
    def fail() -> str:
        with storage_errors(Path("/srv/fullstack/data/events.db")):
            raise sa.exc.OperationalError("INSERT", {}, sqlite3.OperationalError(fault))

    site.app.add_url_rule("/api/fail", view_func=fail)
    response = client.get("/api/fail")
    assert response.status_code == status
    assert response.get_json()["error"]["code"] == "storage"


def test_the_history_pages(site: Web, client: FlaskClient) -> None:
    for number in range(5):
        run_scripts.write(site.services.log, f"r{number}", run_scripts.error_run())
    first = client.get("/api/runs?limit=2").get_json()["runs"]
    assert [run["id"] for run in first] == ["r4", "r3"]
    assert first[0]["outcome"] == "error"
    assert first[0]["goal"] == run_scripts.GOAL
    second = client.get("/api/runs?limit=2&before=r3").get_json()["runs"]
    assert [run["id"] for run in second] == ["r2", "r1"]


def test_the_config_can_be_read_and_saved(site: Web, client: FlaskClient) -> None:
    document = client.get("/api/config").get_json()
    assert document["ollama"]["models"]["overseer"] == "llama3"
    document["ollama"]["models"]["overseer"] = "llama4"
    saved = client.put("/api/config", json=document)
    assert saved.status_code == 200
    assert saved.get_json() == document
    assert site.services.config.current.role("overseer").model == "llama4"
    assert "# My models." in site.config_path.read_text()


def test_a_refused_config_names_each_problem(site: Web, client: FlaskClient) -> None:
    before = site.config_path.read_text()
    document = client.get("/api/config").get_json()
    document["ollama"]["nonsense"] = 1
    document["ollama"]["models"]["overseer"] = 7
    refused = client.put("/api/config", json=document)
    assert refused.status_code == 400
    error = refused.get_json()["error"]
    assert (error["code"], error["field"]) == ("bad_config", error["problems"][0]["path"])
    paths = {problem["path"] for problem in error["problems"]}
    assert paths == {"ollama.nonsense", "ollama.models.overseer"}
    assert all(set(one) == {"path", "line", "message", "mend"} for one in error["problems"])
    assert site.config_path.read_text() == before


@pytest.mark.parametrize(
    "body", [DEEP, b"[" * 200_000, b'{"port": Infinity}', b'{"data_dir": "\\ud800"}']
)
def test_a_config_that_is_no_document_is_refused(
    site: Web, client: FlaskClient, body: bytes
) -> None:
    before = site.config_path.read_text()
    refused = client.put("/api/config", data=body, content_type="application/json")
    assert refused.status_code == 400
    assert site.config_path.read_text() == before


def test_endpoints_are_listed_by_role(client: FlaskClient) -> None:
    roles = client.get("/api/endpoints").get_json()["roles"]
    assert [role["role"] for role in roles][:2] == ["overseer", "generator"]
    assert set(roles[1]) == {
        *("role", "model", "endpoints", "served_by_builtin", "why"),
        *("strategy", "waiting", "figures"),
    }
    endpoint = roles[1]["endpoints"][0]
    assert endpoint["url"] == "http://127.0.0.1:9"
    assert endpoint["has_model"] is None
    assert set(endpoint) == {
        *("id", "url", "kind", "state", "reachable", "has_model", "mend", "models", "message"),
        *("in_flight", "cooldown_s", "calls", "failures"),
        *("name", "weight", "max_inflight", "figures"),
    }


def test_health_and_metrics(site: Web, client: FlaskClient) -> None:
    for name, script in run_scripts.RUNS.items():
        run_scripts.write(site.services.log, name, script())
    run_scripts.write(site.services.log, "open", run_scripts.planned())
    assert client.get("/healthz").get_json() == {"status": "ok"}
    site.services.client.probe()
    text = client.get("/metrics").get_data(as_text=True)
    assert 'codeevolver_runs{outcome="passed"} 2.0' in text
    assert 'codeevolver_runs{outcome="running"} 1.0' in text
    assert 'codeevolver_endpoint_reachable{endpoint="http://127.0.0.1:9"} 0.0' in text
    assert "codeevolver_endpoint_in_flight" in text
    assert "codeevolver_sandbox_safe{rung=" in text
    assert "# TYPE codeevolver_calls_total counter" in text

"""A role's strategy and the details of its endpoints, edited on the settings page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask.testing import FlaskClient
from test_webui_pages import token
from web_services import Web, web
from werkzeug.test import TestResponse

from core.config import load

A, B = "http://127.0.0.1:21", "http://127.0.0.1:22"
DOCUMENT = f"""# Mine.
ollama:
  models:
    generator:
      model: "codellama"   # writes
      strategy: weighted
      endpoints:
        - url: "{A}"  # the rack
          name: rack
          weight: 3
          auth: {{type: header, name: X-Key, file: keys/rack}}
          headers: {{X-Team: blue}}
          verify: true
        - "{B}"
    triage: "tiny"
embedded: off
"""
PLAIN = {
    "name": "",
    "weight": "1",
    "max_inflight": "32",
    "state": "on",
    "key_from": "",
    "key": "",
    "key_type": "bearer",
    "key_header": "",
    "headers": "",
    "verify": "on",
    "ca_file": "",
}
RACK = PLAIN | {
    "name": "rack",
    "weight": "3",
    "key_from": "file",
    "key": "keys/rack",
    "key_type": "header",
    "key_header": "X-Key",
    "headers": "X-Team: blue",
}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Web]:
    with web(tmp_path) as opened:
        text = DOCUMENT + f'data_dir: "{tmp_path / "data"}"\n'
        opened.config_path.write_text(text)
        opened.services.config.reload()
        yield opened


@pytest.fixture
def browser(site: Web) -> FlaskClient:
    return site.app.test_client()


def send(
    browser: FlaskClient, *rows: dict[str, str], role: str = "generator", **more: Any
) -> TestResponse:
    form: dict[str, Any] = {"csrf": token(browser), "model": "codellama", "strategy": "weighted"}
    for name in ("endpoint", *PLAIN):
        form[name] = [row[name] for row in rows]
    return browser.post(f"/settings/{role}", data=form | more)


def test_the_form_as_it_is_changes_nothing(site: Web, browser: FlaskClient) -> None:
    before = site.config_path.read_text()
    page = browser.get("/settings").get_data(as_text=True)
    card = page.split('id="role-generator"')[1].split('id="role-evaluator"')[0]
    fields = {
        name: re.findall(rf'name="{name}" value="([^"]*)"', card)
        for name in ("endpoint", "name", "weight", "max_inflight", "key")
    }
    assert fields == {
        "endpoint": [A, B],
        "name": ["rack", ""],
        "weight": ["3", "1"],
        "max_inflight": ["32", "32"],
        "key": ["keys/rack", ""],
    }
    assert "More<span" in card
    assert send(browser, RACK | {"endpoint": A}, PLAIN | {"endpoint": B}).status_code == 303
    assert site.config_path.read_text() == before


def test_what_was_typed_is_saved_and_the_rest_of_an_entry_stays(
    site: Web, browser: FlaskClient
) -> None:
    rack = RACK | {"endpoint": A, "weight": "7", "state": "drain", "key_from": "env", "key": "RACK"}
    desk = PLAIN | {"endpoint": B, "name": "desk", "max_inflight": "2", "state": "disabled"}
    assert send(browser, desk, rack, strategy="least_inflight").status_code == 303
    text = site.config_path.read_text()
    entry = yaml.safe_load(text)["ollama"]["models"]["generator"]
    assert entry == {
        "model": "codellama",
        "strategy": "least_inflight",
        "endpoints": [
            {"url": B, "name": "desk", "max_inflight": 2, "disabled": True},
            {
                "url": A,
                "name": "rack",
                "weight": 7,
                "auth": {"type": "header", "name": "X-Key", "env": "RACK"},
                "headers": {"X-Team": "blue"},
                "verify": True,
                "drain": True,
            },
        ],
    }
    assert "# Mine." in text
    assert "# writes" in text
    page = browser.get("/settings").get_data(as_text=True)
    assert "More<span" in page
    assert "· draining · weight 7 · with a key" in page
    back = PLAIN | {"endpoint": B}
    assert send(browser, back, rack | {"key_from": "", "state": "on"}).status_code == 303
    entry = yaml.safe_load(site.config_path.read_text())["ollama"]["models"]["generator"]
    assert entry["endpoints"][0] == {"url": B}
    assert "auth" not in entry["endpoints"][1]
    assert "drain" not in entry["endpoints"][1]


@pytest.mark.parametrize(
    ("changed", "at", "why"),
    [
        ({"weight": "0"}, "weight", "must be a whole number from 1 to 1000"),
        ({"weight": "lots"}, "weight", "must be a whole number"),
        ({"max_inflight": "9999"}, "max_inflight", "from 1 to 1024"),
        ({"name": "x" * 61}, "name", "longer than 60"),
        ({"key_from": "env", "key": "sk-4f1c9secret"}, "key", "no name of an environment variable"),
        (
            {"key_from": "env", "key": "hunter2"},
            "key",
            "no environment variable of that name is set",
        ),
        ({"key_from": "env", "key": "AKIAIOSFODNN7EXAMPLE"}, "key", "no name of an environment"),
        ({"key_from": "file", "key": "sk-4f1c9secret"}, "key", "no file that can be read"),
        ({"key_from": "file", "key": "x" * 5000}, "key", "no file that can be read"),
        ({"key_from": "file", "key": "."}, "key", "no file that can be read"),
        ({"key_from": "env"}, "key", "is missing"),
        ({"key": "sk-4f1c9secret"}, "key", "not said where the key is"),
        ({"key_type": "magic", "key_from": "env", "key": "K"}, "key_type", "should be bearer"),
        ({"key_type": "header", "key_header": "a b"}, "key_header", "this is no name of a header"),
        ({"headers": "sk-4f1c9secret"}, "headers", "line 1: has no name and colon"),
        ({"headers": "X-A: 1\n\nX-Key: abc"}, "headers", "line 2: looks like a secret"),
        ({"headers": "X-A: Bearer sk-4f1c9secret"}, "headers", "line 1: looks like a secret"),
        ({"headers": "X-A: 0123456789abcdef0123456789"}, "headers", "looks like a secret"),
        ({"headers": "X-A: {env: sk-4f1c9secret}"}, "headers", "no name of an environment"),
        ({"headers": "X-A: 1\nx-a: 2"}, "headers", "line 2: the header is there twice"),
        ({"headers": "Content-Length: 3"}, "headers", "the app sets itself"),
        ({"headers": "X-A: schön"}, "headers", "plain text"),
        ({"ca_file": "nowhere.pem"}, "ca_file", "no file that can be read"),
        ({"ca_file": "config.yaml"}, "ca_file", "no certificates"),
    ],
)
def test_wrong_details_are_told_at_their_field_and_kept(
    site: Web,
    browser: FlaskClient,
    changed: dict[str, str],
    at: str,
    why: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = site.config_path.read_text()
    row = PLAIN | {"endpoint": B, "name": "desk"} | changed
    answer = send(browser, RACK | {"endpoint": A}, {"endpoint": "", **PLAIN}, row)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 400
    told = re.search(rf'id="generator-2-{at}-problem" role="alert">(.*?)</p>', page)
    assert told is not None
    assert why.lower() in told[1].lower()
    assert f'aria-describedby="generator-2-{at}-problem"' in page
    for text in (told[1], caplog.text, page if at == "key" else ""):
        assert "sk-4f1c9secret" not in text
        assert "hunter2" not in text
    assert f'value="{row["name"]}"' in page
    assert '<details class="more" id="generator-more-2" open>' in page
    assert site.config_path.read_text() == before


def test_rows_move_with_their_details(site: Web, browser: FlaskClient) -> None:
    rack, desk = RACK | {"endpoint": A}, PLAIN | {"endpoint": B, "weight": "many"}
    page = send(browser, rack, desk, action="up-1").get_data(as_text=True)
    card = page.split('id="role-generator"')[1]
    assert re.findall(r'name="weight" value="([^"]*)"', card)[:2] == ["many", "3"]


def test_what_was_typed_stays_in_sight_when_rows_move(site: Web, browser: FlaskClient) -> None:
    rack, desk = RACK | {"endpoint": A}, PLAIN | {"endpoint": B, "weight": "4"}
    page = send(browser, rack, desk, action="add").get_data(as_text=True)
    card = page.split('id="role-generator"')[1].split('id="role-evaluator"')[0]
    assert re.findall(r'id="generator-more-(\d)"( open)?', card) == [
        ("0", ""),
        ("1", " open"),
        ("2", ""),
    ]


def test_a_form_without_details_leaves_them_alone(site: Web, browser: FlaskClient) -> None:
    form = {"csrf": token(browser), "model": "other", "endpoint": [B, A]}
    assert browser.post("/settings/generator", data=form).status_code == 303
    role = load(site.config_path).role("generator")
    assert (role.model, role.strategy) == ("other", "weighted")
    assert [(one.url, one.weight) for one in role.endpoints] == [(B, 1), (A, 3)]


def test_details_of_the_base_url_are_the_roles_own(site: Web, browser: FlaskClient) -> None:
    row = PLAIN | {"endpoint": "", "weight": "2"}
    answer = send(browser, row, role="triage", model="tiny", strategy="round_robin")
    assert answer.status_code == 303
    entry = yaml.safe_load(site.config_path.read_text())["ollama"]["models"]["triage"]
    assert entry["endpoint"] == {"url": "http://localhost:11434", "weight": 2}
    assert "strategy" not in entry
    assert send(browser, RACK | {"endpoint": A}, strategy="nonsense").status_code == 400


def test_the_key_itself_is_on_no_page(site: Web, browser: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "rack").write_text("opensesame-77")
    for address in ("/settings", "/endpoints", "/metrics", "/api/endpoints"):
        assert "opensesame" not in browser.get(address).get_data(as_text=True)

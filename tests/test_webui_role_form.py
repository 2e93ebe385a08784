"""What a role's form writes into the file, and when it refuses to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fake_tls import write_certificate
from flask.testing import FlaskClient
from test_webui_settings import DOCUMENT, PLAIN, RACK, A, B, browser, send, site
from web_services import Web

from core.config import AuthConfig, HeaderConfig, load

__all__ = ["browser", "site"]  # fixtures

COMMENTED = f"""ollama:
  models:
    generator:
      model: "codellama"
      endpoints:
        - url: "{A}"
          auth:
            env: RACK  # ask Ada
          headers:
            # who pays
            X-Team: blue
            X-Cost: {{env: COST}}  # from the shell
    triage: "tiny"
embedded: off
"""


def test_headers_key_type_and_certificates_are_saved_and_comments_stay(
    site: Web, browser: FlaskClient, tmp_path: Path
) -> None:
    text = COMMENTED + f'data_dir: "{tmp_path / "data"}"\n'
    site.config_path.write_text(text)
    site.services.config.reload()
    own = PLAIN | {
        "endpoint": A,
        "key_from": "env",
        "key": "RACK",
        "headers": "X-Team: blue\r\nX-Cost: {env: COST}",
    }
    assert send(browser, own, strategy="round_robin").status_code == 303
    assert site.config_path.read_text() == text
    write_certificate(tmp_path)
    changed = own | {
        "key_type": "header",
        "key_header": "",
        "headers": "X-Team: green\r\nX-Cost: {env: COST}\r\nX-Floor: 3",
        "verify": "off",
        "ca_file": "ca.pem",
    }
    assert send(browser, changed, strategy="round_robin").status_code == 303
    written = site.config_path.read_text()
    for comment in ("# ask Ada", "# who pays", "# from the shell"):
        assert comment in written
    [endpoint] = load(site.config_path).role("generator").endpoints
    assert endpoint.auth == AuthConfig(type="header", env="RACK")
    assert endpoint.headers == (
        HeaderConfig(name="X-Team", value="green"),
        HeaderConfig(name="X-Cost", env="COST"),
        HeaderConfig(name="X-Floor", value="3"),
    )
    assert (endpoint.verify, endpoint.ca_file) == (False, tmp_path / "ca.pem")
    page = browser.get("/settings").get_data(as_text=True)
    assert "X-Team: green\nX-Cost: {env: COST}\nX-Floor: 3</textarea>" in page
    assert "certificate not checked" in page
    plain = PLAIN | {"endpoint": A}
    assert send(browser, plain, strategy="round_robin").status_code == 303
    [endpoint] = load(site.config_path).role("generator").endpoints
    assert (endpoint.auth, endpoint.headers, endpoint.verify, endpoint.ca_file) == (
        None,
        (),
        True,
        None,
    )


def test_a_variable_that_is_set_may_be_called_anything(
    site: Web, browser: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = PLAIN | {"endpoint": B, "key_from": "env", "key": "rack_key_7"}
    assert send(browser, row).status_code == 400
    monkeypatch.setenv("rack_key_7", "opensesame")
    assert send(browser, row).status_code == 303
    monkeypatch.delenv("rack_key_7")  # what the file says already is left alone
    assert send(browser, row | {"weight": "2"}).status_code == 303


def test_a_page_older_than_the_file_undoes_no_change(site: Web, browser: FlaskClient) -> None:
    def seen() -> str:
        card = browser.get("/settings").get_data(as_text=True).split('id="role-generator"')[1]
        [mark, *_] = re.findall(r'name="seen" value="(.+?)"', card)
        return str(mark)

    rack, desk, old = RACK | {"endpoint": A}, PLAIN | {"endpoint": B}, seen()
    assert send(browser, rack | {"weight": "9"}, desk, seen=old).status_code == 303
    assert send(browser, rack | {"weight": "9"}, desk, seen=old).status_code == 303  # the same
    refused = send(browser, rack, desk, seen=old, model="other")
    page = refused.get_data(as_text=True)
    assert refused.status_code == 400
    assert "was changed since the page was loaded" in page
    assert 'value="other"' in page
    role = load(site.config_path).role("generator")
    assert (role.model, role.endpoints[0].weight) == ("codellama", 9)
    by_hand = site.config_path.read_text().replace("weight: 9", "weight: 8")
    mark = seen()
    site.config_path.write_text(by_hand)
    assert send(browser, rack, desk, seen=mark).status_code == 400
    assert site.config_path.read_text() == by_hand
    assert send(browser, rack, desk, seen=seen()).status_code == 303


def test_a_changed_entry_keeps_the_form_that_it_was_written_in(
    site: Web, browser: FlaskClient
) -> None:
    rack = RACK | {"endpoint": A, "weight": "9"}
    assert send(browser, rack, PLAIN | {"endpoint": B}).status_code == 303
    text = site.config_path.read_text()
    assert text.startswith(DOCUMENT.replace("weight: 3", "weight: 9"))


@pytest.mark.parametrize("name", ["HF_TOKEN", "SK_KEY", "OPENAI_API_KEY", "RACK7"])
def test_a_variable_in_capitals_may_be_set_later(
    browser: FlaskClient, site: Web, name: str
) -> None:
    row = PLAIN | {"endpoint": B, "key_from": "env", "key": name}
    assert send(browser, row).status_code == 303
    [endpoint] = load(site.config_path).role("generator").endpoints
    assert endpoint.auth == AuthConfig(env=name)


def test_of_twins_the_one_that_is_left_stays_as_it_was_written(
    site: Web, browser: FlaskClient, tmp_path: Path
) -> None:
    text = f"""ollama:
  models:
    generator:
      model: "codellama"
      endpoints:
        - {{url: "{A}", auth: {{env: ONE_KEY}}, name: one}}  # the first
        - {{url: "{A}", auth: {{env: OTHER_KEY}}, headers: {{X-Team: blue}}}}  # the second
embedded: off
data_dir: "{tmp_path / "data"}"
"""
    site.config_path.write_text(text)
    site.services.config.reload()
    other = PLAIN | {
        "endpoint": A,
        "key_from": "env",
        "key": "OTHER_KEY",
        "headers": "X-Team: blue",
    }
    assert send(browser, other, strategy="round_robin").status_code == 303
    first, second = text.splitlines()[5:7]
    written = site.config_path.read_text()
    assert first not in written
    assert second in written

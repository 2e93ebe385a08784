"""The settings page's part about generated code: edited in place, and honest about restarts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from test_webui_pages import token
from web_services import Web, web
from werkzeug.test import TestResponse

from core.config import load, parse
from core.config.restart import waiting
from webui import limits

ONE_ROLE = "ollama: {models: {overseer: a}}\n"


def send(site: Web, browser: FlaskClient, **changed: str) -> TestResponse:
    """The whole form as the page has it, but for what is changed; keys with __ for dots."""
    texts = limits.stored(site.services.config.current).texts
    fields = {path.replace(".", "-"): text for path, text in texts.items() if text}
    fields |= {key.replace("__", "-"): text for key, text in changed.items()}
    return browser.post("/settings/limits", data={"csrf": token(browser), **fields})


def test_every_setting_is_there_with_its_unit(site: Web, browser: FlaskClient) -> None:
    page = browser.get("/settings").get_data(as_text=True)
    for one in limits.SETTINGS:
        assert f"<code>{one.path}</code>" in page
    assert "Memory, bytes <code>sandbox.memory_bytes</code>" in page
    assert 'value="536870912"' in page
    assert "Stop and start CodeEvolver" not in page


def test_changes_are_saved_with_comments_and_wait_for_a_restart(
    site: Web, browser: FlaskClient
) -> None:
    before = site.config_path.read_text()
    assert send(site, browser).status_code == 303
    assert site.config_path.read_text() == before  # nothing was changed, so nothing is written
    answer = send(
        site,
        browser,
        sandbox__wall_s="2.5",
        sandbox__packages=" numpy \r\n\r\npandas==2.2.*",
        sandbox__warm="",
        run__input_files_bytes="1000000",
    )
    assert answer.status_code == 303
    saved = load(site.config_path)
    assert saved.sandbox.wall_s == 2.5
    assert saved.sandbox.packages == ("numpy", "pandas==2.2.*")
    assert saved.sandbox.warm is False
    assert saved.run.input_files_bytes == 1_000_000
    text = site.config_path.read_text()
    assert text.startswith("# My models.")
    assert "memory_bytes" not in text  # what has its default stays unwritten
    page = browser.get(answer.location).get_data(as_text=True)
    assert "✓</span> Saved." in page
    assert (
        "Stop and start CodeEvolver to make this hold: "
        "sandbox.wall_s, sandbox.packages, sandbox.warm." in page
    )


@pytest.mark.parametrize(
    ("field", "text", "why"),
    [
        ("sandbox__wall_s", "soon", "Should be a number from 0.1 to 3_600"),
        ("sandbox__files", "0", "is out of range"),
        ("sandbox__files", "1.5", "should be a whole number"),
        ("sandbox__memory_bytes", "512 MiB", "should be a whole number"),
        ("sandbox__packages", "numpy\nhttps://x/y", "this is a URL"),
    ],
)
def test_wrong_values_are_told_at_their_field(
    site: Web, browser: FlaskClient, field: str, text: str, why: str
) -> None:
    before = site.config_path.read_text()
    answer = send(site, browser, **{field: text})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 400
    name = field.replace("__", "-")
    told = re.search(rf'id="{name}-problem" role="alert">(.*?)</p>', page)
    assert told is not None
    assert why.lower() in told[1].lower()
    assert text.split("\n")[-1] in page
    assert site.config_path.read_text() == before


def test_the_shipped_file_keeps_its_comments(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[1] / "config.yaml"
    with web(tmp_path) as site:
        site.config_path.write_text(shipped.read_text())
        site.services.config.reload()
        answer = send(site, site.app.test_client(), sandbox__files="7", sandbox__packages="numpy")
        assert answer.status_code == 303
        saved = load(site.config_path)
        assert (saved.sandbox.files, saved.sandbox.packages) == (7, ("numpy",))
        comments = [line for line in shipped.read_text().splitlines() if "#" in line]
        for line in comments:
            assert line.strip() in site.config_path.read_text()


def test_what_waits_for_a_restart() -> None:
    old = parse(ONE_ROLE, "x")
    assert waiting(old, old) == ()
    new = ONE_ROLE + "server: {port: 1}\nsandbox: {files: 3}\nrun: {parallel_runs: 2, attempts: 1}"
    assert waiting(old, parse(new, "x")) == ("server.port", "sandbox.files", "run.parallel_runs")

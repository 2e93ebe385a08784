"""Pulling, measuring and the details of an endpoint, as a user does it in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_pull import PullingOllama
from playwright.sync_api import Browser, Page, expect
from test_qualify import able
from web_services import served, web

from core.config import load

WAIT_MS = 20_000


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(WAIT_MS)
    expect.set_options(timeout=WAIT_MS)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == []


def test_a_model_is_pulled_measured_and_its_endpoint_given_a_weight(
    tmp_path: Path, page: Page
) -> None:
    with (
        PullingOllama(models=["llama3"], script=able) as server,
        web(tmp_path, base_url=server.url) as site,
        served(site) as url,
    ):
        page.goto(f"{url}/settings")
        card = page.locator("#role-generator")
        card.get_by_role("button", name=re.compile("^Pull codellama at")).click()
        expect(card.locator(".pull")).to_contain_text("2.00 GB of 4.00 GB")
        page.goto("about:blank")  # it goes on without anybody looking
        page.goto(f"{url}/endpoints")
        expect(page.locator("#figures")).to_contain_text("Pulling codellama")
        server.gate.set()
        measure = page.get_by_role("button", name=f"Measure codellama at {server.url}")
        measure.click()
        expect(page.locator("#figures")).to_contain_text("6 of 6, just now")
        page.goto(f"{url}/settings")
        expect(card.locator(".role-status")).to_contain_text("6 of 6")
        card.locator("#generator-more-0 summary").click()
        card.locator("#generator-0-weight").fill("5")
        card.get_by_label("Each call goes").select_option("weighted")
        card.get_by_role("button", name="Save", exact=True).last.click()
        expect(card).to_contain_text("Saved")
        role = load(site.config_path).role("generator")
        assert (role.strategy, role.endpoints[0].weight) == ("weighted", 5)

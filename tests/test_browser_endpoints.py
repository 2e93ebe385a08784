"""Pulling, measuring and the details of an endpoint, as a user does it in a browser."""

from __future__ import annotations

import re
from pathlib import Path

from fake_ollama import FakeOllama, Reply
from fake_pull import PullingOllama
from playwright.sync_api import Page, expect
from test_qualify import able
from web_services import served, web

from core.config import load


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


def test_a_measurement_is_cancelled_and_a_secret_in_the_wrong_field_refused(
    tmp_path: Path, page: Page
) -> None:
    with (
        FakeOllama(script=[Reply(hang="headers")]) as server,
        web(tmp_path, base_url=server.url) as site,
        served(site) as url,
    ):
        page.set_viewport_size({"width": 390, "height": 800})
        page.goto(f"{url}/endpoints")
        page.get_by_role("button", name=f"Measure llama3 at {server.url}").click()
        page.get_by_role("button", name=f"Cancel measuring llama3 at {server.url}").click()
        expect(page.get_by_role("button", name=f"Measure llama3 at {server.url}")).to_be_visible()
        assert server.wait(lambda: server.cancelled or not server.chats)
        page.goto(f"{url}/settings")
        card, before = page.locator("#role-generator"), site.config_path.read_text()
        card.locator("#generator-more-0 summary").click()
        card.get_by_label("Key", exact=True).first.select_option("env")
        card.locator("#generator-0-key").fill("sk-4f1c9secret")
        card.locator("#generator-0-headers").fill("X-Team: blue\nX-Floor")
        card.get_by_role("button", name="Save", exact=True).last.click()
        expect(card.locator("#generator-0-key-problem")).to_contain_text("no name of an")
        expect(card.locator("#generator-0-headers-problem")).to_contain_text("Line 2")
        expect(card.locator("#generator-0-key")).to_have_value("")
        expect(card.locator("#generator-0-headers")).to_have_value("X-Team: blue\nX-Floor")
        assert site.config_path.read_text() == before
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_refused_click_brings_no_second_set_of_scripts(tmp_path: Path, page: Page) -> None:
    with FakeOllama() as server, web(tmp_path, base_url=server.url) as site, served(site) as url:
        page.goto(f"{url}/endpoints")
        page.evaluate(
            """() => {
              window.first = htmx;
              for (const field of document.querySelectorAll("[name=csrf]")) field.value = "old";
            }"""
        )
        page.get_by_role("button", name=re.compile("^Measure ")).first.click()
        expect(page.get_by_role("heading", name="token is missing or old")).to_be_visible()
        assert page.evaluate("document.scripts.length") == 3
        assert page.evaluate("window.first === htmx")

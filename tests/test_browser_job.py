"""The whole main job as a user does it: the served app, a model server, a browser."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import yaml
from fake_ollama import FakeOllama, Reply
from play import BROKEN, GOOD, Play, fenced, write_config
from playwright.sync_api import Page, expect
from test_run_command import started


def ask(page: Page, url: str, goal: str) -> None:
    page.goto(url)
    page.get_by_label("Your goal").fill(goal)
    page.get_by_role("button", name="Start").click()
    expect(page).to_have_url(re.compile("/runs/[0-9a-z]{20}$"))


def test_a_failing_candidate_is_mended_before_the_eyes(
    tmp_path: Path, play: Play, server: FakeOllama, page: Page
) -> None:
    written, mended = threading.Event(), threading.Event()
    play.code = Reply(text=fenced(BROKEN), pause=written, free=4)
    play.escalate = Reply(text=fenced(GOOD), pause=mended, free=4)
    with started(write_config(tmp_path, server)) as (_, url):
        ask(page, url, "add 1 plus 1")
        expect(page.locator("#r-live pre.stream").filter(has_text="Here it is")).to_be_visible()
        expect(page.locator("#r-strategy")).to_contain_text("def add(a, b)")
        # A reload in the middle shows the run where it is, and goes on being live.
        page.reload()
        expect(page.locator("#r-live pre.stream").filter(has_text="Here it is")).to_be_visible()
        written.set()
        expect(page.locator("#attempt-1")).to_contain_text("1/3")
        expect(page.locator("#r-attempts")).to_contain_text("SyntaxError")
        mended.set()
        expect(page.locator("#banner")).to_have_attribute("data-kind", "passed")
        expect(page.locator("#banner")).to_contain_text("Mended on attempt 1")
        expect(page.locator("#attempt-1 ins")).to_have_text(["def add(a, b):"])
        expect(page.locator("#r-tests")).to_contain_text("add(2, 3) == 5")
        expect(page.locator("#r-calls")).to_contain_text("qwen2.5-coder:14b")
        expect(page.locator("#r-opinions")).to_contain_text("9")
        page.goto(url)
        expect(page.get_by_role("link", name=re.compile("add 1 plus 1"))).to_be_visible()


def test_cancel_stops_the_model(tmp_path: Path, play: Play, server: FakeOllama, page: Page) -> None:
    play.code = Reply(text=fenced(GOOD), hang="middle")
    with started(write_config(tmp_path, server)) as (_, url):
        ask(page, url, "add two numbers")
        # The code's own words: cancelled while only the plan is shown, it would never be asked for.
        expect(page.locator("#r-live pre.stream").filter(has_text="Here it is")).to_be_visible()
        page.get_by_role("button", name="Cancel").click()
        assert server.wait(lambda: server.cancelled)
        expect(page.locator("#banner")).to_have_attribute("data-kind", "cancelled")


def test_endpoints_edited_in_the_browser_hold_from_the_next_call(
    tmp_path: Path, play: Play, server: FakeOllama, page: Page
) -> None:
    config = write_config(tmp_path, server)
    config.write_text("# Mine.\n" + config.read_text())
    with FakeOllama(script=play) as other, started(config) as (_, url):
        page.goto(f"{url}/settings")
        card = page.locator("#role-generator")
        card.get_by_role("button", name="Add an endpoint").click()
        second = card.get_by_label("Endpoint 2 of generator")
        second.fill("http://nobody:here")
        card.get_by_role("button", name="Save", exact=True).last.click()
        expect(card.get_by_role("alert")).to_be_visible()
        expect(second).to_have_value("http://nobody:here")
        assert "nobody" not in config.read_text()
        second.fill(other.url)
        card.get_by_role("button", name="Save", exact=True).last.click()
        expect(card.get_by_role("status")).to_contain_text("Saved")
        expect(card.locator(".role-status")).to_contain_text(other.url)
        ask(page, url, "add two numbers")
        expect(page.locator("#banner")).to_have_attribute("data-kind", "passed")
        assert other.chats
    text = config.read_text()
    assert text.startswith("# Mine.")
    saved = yaml.safe_load(text)["ollama"]["models"]["generator"]["endpoints"]
    assert saved == [server.url, other.url]

"""The page in a real browser, over scripted runs: live growth, reload, keyboard, narrow screens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import run_scripts
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    WebSocket,
    expect,
)
from web_services import Web, served, web

import webui
from core import events as ev
from core.embedded import Progress

# What a page must look like whatever moment it is loaded at; clocks and focus are its own.
SHOWN = r"""() => {
  const ours = /^(data-|tabindex$|open$)/;
  const copy = document.querySelector("#run").cloneNode(true);
  for (const node of copy.querySelectorAll("*"))
    for (const {name, value} of [...node.attributes])
      if (ours.test(name) || (name === "class" && !value)) node.removeAttribute(name);
  return copy.innerHTML.replace(/\s+/g, " ").trim();
}"""

# Controls without a name, ids used twice, skipped headings, and text with too little contrast.
FAULTS = r"""() => {
  const faults = [];
  const pen = Object.assign(document.createElement("canvas"), {width: 1, height: 1})
    .getContext("2d", {willReadFrequently: true});
  const paint = (colours) => {
    pen.clearRect(0, 0, 1, 1);
    for (const colour of colours) { pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1); }
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((v) => v / 255)
      .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  for (const node of document.querySelectorAll("main *, header.top *, footer *")) {
    const text = [...node.childNodes].some((c) => c.nodeType === 3 && c.data.trim());
    if (!text || node.closest("[aria-hidden=true], .sr-only, :disabled")) continue;
    if (!node.checkVisibility()) continue;
    const style = getComputedStyle(node);
    const grounds = [];
    for (let at = node; at; at = at.parentElement)
      grounds.unshift(getComputedStyle(at).backgroundColor);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const found = contrast(paint([...grounds, style.color]), paint(grounds));
    if (found < (large ? 3 : 4.5))
      faults.push(`${found.toFixed(2)}: ${node.outerHTML.slice(0, 90)}`);
  }
  for (const field of document.querySelectorAll("input:not([type=hidden]), textarea, select"))
    if (!field.labels.length && !field.ariaLabel) faults.push(`no label: ${field.outerHTML}`);
  for (const one of document.querySelectorAll("button, a, summary"))
    if (!one.ariaLabel && !one.textContent.trim()) faults.push(`no name: ${one.outerHTML}`);
  for (const one of document.querySelectorAll("[aria-describedby]"))
    if (!document.getElementById(one.getAttribute("aria-describedby")))
      faults.push(`describes nothing: ${one.outerHTML}`);
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  faults.push(...ids.filter((id, at) => ids.indexOf(id) !== at).map((id) => `twice: ${id}`));
  if (document.querySelectorAll("h1").length !== 1) faults.push("not one h1");
  return faults;
}"""


pytestmark = pytest.mark.usefixtures("served_site")


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    opened = chromium.new_context(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(20_000)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page on which nothing may be reported: no error, no broken rule, no missing file."""
    opened = context.new_page()
    complaints: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # A form that is refused is no fault of the page.
        if message.type in ("error", "warning") and "400 (BAD REQUEST)" not in message.text:
            complaints.append(message.text)

    opened.on("console", hear)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    assert complaints == []


class Loading:
    """A built-in model that is on its way."""

    done = 100_000_000

    def progress(self) -> tuple[Progress, ...]:
        return (
            Progress(
                phase="fetching",
                model="qwen",
                bytes_done=self.done,
                bytes_total=491_400_064,
                bytes_per_s=5_000_000,
                seconds_left=82,
            ),
        )


def index(payloads: list[ev.Payload], wanted: Callable[[ev.Payload], bool]) -> int:
    return next(number for number, payload in enumerate(payloads) if wanted(payload))


def start(site: Web, page: Page, goal: str = "Parse a duration") -> None:
    site.engine.free = False
    page.goto(site.url)
    page.get_by_label("Your goal").fill(goal)
    page.get_by_role("button", name="Start").click()
    expect(page).to_have_url(re.compile("/runs/[0-9a-z]{20}$"))


def test_a_run_grows_before_the_eyes_and_a_reload_shows_the_same(site: Web, page: Page) -> None:
    payloads = list(run_scripts.passed_run())
    site.engine.script = lambda: payloads
    start(site, page)
    expect(page.locator("#banner h2")).to_have_text("Waiting for its turn …")
    done = 1

    def advance(wanted: Callable[[ev.Payload], bool]) -> None:
        nonlocal done
        target = index(payloads, wanted) + 1
        site.engine.step(target - done)
        done = target
        expect(page.locator("#cursor")).to_have_attribute("value", str(target - 1))

    advance(lambda p: isinstance(p, ev.StrategyWritten))
    expect(page.locator("#r-strategy")).to_contain_text("Find each number")
    advance(lambda p: isinstance(p, ev.TokensArrived) and p.call.startswith("code"))
    expect(page.locator("pre.stream")).to_contain_text("```python")
    short = page.locator("pre.stream").inner_text()
    page.get_by_text("The plan").click()  # folded by hand: it must stay so
    site.engine.step(2)
    done += 2
    expect(page.locator("#cursor")).to_have_attribute("value", str(done - 1))
    assert len(page.locator("pre.stream").inner_text()) > len(short)
    expect(page.locator("#plan-open")).not_to_have_attribute("open", "")
    advance(lambda p: isinstance(p, ev.ExecutionFinished))
    expect(page.locator("#r-attempts")).to_contain_text("KeyError: 's'")
    expect(page.locator("#code .ln").first).to_be_visible()
    advance(lambda p: isinstance(p, ev.TokensArrived) and p.call.startswith("escalate"))
    expect(page.locator("#attempt-1 .try")).to_have_text("1/3")
    live = page.evaluate(SHOWN)
    page.reload()
    expect(page.locator("#banner h2")).to_have_text("Mending the code: attempt 1/3")
    assert page.evaluate(SHOWN) == live
    assert "◐" in page.title()
    site.engine.finish()
    expect(page.locator("#banner h2")).to_have_text("Passed: 4 of 4 cases, 1 of them yours")
    expect(page.locator("#r-announce")).to_contain_text("Passed: 4 of 4 cases")
    expect(page).to_have_title(re.compile("^✓"))
    expect(page.locator("#live")).not_to_have_attribute("hx-ws:connect", re.compile("."))
    live = page.evaluate(SHOWN)
    page.reload()
    assert page.evaluate(SHOWN) == live


def test_the_page_comes_back_after_the_server_did_and_not_after_the_end(
    site: Web, page: Page
) -> None:
    # The page comes back when it likes, so no step here may count on being before or after that.
    sockets: list[WebSocket] = []
    page.on("websocket", lambda opened: sockets.append(opened))
    payloads = list(run_scripts.planned())
    run_scripts.write(site.services.log, "r1", payloads)
    page.goto(f"{site.url}/runs/r1")
    site.services.log.append("r1", ev.StageStarted(stage="tests"))
    expect(page.locator("#banner h2")).to_have_text("Writing tests …")
    with sockets[0].expect_event("close"):
        webui.stop(site.app)
    site.app.extensions["live"].stopping.clear()
    site.services.log.append("r1", ev.StageStarted(stage="code"))
    expect(page.locator("#banner h2")).to_have_text("Writing tests and writing the code …")
    assert len(sockets) > 1
    assert sockets[1].url.endswith(f"after={len(payloads)}")
    with sockets[-1].expect_event("close"):
        site.services.log.append("r1", ev.RunFinished(outcome="failed", reason="Enough."))
    expect(page.locator("#banner h2")).to_have_text("Failed: no case was executed")
    assert page.locator("#live").get_attribute("hx-ws:connect") is None


def test_cancel(site: Web, page: Page) -> None:
    site.engine.script = lambda: list(run_scripts.passed_run())
    start(site, page)
    site.engine.step(20)
    expect(page.locator("pre.stream")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Cancelling …")).to_be_disabled()
    site.engine.step()
    expect(page.locator("#banner h2")).to_contain_text("Cancelled")


def test_by_keyboard_alone(site: Web, page: Page) -> None:
    run_scripts.write(site.services.log, "r1", run_scripts.failed_run())
    page.goto(f"{site.url}/runs/r1")
    focused = "document.activeElement.closest('.region').id"
    visited = []
    for _ in range(9):
        page.keyboard.press("j")
        visited.append(page.evaluate(focused))
    assert visited[:3] == ["r-stages", "r-questions", "r-code"]
    assert visited[-1] == "r-calls"
    page.keyboard.press("k")
    assert page.evaluate(focused) == "r-savings"
    page.keyboard.press("e")
    assert page.evaluate(focused) == "r-attempts"
    packet = page.locator("#attempt-1 details").first
    packet.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(packet.locator("pre")).to_be_visible()
    outline = "getComputedStyle(document.activeElement).outlineWidth"
    assert page.evaluate(outline) == "3px"
    page.goto(site.url)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.get_by_label("Your goal").fill("by keyboard")
    page.keyboard.press("Control+Enter")
    expect(page.locator("h1.goal-text")).to_have_text("by keyboard")
    # While somebody types, letters are letters.
    assert page.evaluate("document.activeElement.tagName") == "BODY"


def test_the_code_can_be_copied(site: Web, context: BrowserContext, page: Page) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    run_scripts.write(site.services.log, "r1", run_scripts.passed_run())
    page.goto(f"{site.url}/runs/r1")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == run_scripts.FIXED_CODE


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_never_scrolls_sideways(site: Web, page: Page, scheme: str) -> None:
    for name, script in run_scripts.RUNS.items():
        run_scripts.write(site.services.log, name, script())
    long = "x" * 300 + "\n" + "word " * 100
    run_scripts.write(site.services.log, "long", [run_scripts.started(long)])
    site.services.log.append(
        "long", ev.PromptWritten(call="c", role="generator", purpose="code", text=long)
    )
    site.services.log.append("long", ev.TokensArrived(call="c", text=long))
    site.services.log.append("long", ev.StrategyWritten(text=long, name=long, signature=long))
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": 360, "height": 740})
    runs = [f"/runs/{name}" for name in (*run_scripts.RUNS, "long")]
    for address in ("/", "/settings", *runs):
        page.goto(site.url + address)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360, (address, width)


@pytest.mark.parametrize("width", [360, 1280])
def test_a_case_is_readable_beside_many_drafts(site: Web, page: Page, width: int) -> None:
    run_scripts.write(site.services.log, "many", run_scripts.drafted())
    first = run_scripts.written(0, run_scripts.FIRST_CODE)
    for number in range(1, 8):
        draft = f"d{number}"
        site.services.log.append("many", replace(first, candidate=draft))
        site.services.log.append("many", run_scripts.executed(draft, {"g-1": "KeyError: 's'"}))
    page.set_viewport_size({"width": width, "height": 740})
    page.goto(f"{site.url}/runs/many")
    expect(page.locator(".matrix thead th")).to_have_count(9)
    case = page.locator(".matrix tbody th").first.bounding_box()
    assert case is not None
    assert case["width"] >= 170
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_has_a_name_and_enough_contrast(site: Web, page: Page, scheme: str) -> None:
    for name, script in run_scripts.RUNS.items():
        run_scripts.write(site.services.log, name, script())
    drafted = list(run_scripts.drafted())
    writing = index(drafted, lambda p: isinstance(p, ev.TokensArrived) and p.call == "code.1.1")
    run_scripts.write(site.services.log, "writing", drafted[: writing + 1])
    run_scripts.write(site.services.log, "waiting", drafted[:1])
    site.services.client.probe()
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    runs = [f"/runs/{name}" for name in (*run_scripts.RUNS, "writing", "waiting")]
    for address in ("/", "/settings", "/settings/status", *runs):
        page.goto(site.url + address)
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        assert page.evaluate(FAULTS) == [], address


def test_a_goal_that_is_too_long_is_refused_whole(site: Web, page: Page) -> None:
    page.goto(site.url)
    goal = "x" * 20_001
    page.get_by_label("Your goal").fill(goal)
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_role("alert")).to_contain_text("20,000")
    expect(page.get_by_label("Your goal")).to_have_value(goal)


def test_the_download_is_told_live_on_a_runs_page(tmp_path: Path, page: Page) -> None:
    loading = Loading()
    with web(tmp_path, builtin=loading) as site, served(site) as url:  # type: ignore[arg-type]
        run_scripts.write(site.services.log, "r1", run_scripts.planned())
        page.goto(f"{url}/runs/r1")
        expect(page.locator("#status")).to_contain_text("100 MB of 491 MB")
        loading.done = 300_000_000
        expect(page.locator("#status")).to_contain_text("300 MB of 491 MB, 5 MB/s, 82 s left")
        site.services.log.append("r1", ev.RunFinished(outcome="failed", reason="Enough."))
        expect(page.locator("#status")).to_be_empty()
        assert page.locator("#status").get_attribute("hx-get") is None


def test_endpoints_are_edited_in_place(site: Web, page: Page) -> None:
    page.goto(f"{site.url}/settings")
    generator, triage = page.locator("#role-generator"), page.locator("#role-triage")
    expect(generator.locator(".role-status")).to_contain_text("does not answer")
    triage.get_by_label("Model").fill("not saved yet")
    generator.get_by_role("button", name="Add an endpoint").click()
    third = generator.get_by_label("Endpoint 3 of generator")
    third.fill("ftp://wrong")
    generator.get_by_role("button", name="Save").last.click()
    expect(generator.locator("#generator-problem-2")).to_contain_text("neither http:// nor")
    expect(third).to_have_value("ftp://wrong")
    expect(triage.get_by_label("Model")).to_have_value("not saved yet")
    third.fill("http://127.0.0.1:11")
    generator.get_by_role("button", name="Move endpoint 3 up").click()
    expect(generator.get_by_label("Endpoint 2 of generator")).to_have_value("http://127.0.0.1:11")
    generator.get_by_role("button", name="Save").last.click()
    expect(generator.get_by_role("status")).to_contain_text("Saved")
    urls = [one.url for one in site.services.config.current.role("generator").endpoints]
    assert urls == ["http://127.0.0.1:9", "http://127.0.0.1:11", "http://127.0.0.1:10"]
    expect(triage.get_by_label("Model")).to_have_value("not saved yet")


def test_without_javascript_everything_still_works(site: Web, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    site.engine.script = lambda: list(run_scripts.passed_run())
    page.goto(site.url)
    page.get_by_role("link", name="Hex colours").click()
    expect(page.get_by_label("Your goal")).to_have_value(re.compile("^Turn a hex colour"))
    page.get_by_role("button", name="Start").click()
    expect(page.locator("h1.goal-text")).to_contain_text("Turn a hex colour")
    site.engine.finish()
    page.reload()
    expect(page.locator("#banner h2")).to_contain_text("Passed")
    page.goto(f"{site.url}/settings")
    generator = page.locator("#role-generator")
    generator.get_by_role("button", name="Remove endpoint 2").click()
    generator.get_by_role("button", name="Save").last.click()
    expect(generator.get_by_role("status")).to_contain_text("Saved")
    assert len(site.services.config.current.role("generator").endpoints) == 1
    context.close()

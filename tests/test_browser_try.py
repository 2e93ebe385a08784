"""Files and the panel "Try it" in a real browser, with and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import run_scripts
from playwright.sync_api import Browser, BrowserContext, FilePayload, Page, expect
from test_browser_page import FAULTS
from test_tryout import PROGRAM, written
from web_services import Web

from core import events as ev

SMALL: FilePayload = {"name": "b.txt", "mimeType": "text/plain", "buffer": b"B"}


pytestmark = pytest.mark.usefixtures("served_site")


def open_page(chromium: Browser, **options: object) -> tuple[BrowserContext, Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, **options)  # type: ignore[arg-type]
    expect.set_options(timeout=20_000)
    return context, context.new_page()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context, opened = open_page(chromium)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == []


def try_program(page: Page) -> None:
    if not page.locator("#try-arguments").is_visible():
        page.get_by_text("Arguments, input, files").click()
    page.get_by_label("Arguments").fill("-v 'a b'")
    page.get_by_label("Standard input").fill("hello\n")
    page.locator("#try-files").set_input_files([SMALL])
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".try-result")).to_contain_text("exit code 3")
    expect(page.locator("#try-stdout")).to_contain_text("['-v', 'a b'] HELLO")
    expect(page.locator("#try-stdout")).to_contain_text("b.txt B")
    expect(page.locator(".try-result .refused")).to_contain_text("secret: a symbolic link")


def test_a_result_comes_into_the_page_and_its_files_can_be_saved(site: Web, page: Page) -> None:
    page.goto(f"{site.url}/runs/{written(site, PROGRAM)}")
    page.evaluate("window.sameDocument = true")
    try_program(page)
    assert page.evaluate("window.sameDocument")
    expect(page.get_by_label("Arguments")).to_have_value("-v 'a b'")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="out.csv").click()
    assert waiting.value.suggested_filename == "out.csv"
    assert waiting.value.path().read_bytes() == b"a,b\n"
    assert page.evaluate(FAULTS) == []


def test_it_works_without_javascript(site: Web, chromium: Browser) -> None:
    context, page = open_page(chromium, java_script_enabled=False)
    run_id = written(site, PROGRAM)
    page.goto(f"{site.url}/runs/{run_id}")
    try_program(page)
    expect(page).to_have_url(f"{site.url}/runs/{run_id}#tryout")
    context.close()


def test_what_is_typed_stays_while_the_run_goes_on(site: Web, page: Page) -> None:
    log = site.services.log
    run_id = written(site, PROGRAM)
    page.goto(f"{site.url}/runs/{run_id}")
    page.get_by_label("Print the value of").fill("main([], '')")
    log.append(run_id, ev.TestsWritten(cases=run_scripts.CASES))
    log.append(run_id, run_scripts.executed("c0", {}))
    expect(page.locator("#r-code .lineage .passed")).to_be_visible()
    expect(page.get_by_label("Print the value of")).to_have_value("main([], '')")
    # A new version of the code takes the panel's place in mind, not what was typed.
    mended = ev.CandidateWritten(
        candidate="c1", attempt=1, code="print('mended')\n", model="m", endpoint="http://e"
    )
    log.append(run_id, mended)
    expect(page.locator("#tryout .facts").first).to_contain_text("Attempt 1")
    expect(page.get_by_label("Print the value of")).to_have_value("main([], '')")
    page.get_by_label("Print the value of").fill("")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator("#try-stdout")).to_have_text("mended\n")


def test_a_goal_with_a_file(site: Web, page: Page) -> None:
    page.goto(site.url)
    page.get_by_label("Your goal").fill("count the lines of b.txt")
    chooser = page.get_by_label("Files for the code to read")
    too_much: FilePayload = {**SMALL, "buffer": b"x" * (5 * 1024 * 1024)}
    chooser.set_input_files([too_much])
    page.get_by_role("button", name="Start").click()
    fault = chooser.evaluate("field => field.validationMessage")
    assert fault == "Together these are 5.0 MiB; at most 4.0 MiB can be sent."
    assert site.services.log.history() == ()
    chooser.set_input_files([SMALL])
    page.get_by_role("button", name="Start").click()
    expect(page).to_have_url(re.compile("/runs/[0-9a-z]{20}$"))
    expect(page.get_by_label("Files that came with the goal")).to_contain_text("b.txt 1 bytes")
    assert page.evaluate(FAULTS) == []


def test_far_too_much_ends_in_words_and_no_broken_connection(
    site: Web, chromium: Browser, tmp_path: Path
) -> None:
    context, page = open_page(chromium, java_script_enabled=False)
    page.goto(site.url)
    page.get_by_label("Your goal").fill("x")
    huge = tmp_path / "huge"
    huge.write_bytes(b"x" * (30 * 1024 * 1024))
    page.get_by_label("Files for the code to read").set_input_files(huge)
    page.get_by_role("button", name="Start").click()
    expect(page.locator("h1")).to_contain_text("At most 17 MiB can be sent at once")
    context.close()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_can_be_read_at_any_width(
    site: Web, chromium: Browser, width: int, scheme: str
) -> None:
    context, page = open_page(chromium, color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    run_id = written(site, PROGRAM)
    page.goto(f"{site.url}/runs/{run_id}")
    try_program(page)
    for path in (f"/runs/{run_id}", f"/?again={run_id}", "/settings"):
        page.goto(site.url + path)
        assert page.evaluate(FAULTS) == []
        wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        assert page.evaluate(wide), path
    context.close()

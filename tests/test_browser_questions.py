"""Questions about a run's tests in real browsers: two at once, live, by key, without script."""

from __future__ import annotations

from collections.abc import Iterator

import asked_runs
import pytest
from playwright.sync_api import Browser, Page, expect
from test_browser_page import FAULTS
from test_browser_try import open_page
from web_services import Web

from core import events as ev

FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"


pytestmark = pytest.mark.usefixtures("served_site")


@pytest.fixture
def pages(chromium: Browser) -> Iterator[tuple[Page, Page]]:
    """Two browsers; no script of ours may fail in them."""
    errors: list[str] = []
    opened = [open_page(chromium) for _ in range(2)]
    for _, page in opened:
        page.on("pageerror", lambda error: errors.append(str(error)))
    yield opened[0][1], opened[1][1]
    for context, _ in opened:
        context.close()
    assert errors == []


def test_an_answer_after_the_end_is_seen_in_every_browser(
    site: Web, pages: tuple[Page, Page]
) -> None:
    one, other = pages
    run_id = asked_runs.write(site.services.log, asked_runs.ended())
    for page in pages:
        page.goto(f"{site.url}/runs/{run_id}")
        page.evaluate("window.sameDocument = true")
    expect(one.locator("#ask-g2")).to_contain_text("2 candidates say 0")
    # What somebody else is typing stays while the answer comes in.
    other.locator("#edit-g2 summary").click()
    other.locator("#source-g2").fill("my own")
    one.locator("#edit-g2 summary").click()
    one.locator("#source-g2").fill("assert True")
    one.get_by_role("button", name="Use this").click()
    expect(one.locator("#problem-g2")).to_contain_text("never reaches total")
    expect(one.locator("#source-g2")).to_have_value("assert True")
    one.locator("#source-g2").fill("0")
    one.get_by_role("button", name="Use this").click()
    expect(one.locator("#banner")).to_contain_text("1 is your own now")
    expect(one.locator("#r-code .facts").first).to_contain_text("First draft")
    expect(other.locator("#banner")).to_contain_text("1 is your own now")
    expect(other.locator("#r-tests")).to_contain_text("rejected by you")
    for page in pages:
        assert page.evaluate("window.sameDocument")
        assert page.evaluate(FAULTS) == []


def test_what_is_typed_stays_while_another_case_is_answered(
    site: Web, pages: tuple[Page, Page]
) -> None:
    one, other = pages
    run_id = asked_runs.write(site.services.log, asked_runs.ended())
    other.goto(f"{site.url}/runs/{run_id}")
    other.locator("#edit-g2 summary").click()
    other.locator("#source-g2").fill("my own")
    site.services.answers.give(run_id, "g1", "yes")
    expect(other.locator("#banner")).to_contain_text("1 case is confirmed")
    expect(other.locator("#source-g2")).to_have_value("my own")
    expect(other.locator("#source-g2")).to_be_visible()


def test_an_answer_during_the_run_is_seen_in_every_browser(
    site: Web, pages: tuple[Page, Page]
) -> None:
    one, other = pages
    log = site.services.log
    run_id = asked_runs.write(log, asked_runs.under_way(wait=True))
    for page in pages:
        page.goto(f"{site.url}/runs/{run_id}")
    expect(one.locator("#go-on")).to_have_count(0)
    log.append(run_id, ev.AnswersAwaited(limit_s=600))
    expect(one.locator("#banner h2")).to_have_text("Waiting for your answers …")
    # By keyboard alone.
    one.locator("#no-g2").focus()
    one.keyboard.press("Enter")
    for page in pages:
        expect(page.locator("#answers-given")).to_contain_text("is wrong")
        expect(page.locator("#r-tests .out")).to_contain_text("total([]) is None")
    expect(one.locator("#questions")).to_be_focused()
    # Who comes second with another answer is told.
    expect(other.locator("#ask-g2")).to_have_count(0)
    other.locator("#go-on").click()
    expect(other.locator("#banner h2")).not_to_have_text("Waiting for your answers …")
    expect(one.locator("#go-on")).to_have_count(0)


def test_an_answer_can_be_changed(site: Web, pages: tuple[Page, Page]) -> None:
    page = pages[0]
    run_id = asked_runs.write(site.services.log, asked_runs.ended())
    page.goto(f"{site.url}/runs/{run_id}")
    page.get_by_role("button", name="Yes, assert total([]) is None is right").click()
    expect(page.locator("#banner")).to_contain_text("1 case is confirmed")
    page.get_by_text("Change this answer").click()
    page.get_by_role("button", name="No, assert total([]) is None is wrong").click()
    expect(page.locator("#banner")).to_contain_text("1 case is rejected")


def test_it_works_without_javascript(site: Web, chromium: Browser) -> None:
    context, page = open_page(chromium, java_script_enabled=False)
    run_id = asked_runs.write(site.services.log, asked_runs.ended())
    page.goto(f"{site.url}/runs/{run_id}")
    page.locator("#edit-g2 summary").click()
    page.locator("#source-g2").fill("x =")
    page.get_by_role("button", name="Use this").click()
    expect(page.locator("#problem-g2")).to_contain_text("Python can't read this")
    expect(page.locator("#source-g2")).to_have_value("x =")
    page.get_by_role("button", name="No, assert").click()
    expect(page).to_have_url(f"{site.url}/runs/{run_id}#questions")
    expect(page.locator("#banner")).to_contain_text("1 case is rejected")
    context.close()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_at_any_width(site: Web, chromium: Browser, width: int, scheme: str) -> None:
    context, page = open_page(chromium, color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 800})
    log = site.services.log
    waiting = asked_runs.write(log, asked_runs.under_way(wait=True), "r1")
    log.append(waiting, ev.AnswersAwaited(limit_s=600))
    answered = asked_runs.write(log, asked_runs.ended(), "r2")
    site.services.answers.give(answered, "g2", "edit", source="0")
    for path in ("/", f"/runs/{waiting}", f"/runs/{answered}"):
        page.goto(site.url + path)
        for summary in page.locator("#questions summary").all():
            if summary.is_visible():
                summary.click()
        assert page.evaluate(FAULTS) == [], path
        assert page.evaluate(FITS), path
    context.close()


def test_a_test_of_your_own_turns_an_unconfirmed_run_green(
    site: Web, pages: tuple[Page, Page]
) -> None:
    one, other = pages
    run_id = asked_runs.write(site.services.log, asked_runs.ended_alone(outcome="unconfirmed"))
    for page in pages:
        page.goto(f"{site.url}/runs/{run_id}")
    field, typed = one.locator("#new-test"), other.locator("#new-test")
    field.fill("total([5])")
    one.get_by_role("button", name="Add it").click()
    expect(one.locator("#problem-new-test")).to_be_visible()
    expect(field).to_have_value("total([5])")
    # What somebody else types stays while another's answer comes in.
    typed.fill("total([7]) == 7")
    site.services.answers.give(run_id, "g1", "no")
    expect(other.locator("#banner")).to_contain_text("1 case is rejected")
    expect(typed).to_have_value("total([7]) == 7")
    field.fill("total([5]) == 5")
    one.get_by_role("button", name="Add it").click()
    for page in pages:
        expect(page.locator("#banner")).to_have_attribute("data-kind", "passed")
        expect(page.locator("#answers-given")).to_contain_text("assert total([5]) == 5 is added")
    expect(field).to_have_value("")
    expect(typed).to_have_value("total([7]) == 7")
    one.get_by_role("button", name="Take it back: assert total([5]) == 5").click()
    expect(one.locator("#banner")).to_have_attribute("data-kind", "unconfirmed")
    assert one.evaluate(FITS)
    assert one.evaluate(FAULTS) == []

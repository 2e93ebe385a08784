"""Fixtures that several test files share."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import asked_runs
import pytest
from fake_ollama import FakeOllama
from flask.testing import FlaskClient
from play import Play, shared_sandbox
from playwright.sync_api import Browser, Page, expect, sync_playwright
from web_services import Web, served, web

from core.sandbox import Sandbox
from core.services import Services

CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS = 20_000
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def play() -> Play:
    """What the model server answers; a test changes its fields."""
    return Play()


@pytest.fixture
def server(play: Play) -> Iterator[FakeOllama]:
    """A model server that answers by the play."""
    with FakeOllama(script=play) as fake:
        yield fake


@pytest.fixture(scope="session")
def sandbox() -> Sandbox:
    """With the limits that are built in; where others matter a test file has its own."""
    return shared_sandbox()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A browser: $CHROMIUM, one that is installed, or else Playwright's own."""
    found = os.environ.get("CHROMIUM") or next(
        filter(None, map(shutil.which, CHROMIUM_NAMES)), None
    )
    if found is not None and not Path(found).exists():
        pytest.fail(f"$CHROMIUM is {found}, which is not there.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def _outside_of_playwright(request: pytest.FixtureRequest) -> Iterator[None]:
    """Once a browser was used, its event loop counts as running in this thread also between the
    calls, and DBOS refuses to open beside one: a test without a browser is spared that."""
    loop = asyncio._get_running_loop()
    if loop is None or "chromium" in request.fixturenames:
        yield
        return
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A page on which no script may fail."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(WAIT_MS)
    expect.set_options(timeout=WAIT_MS)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == []


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Web]:
    """The app over services of its own; with `served_site` also on a server."""
    with web(tmp_path) as opened:
        yield opened


@pytest.fixture
def opened(site: Web) -> Services:
    """The services of the web app."""
    return site.services


@pytest.fixture
def run_id(opened: Services) -> str:
    """A run that passed by code which is as wrong as the case g2."""
    return asked_runs.write(opened.log, asked_runs.ended())


@pytest.fixture
def served_site(site: Web) -> Iterator[None]:
    """The same app on a real server, at `site.url`."""
    with served(site):
        yield


@pytest.fixture
def browser(site: Web) -> FlaskClient:
    """Requests to the app without a server."""
    return site.app.test_client()

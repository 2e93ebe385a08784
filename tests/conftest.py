"""Fixtures that several test files share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_ollama import FakeOllama
from play import Play
from playwright.sync_api import Browser, sync_playwright

CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
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

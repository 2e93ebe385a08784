"""Make docs/run.png, the README's picture, from a scripted run: `.venv/bin/python docs/picture.py`.

The run is the one that the browser tests play: a first draft that fails a case, mended on the first
of three attempts.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import run_scripts  # noqa: E402
from conftest import CHROMIUM_ARGS  # noqa: E402
from web_services import served, web  # noqa: E402

from core import events as ev  # noqa: E402
from core.log import EventLog  # noqa: E402

RUN_ID = "8f3k2m9q7x1v5c4n0b6z"
WIDTH, MARGIN = 1280, 16


class Clock:
    """Goes on by what each stage took, as if the run had been a real one."""

    def __init__(self) -> None:
        self.now = time.mktime((2026, 3, 14, 15, 9, 26, 0, 0, -1))

    def __call__(self) -> float:
        return self.now


def payloads() -> Iterator[ev.Payload]:
    """The run's events, worded as the engine words them."""
    for payload in run_scripts.passed_run():
        if isinstance(payload, ev.TestsWritten):
            yield replace(payload, cases=tuple(replace(c, disputed=False) for c in payload.cases))
        elif isinstance(payload, ev.RunFinished):
            reason = "Passes all 4 cases: 1 of your own, 3 generated. Mended on attempt 1."
            yield replace(payload, reason=reason)
        else:
            yield payload


def write(path: Path) -> None:
    """The run into the log at `path`."""
    clock = Clock()
    log = EventLog(path, now=clock)
    try:
        for number, payload in enumerate(payloads()):
            if isinstance(payload, ev.StageFinished):
                clock.now += payload.seconds
            if number:
                log.append(RUN_ID, payload)
            elif isinstance(payload, ev.RunStarted):
                log.create(RUN_ID, payload)
    finally:
        log.close()


def main() -> None:
    """Serve it, look at it, and keep the part above the table of calls."""
    found = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with tempfile.TemporaryDirectory() as folder, web(Path(folder)) as site, served(site) as url:
        write(site.services.log.path)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM_ARGS)
            page = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
            page.goto(f"{url}/runs/{RUN_ID}")
            bottom = page.evaluate(
                "document.querySelector('.columns').getBoundingClientRect().bottom"
            )
            clip = {"x": 0, "y": 0, "width": WIDTH, "height": bottom + MARGIN}
            page.screenshot(path=ROOT / "docs" / "run.png", full_page=True, clip=clip)
            browser.close()


if __name__ == "__main__":
    main()

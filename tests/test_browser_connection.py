"""A page whose scripts come late, or whose connection dies without a word, as behind a router."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

import pytest
import run_scripts
from playwright.sync_api import Browser, Page, Route, expect
from web_services import Web

from core import events as ev

CHUNK = 65536


pytestmark = pytest.mark.usefixtures("served_site")


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    yield context.new_page()
    context.close()


class Relay:
    """Passes everything on, but of the first websocket what the server says ends in nothing.

    `keeps`: how much of the server's it still passes on: the handshake's answer first, then frames.
    """

    def __init__(self, url: str, keeps: int) -> None:
        self._target = int(url.rpartition(":")[2])
        self._keeps = keeps
        self.websockets = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open = [self._listening]
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                page, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._open += [page, server]
                threading.Thread(target=self._serve, args=(page, server), daemon=True).start()

    def _serve(self, page: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            request = page.recv(CHUNK)
            server.sendall(request)
            threading.Thread(target=_pump, args=(page, server), daemon=True).start()
            self.websockets += b"Upgrade: websocket" in request
            if b"Upgrade: websocket" in request and self.websockets == 1:
                with server.makefile("rb") as said:
                    for number, piece in enumerate(_pieces(said)):
                        if number < self._keeps:
                            page.sendall(piece)
            else:
                _pump(server, page)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(CHUNK):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


def _pieces(said: BinaryIO) -> Iterator[bytes]:
    """The handshake's answer and each frame, however the network has cut and joined them."""
    head = b""
    while (line := said.readline()).strip():
        head += line
    yield head + line
    while start := said.read(2):
        size = start[1] & 127
        length = said.read({126: 2, 127: 8}.get(size, 0))
        yield start + length + said.read(int.from_bytes(length, "big") if length else size)


@contextmanager
def relayed(site: Web, keeps: int) -> Iterator[Relay]:
    relay = Relay(site.url, keeps)
    try:
        yield relay
    finally:
        relay.close()


@pytest.mark.parametrize(
    ("keeps", "patience_s"),
    [
        pytest.param(0, 12, id="before the handshake"),
        pytest.param(1, 12, id="before the first frame"),
        pytest.param(2, 25, id="after a frame"),
    ],
)
def test_a_connection_that_died_without_an_end_is_made_anew(
    site: Web, page: Page, keeps: int, patience_s: int
) -> None:
    log = site.services.log
    run_scripts.write(log, "r1", list(run_scripts.planned()))
    page.clock.install()
    with relayed(site, keeps) as relay:
        page.goto(f"{relay.url}/runs/r1")
        expect(page.locator("#r-strategy")).to_contain_text("Find each number")
        page.wait_for_timeout(1000)  # nothing comes that could be waited for
        log.append("r1", ev.StageStarted(stage="tests"))
        page.clock.run_for(1000 * (patience_s - 6))
        assert relay.websockets == 1
        page.clock.run_for(8000)
        expect(page.locator("#banner h2")).to_have_text("Writing tests …")
        assert relay.websockets == 2


@pytest.mark.parametrize("late", ["htmx-4", "hx-ws"])
def test_a_page_whose_scripts_come_late_is_live(site: Web, page: Page, late: str) -> None:
    def wait(route: Route) -> None:
        time.sleep(0.5)  # the fault was a step too early, for which nothing can be waited
        route.continue_()

    log = site.services.log
    run_scripts.write(log, "r1", list(run_scripts.planned()))
    page.route(f"**/{late}*", wait)
    page.goto(f"{site.url}/runs/r1")
    log.append("r1", ev.StageStarted(stage="tests"))
    expect(page.locator("#banner h2")).to_have_text("Writing tests …")

"""The websocket on a real server: snapshot, tail, reconnects, refusals, the end."""

from __future__ import annotations

import re
import threading

import pytest
import requests
import run_scripts
import websocket
from web_services import Web

import webui
from core import events as ev
from webui import live

PARTIAL = re.compile(r'<hx-partial hx-target="#([\w-]+)" hx-swap="(\w+)">(.*?)</hx-partial>', re.S)
REGION = re.compile(r'(<section class="region[^"]*" id="r-(\w+)"[^>]*>)(.*?)(</section>)', re.S)


pytestmark = pytest.mark.usefixtures("served_site")


def connect(site: Web, run_id: str, after: object = -1, **options: object) -> websocket.WebSocket:
    address = f"{site.url.replace('http', 'ws')}/runs/{run_id}/live?after={after}"
    options.setdefault("origin", site.url)
    return websocket.create_connection(address, timeout=10, **options)


class Page:
    """What a browser's page shows: the regions of #run, by the frames taken in so far."""

    def __init__(self) -> None:
        self.regions: dict[str, str] = {}
        self.connected = True

    def take(self, frame: str) -> None:
        for target, swap, inside in PARTIAL.findall(frame):
            if target == "run":
                self.regions = regions(inside)
            elif target == "live":
                assert swap == "outerHTML"
                assert "hx-ws:connect" not in inside
                self.connected = False
            else:
                self.regions[target.removeprefix("r-")] = inside.strip()

    def follow(self, socket: websocket.WebSocket) -> int:
        """Take in frames to the end; their number."""
        frames = 0
        while self.connected:
            self.take(socket.recv())
            frames += 1
        return frames

    @property
    def cursor(self) -> int:
        found = re.search(r'value="(\d+)"', self.regions["cursor"])
        assert found is not None
        return int(found[1])


def regions(html: str) -> dict[str, str]:
    return {name: inside.strip() for _, name, inside, _ in REGION.findall(html)}


def got(site: Web, run_id: str) -> dict[str, str]:
    return regions(requests.get(f"{site.url}/runs/{run_id}", timeout=10).text)


def test_snapshot_then_tail_ends_as_the_page(site: Web) -> None:
    payloads = list(run_scripts.passed_run())
    log = site.services.log
    run_scripts.write(log, "r1", payloads[:5])
    socket = connect(site, "r1")
    page = Page()
    page.take(socket.recv())
    assert page.regions == got(site, "r1")
    assert page.cursor == 4
    for payload in payloads[5:25]:
        log.append("r1", payload)
    while page.cursor < 24:
        page.take(socket.recv())
    assert page.regions == got(site, "r1")
    for payload in payloads[25:]:
        log.append("r1", payload)
    frames = page.follow(socket)
    socket.close()
    assert page.regions == got(site, "r1")
    # What came while a frame was being taken went into one.
    assert frames < len(payloads) - 25


@pytest.mark.parametrize("after", [-1, 0, 7, 30, 5000])
def test_a_reconnect_at_any_place_ends_in_the_same_page(site: Web, after: int) -> None:
    payloads = list(run_scripts.failed_run())
    run_scripts.write(site.services.log, "r1", payloads[:-20])
    socket = connect(site, "r1", after)
    page = Page()
    page.take(socket.recv())
    socket.close()
    for payload in payloads[-20:]:
        site.services.log.append("r1", payload)
    socket = connect(site, "r1", page.cursor)
    page.follow(socket)
    socket.close()
    assert page.regions == got(site, "r1")


def test_a_finished_run_gets_its_last_frame_at_once(site: Web) -> None:
    run_scripts.write(site.services.log, "r1", run_scripts.cancelled_run())
    socket = connect(site, "r1")
    page = Page()
    assert page.follow(socket) == 2
    socket.close()
    assert "Cancelled" in page.regions["head"]


def test_a_token_sends_the_growing_text_and_no_other_part(site: Web) -> None:
    run_scripts.write(site.services.log, "r1", run_scripts.drafted())
    log = site.services.log
    log.append("r1", ev.PromptWritten(call="x", role="generator", purpose="code", text="p"))
    socket = connect(site, "r1")
    socket.recv()
    log.append("r1", ev.TokensArrived(call="x", text="def f(): <b>"))
    frame = socket.recv()
    socket.close()
    assert [target for target, _, _ in PARTIAL.findall(frame)] == ["r-cursor", "r-live"]
    assert "def f(): &lt;b&gt;" in frame


def test_a_run_in_which_nothing_happens_still_says_that_it_is_there(
    site: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_S", 0.1)
    run_scripts.write(site.services.log, "r1", run_scripts.drafted())
    socket = connect(site, "r1")
    page = Page()
    page.take(socket.recv())
    before = dict(page.regions)
    for _ in range(2):
        frame = socket.recv()
        assert [target for target, _, _ in PARTIAL.findall(frame)] == ["r-cursor"]
        page.take(frame)
    socket.close()
    assert page.regions == before


@pytest.mark.parametrize(
    ("run_id", "after", "origin", "status"),
    [
        ("r1", "-1", "http://evil.example", 403),
        ("r1", "-1", "null", 403),
        ("r1", "-1", "http://[bad", 403),
        ("r1", "x", None, 400),
        ("r1", "1_0", None, 400),
        ("nope", "-1", None, 404),
    ],
)
def test_useless_sockets_are_refused_before_the_upgrade(
    site: Web, run_id: str, after: str, origin: str | None, status: int
) -> None:
    run_scripts.write(site.services.log, "r1", run_scripts.planned())
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        connect(site, run_id, after, origin=origin or site.url)
    assert refused.value.status_code == status


def test_sockets_take_half_of_the_threads_and_give_their_place_back(site: Web) -> None:
    run_scripts.write(site.services.log, "r1", run_scripts.planned())
    sockets = [connect(site, "r1") for _ in range(4)]
    for socket in sockets:
        assert "<hx-partial" in socket.recv()
    extra = connect(site, "r1")
    assert closing_code(extra) == 1013
    sockets[0].close()
    again = first_frame(site)
    assert "<hx-partial" in again
    for socket in sockets[1:]:
        socket.shutdown()


def first_frame(site: Web) -> str:
    """The first frame of a socket; the server needs a moment to see that another has left."""
    for _ in range(50):
        socket = connect(site, "r1")
        frame = socket.recv_frame()
        socket.shutdown()
        if frame.opcode == websocket.ABNF.OPCODE_TEXT:
            return str(frame.data.decode())
        threading.Event().wait(0.1)
    raise AssertionError("no place became free")


def closing_code(socket: websocket.WebSocket) -> int:
    while True:
        frame = socket.recv_frame()
        if frame.opcode == websocket.ABNF.OPCODE_CLOSE:
            socket.shutdown()
            return int.from_bytes(frame.data[:2], "big")


def test_a_stop_closes_open_pages_so_that_they_come_back(site: Web) -> None:
    run_scripts.write(site.services.log, "r1", run_scripts.planned())
    socket = connect(site, "r1")
    socket.recv()
    webui.stop(site.app)
    assert closing_code(socket) == 1012

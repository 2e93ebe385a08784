"""The websocket: a snapshot of the run, then what changes, until it ends.

One writer per socket; what happened while a slow client took its last frame goes into the next.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, request
from flask_sock import Sock

from core.errors import BadInput
from core.log import EventLog
from core.state import Phase, RunState, fold
from webui import render

FRAME_GAP_S = 0.1
WATCH_S = 1.0
FAREWELL_S = 5.0
HEARTBEAT_S = 10.0  # static/run.js connects again after two and a half without a frame
GOING_AWAY, TRY_LATER = 1012, 1013


@dataclass(frozen=True, slots=True)
class Live:
    """The connections that last: how many there may be, and the flag that ends them."""

    slots: threading.BoundedSemaphore
    stopping: threading.Event = field(default_factory=threading.Event)


def parse_after(text: str | None) -> int:
    """The cursor: the last event that the client has, -1 for none; BadInput for anything else."""
    if text is None:
        return -1
    if re.fullmatch("-1|[0-9]{1,11}", text) is None:
        raise BadInput("after", "`after` must be the number of an event, or -1 for all of them.")
    return int(text)


def register(
    app: Flask, log: EventLog, live: Live, look: Callable[[RunState], None] = lambda _: None
) -> None:
    """Add the route; a request that can't become a useful socket is refused before the upgrade.

    `look` is told of a run that is about to be shown, and of one that has just ended.
    """
    app.config["SOCK_SERVER_OPTIONS"] = {"ping_interval": 25, "max_message_size": 65536}
    sock = Sock(app)

    @sock.route("/runs/<run_id>/live", endpoint="live")  # type: ignore[untyped-decorator]
    def follow(ws: Any, run_id: str) -> None:
        if not live.slots.acquire(blocking=False):
            ws.close(TRY_LATER, "too many open pages")
            return
        try:
            _follow(ws, log, run_id, live.stopping, look)
        finally:
            live.slots.release()

    @app.before_request
    def refuse_early() -> None:
        if request.endpoint == "live":
            parse_after(request.args.get("after"))
            log.check((request.view_args or {})["run_id"])


def _follow(
    ws: Any,
    log: EventLog,
    run_id: str,
    stopping: threading.Event,
    look: Callable[[RunState], None],
) -> None:
    # `after` says what the page has, and a wrong one is refused like anywhere else, but the first
    # frame is the whole run all the same: it costs one fold, and its morph leaves what is equal
    # alone, so a page that missed or mixed up frames (sleep, a restart) is right again.
    state = fold(log.since(run_id))
    ws.send(render.snapshot_frame(state))
    sent_at = time.monotonic()
    look(state)
    while state.phase is not Phase.FINISHED:
        events = log.wait(run_id, state.seq, WATCH_S)
        if stopping.is_set():
            ws.close(GOING_AWAY, "restarting")
            return
        while ws.receive(timeout=0) is not None:
            pass  # nothing is expected from a page; don't let it pile up
        if events:
            before, state = state, fold(events, state)
            ws.send(render.change_frame(before, state))
            sent_at = time.monotonic()
            stopping.wait(FRAME_GAP_S)
        elif time.monotonic() - sent_at > HEARTBEAT_S:
            # The protocol's own pings can't be seen by a script.
            ws.send(render.heartbeat_frame(state))
            sent_at = time.monotonic()
    look(state)
    ws.send(render.farewell_frame())
    # The page takes its connecting element away and closes. Closing first would race with that
    # frame, and a page that has not taken it in yet would connect again.
    ws.receive(timeout=FAREWELL_S)

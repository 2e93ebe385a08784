"""A run as HTML: the page and the websocket's frames are made by the same macros.

The page is a list of regions, each with one id and one macro. `DEPENDS` says which part of the
state a region shows, so a frame carries only the regions whose part has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from flask import get_template_attribute
from markupsafe import Markup

from core.savings import of_run
from core.state import CallState, Phase, RunState
from core.tryout import chosen

TEMPLATE = "_run.html"


def _quiet(calls: tuple[CallState, ...]) -> tuple[CallState, ...]:
    """The calls without the text that grows with each token."""
    return tuple(replace(call, text="") for call in calls)


DEPENDS: Mapping[str, Callable[[RunState], object]] = {
    "cursor": lambda s: s.seq,
    "announce": lambda s: (
        (s.stages, s.escalations, s.finished, s.phase, s.packages_awaited),
        (s.waiting, s.answers, s.weighed),
    ),
    "head": lambda s: (
        (s.stages, s.escalations, s.finished, s.phase, s.resumed, s.cases),
        (s.packages, s.packages_awaited, s.waiting, s.answers, s.weighed),
    ),
    "questions": lambda s: (
        (s.answers, s.weighed, s.waiting, s.cases, s.candidates),
        (s.finished, s.phase),
    ),
    "stages": lambda s: (s.stages, s.phase),
    "live": lambda s: tuple(call for call in s.calls if call.status == "running"),
    "code": lambda s: (s.candidates, s.finished),
    "tryout": lambda s: (c := chosen(s)) and (c.candidate, c.code),
    "attempts": lambda s: (
        s.escalations,
        s.candidates,
        s.escalation_ended,
        _quiet(tuple(call for call in s.calls if call.role == "escalation")),
    ),
    "strategy": lambda s: (s.strategy, s.signature, s.tools, s.tools_why, s.phase, s.packages),
    "tests": lambda s: (s.cases, s.candidates, s.finished, s.phase),
    "opinions": lambda s: (s.triage, s.score, s.skill, s.withdrawn),
    "calls": lambda s: _quiet(s.calls),
    "savings": of_run,
    "watch": lambda s: s.finished and s.seq,
}


def region(name: str, state: RunState) -> Markup:
    """The inside of one region."""
    html: Markup = get_template_attribute(TEMPLATE, name)(state)
    return Markup(html.strip())


def snapshot(state: RunState) -> Markup:
    """The inside of #run as it stands: all regions in their places."""
    html: Markup = get_template_attribute(TEMPLATE, "run")(state, region)
    return html


def snapshot_frame(state: RunState) -> str:
    """The first frame of a connection: all that the page shows of the run."""
    return _partial("run", snapshot(state))


def change_frame(before: RunState, after: RunState) -> str:
    """The regions that differ between two states, each with its whole new inside."""
    return "".join(
        _partial(f"r-{name}", region(name, after))
        for name, depends in DEPENDS.items()
        if depends(before) != depends(after)
    )


def heartbeat_frame(state: RunState) -> str:
    """A frame that changes nothing, and tells the page that its connection is alive."""
    return _partial("r-cursor", region("cursor", state))


def farewell_frame() -> str:
    """The last frame: takes the connecting element away, so nothing reconnects."""
    html: Markup = get_template_attribute(TEMPLATE, "connection")(None)
    return _partial("live", html, swap="outerHTML")


def connected(state: RunState) -> bool:
    """Whether the page needs a websocket."""
    return state.phase is not Phase.FINISHED


def _partial(target: str, inside: Markup, swap: str = "innerMorph") -> str:
    html: Markup = get_template_attribute(TEMPLATE, "partial")(target, inside, swap)
    return html

"""What the page says about a run: pure functions from RunState to plain values for the macros."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core import events as ev
from core.errors import Cancelled
from core.state import CallState, Phase, RunState, unweighed

STAGE_TITLES: Mapping[ev.Stage, str] = {
    "tools": "Tools",
    "strategy": "Strategy",
    "code": "Code",
    "tests": "Tests",
    "execute": "Execute",
    "escalate": "Escalate",
    "triage": "Triage",
    "evaluate": "Evaluate",
}
DOING: Mapping[ev.Stage, str] = {
    "tools": "looking for tools",
    "strategy": "planning",
    "code": "writing the code",
    "tests": "writing tests",
    "execute": "running the tests",
    "escalate": "mending the code",
    "triage": "taking a first look",
    "evaluate": "scoring the result",
}
PURPOSES = {
    "strategy": "plans",
    "code": "writes the code",
    "tests": "writes tests",
    "escalate": "mends the code",
    "triage": "takes a first look",
    "evaluate": "scores the result",
}
OUTCOME_ICONS = {
    "passed": "✓",
    "unconfirmed": "?",
    "failed": "✗",
    "cancelled": "■",
    "error": "!",
    "running": "●",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StageRow:
    """A stage of the rail: `state` is waiting, running, done, skipped or stopped."""

    title: str
    state: str
    icon: str
    since: float | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """How it stands in one line, and why below it; `kind` picks colour and icon."""

    kind: str
    icon: str
    headline: str
    detail: str = ""


_ICONS = {"waiting": "○", "running": "◐", "done": "●", "skipped": "–", "stopped": "■"}


def stage_rows(state: RunState) -> tuple[StageRow, ...]:
    """All eight stages in order, begun or not."""
    begun = {stage.stage: stage for stage in state.stages}
    over = state.phase is Phase.FINISHED
    rows = []
    for stage in ev.STAGES:
        known = begun.get(stage)
        if known is None:
            word = "skipped" if over else "waiting"
        elif known.seconds is not None:
            word = "done"
        else:
            word = "stopped" if over else "running"
        rows.append(
            StageRow(
                title=STAGE_TITLES[stage],
                state=word,
                icon=_ICONS[word],
                since=known.started_at if known and word == "running" else None,
                seconds=known.seconds if known else None,
            )
        )
    return tuple(rows)


def banner(state: RunState) -> Banner:
    """The honest headline."""
    if state.finished is None:
        if state.phase is Phase.CANCELLING:
            return Banner(kind="running", icon="◐", headline="Cancelling …")
        if state.packages_awaited:
            detail = f"The run goes on when {', '.join(state.packages_awaited)} can be imported."
            return Banner(
                kind="running", icon="○", headline="Waiting for packages …", detail=detail
            )
        if state.waiting:
            return Banner(
                kind="running",
                icon="○",
                headline="Waiting for your answers …",
                detail=f"It goes on by itself after {state.waiting.limit_s:.0f} s.",
            )
        if not state.stages:
            detail = "It starts by itself as soon as there is room for it."
            return Banner(
                kind="running", icon="○", headline="Waiting for its turn …", detail=detail
            )
        return Banner(kind="running", icon="◐", headline=_current(state))
    outcome, reason = state.finished.outcome, state.finished.reason
    tally = tally_text(state)
    headlines = {
        "passed": f"Passed: {tally}",
        "unconfirmed": f"Unconfirmed: passes {tally}",
        "failed": f"Failed: {passing_text(state)}",
        "cancelled": f"Cancelled{_during(state)}",
        "error": "Stopped by an error",
    }
    return Banner(
        kind=outcome, icon=OUTCOME_ICONS[outcome], headline=headlines[outcome], detail=reason
    )


def tally_text(state: RunState) -> str:
    """Like "5 of 5 cases, 3 of them yours" or "3 of 4 cases, all generated"."""
    if state.finished is None or not state.finished.total:
        return "no case was executed"
    total = state.finished.total
    text = f"{state.finished.passed} of {plural(total, 'case')}"
    yours = sum(case.is_yours for case in state.counted)
    if 0 < yours < total:
        return f"{text}, {yours} of them yours"
    return f"{text}, {'all ' if total > 1 else ''}{'yours' if yours else 'generated'}"


def passing_text(state: RunState) -> str:
    """Like "3 of 4 cases pass"."""
    if state.finished is None or not state.finished.total:
        return "no case was executed"
    verb = "passes" if state.finished.passed == 1 else "pass"
    return f"{state.finished.passed} of {plural(state.finished.total, 'case')} {verb}"


def _current(state: RunState) -> str:
    running = [stage.stage for stage in state.stages if stage.seconds is None]
    if "escalate" in running and state.escalations:
        latest = state.escalations[-1]
        return f"Mending the code: attempt {latest.attempt}/{latest.of}"
    text = " and ".join(DOING[stage] for stage in running) or "getting on"
    return f"{text[0].upper()}{text[1:]} …"


def _during(state: RunState) -> str:
    stopped = [STAGE_TITLES[s.stage].lower() for s in state.stages if s.seconds is None]
    return f" during {' and '.join(stopped)}" if stopped else ""


def capital(text: str) -> str:
    """With a capital letter; the rest stays as it is."""
    return text[:1].upper() + text[1:]


def plural(count: int, noun: str) -> str:
    """Like "1 case" or "2 cases"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def running_calls(state: RunState) -> tuple[CallState, ...]:
    """The calls whose answers are arriving now."""
    return tuple(call for call in state.calls if call.status == "running")


def was_cancelled(call: CallState) -> bool:
    """Whether the user, and no fault, ended the call."""
    return call.status == "failed" and call.error == Cancelled.__name__


def announcement(state: RunState) -> str:
    """What a screen reader is told; changes only with the stage and the outcome."""
    now = banner(state)
    text = f"{now.headline}. {now.detail}".strip() if state.finished else now.headline
    return f"{text} Your answer is being counted." if unweighed(state) else text

"""The versions of a run's code: what each passed, where it came from, what it changed.

Pure functions from RunState to plain values for the macros.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core import events as ev
from core.sandbox.names import size
from core.state import CallState, CandidateState, RunState
from core.tryout import chosen
from core.verdict import best_candidate

CASE_ICONS: Mapping[ev.Result, str] = {
    "passed": "✓",
    "failed": "✗",
    "error": "!",
    "timeout": "⧖",
    "not_run": "–",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A case's result with one candidate; `result` is '' where it was never given."""

    result: str
    icon: str
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixRow:
    """A case and its results, one for each candidate that ran."""

    case: ev.Case
    cells: tuple[Cell, ...]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """An escalation attempt: what was asked, what came of it and what it changed."""

    started: ev.EscalationStarted
    call: CallState | None
    candidate: CandidateState | None
    before: CandidateState | None


def still_failing(state: RunState) -> tuple[MatrixRow, ...]:
    """In a failed run, up to three cases that its best candidate does not pass."""
    best = shown_candidate(state)
    if state.outcome != "failed" or best is None or best.execution is None:
        return ()
    sources = {case.id: case for case in state.cases}
    rows = [
        MatrixRow(case=sources[result.id], cells=(_cell(result),), message=result.message)
        for result in best.execution.cases
        if result.result != "passed" and result.id in sources
    ]
    return tuple(rows[:3])


def candidate_title(candidate: CandidateState) -> str:
    """Like "First draft", "Draft 2", "Side draft 1", "Own repair" or "Attempt 2"."""
    if candidate.attempt:
        return f"Attempt {candidate.attempt}"
    kind, number = candidate.candidate[:1], candidate.candidate[1:]
    titles = {"d": "Draft {}", "s": "Side draft {}", "r": "Own repair"}
    shown = int(number) + 1 if kind == "d" else number
    return titles.get(kind, "First draft").format(shown)


def how_written(candidate: CandidateState) -> str:
    """How a candidate came about that is neither the first nor an attempt; '' for those."""
    words = {
        "d": "written afresh",
        "s": "written at the same time, by an idle endpoint",
        "r": "mended by the model itself",
    }
    return "" if candidate.attempt else words.get(candidate.candidate[:1], "")


def column_title(candidate: CandidateState) -> str:
    """The candidate in the head of a narrow column."""
    if candidate.attempt:
        return str(candidate.attempt)
    kind, number = candidate.candidate[:1], candidate.candidate[1:]
    return {"c": "draft", "d": f"d{int(number) + 1}"}.get(kind, candidate.candidate)


def drafts(state: RunState) -> tuple[CandidateState, ...]:
    """The candidates that are no attempts, in order, as far as they ran."""
    return tuple(c for c in state.candidates if c.attempt == 0 and c.execution is not None)


def shown_candidate(state: RunState) -> CandidateState | None:
    """The one whose code the code pane shows: the final one, else the newest."""
    return chosen(state)


def executed(state: RunState) -> tuple[CandidateState, ...]:
    """The candidates that ran, in order."""
    return tuple(c for c in state.candidates if c.execution is not None)


def matrix(state: RunState) -> tuple[MatrixRow, ...]:
    """One row for each case, with the newest message of a failure."""
    ran = [
        {result.id: result for result in (*c.known, *c.execution.cases)}
        for c in state.candidates
        if c.execution
    ]
    rows = []
    for case in state.cases:
        results = [by_id.get(case.id) for by_id in ran]
        last = next((r for r in reversed(results) if r is not None), None)
        rows.append(
            MatrixRow(
                case=case,
                cells=tuple(_cell(result) for result in results),
                message=last.message if last else "",
            )
        )
    return tuple(rows)


def _cell(result: ev.CaseResult | None) -> Cell:
    if result is None:
        return Cell(result="", icon="", title="not given")
    word = result.result.replace("_", " ")
    title = f"{word}: {result.message}" if result.message else word
    if result.peak_bytes:
        milliseconds, cpu_ms = 1000 * result.seconds, 1000 * result.cpu_s
        title += f" ({milliseconds:.0f} ms, {cpu_ms:.0f} ms CPU, {size(result.peak_bytes)})"
    return Cell(result=result.result, icon=CASE_ICONS[result.result], title=title)


def attempts(state: RunState) -> tuple[AttemptView, ...]:
    """The escalation attempts in order, each with the candidate that it started from."""
    views = []
    for started in state.escalations:
        candidate = next((c for c in state.candidates if c.attempt == started.attempt), None)
        views.append(
            AttemptView(
                started=started,
                call=_packet(state, started.attempt),
                candidate=candidate,
                before=_before(state, started.attempt),
            )
        )
    return tuple(views)


def _packet(state: RunState, attempt: int) -> CallState | None:
    """The attempt's last call: calls are named by their step, like escalate-2.1.1."""
    ours = (f"escalate-{attempt}.", f"escalate-{attempt}-")
    named = [call for call in state.calls if call.call.startswith(ours)]
    return named[-1] if named else None


def _before(state: RunState, attempt: int) -> CandidateState | None:
    if not any(c.attempt < attempt for c in state.candidates):
        return None
    return best_candidate(state, before=attempt)

"""Folding events: every phase's table, and laws that hold for any log."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import events as ev
from core.errors import IllegalEvent
from core.state import ALLOWED, Phase, RunState, apply, fold, unweighed

STARTED = ev.RunStarted(goal="add", config_digest="d", rung="test")
# JSON has no NaN and no infinity, and no measured value is one.
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
PAYLOADS = st.one_of(
    *(st.from_type(kind) for kind in get_args(ev.Payload) if kind is not ev.RunStarted)
)


def logged(*payloads: ev.Payload) -> list[ev.Event]:
    return [
        ev.Event(run_id="r", seq=seq, at=float(seq), payload=payload)
        for seq, payload in enumerate(payloads)
    ]


@st.composite
def logs(draw: st.DrawFn) -> list[ev.Event]:
    """Any log that the table allows."""
    events = logged(STARTED)
    state = fold(events)
    for payload in draw(st.lists(PAYLOADS, max_size=12)):
        if type(payload) in ALLOWED[state.phase]:
            event = ev.Event(run_id="r", seq=len(events), at=1.0, payload=payload)
            events.append(event)
            state = apply(state, event)
    return events


@given(logs(), st.data())
def test_folding_in_two_goes_is_folding_at_once(
    events: list[ev.Event], data: st.DataObject
) -> None:
    cut = data.draw(st.integers(1, len(events)))
    assert fold(events[cut:], fold(events[:cut])) == fold(events)


@given(logs())
def test_an_event_survives_its_json(events: list[ev.Event]) -> None:
    for event in events:
        plain = json.loads(json.dumps(ev.event_to_dict(event)))
        assert ev.event_from_dict(plain) == event


PHASES = {
    Phase.NEW: [],
    Phase.RUNNING: [STARTED],
    Phase.CANCELLING: [STARTED, ev.CancelRequested()],
    Phase.FINISHED: [STARTED, ev.RunFinished(outcome="failed", reason="")],
}


@pytest.mark.parametrize("phase", PHASES)
@given(payload=st.one_of(st.just(STARTED), PAYLOADS))
def test_the_table_decides(phase: Phase, payload: ev.Payload) -> None:
    state = fold(logged(*PHASES[phase]), RunState(run_id="r"))
    assert state.phase is phase
    event = ev.Event(run_id="r", seq=state.seq + 1, at=9.0, payload=payload)
    if type(payload) in ALLOWED[phase]:
        assert apply(state, event).seq == event.seq
    else:
        with pytest.raises(IllegalEvent):
            apply(state, event)


def test_a_gap_is_refused() -> None:
    state = fold(logged(STARTED))
    late = ev.Event(run_id="r", seq=5, at=0.0, payload=ev.CancelRequested())
    with pytest.raises(IllegalEvent):
        apply(state, late)


def test_a_resumed_run_marks_its_broken_call() -> None:
    state = fold(
        logged(
            STARTED,
            ev.PromptWritten(call="code.1.1", role="generator", purpose="code", text="p"),
            ev.TokensArrived(call="code.1.1", text="def"),
            ev.RunResumed(times=1),
            ev.PromptWritten(call="code.2.1", role="generator", purpose="code", text="p"),
        )
    )
    assert [call.status for call in state.calls] == ["interrupted", "running"]
    assert state.resumed == 1


def test_a_failover_clears_the_text_of_the_failed_endpoint() -> None:
    sent = ev.RequestSent(
        call="c",
        role="generator",
        model="m",
        endpoint="a",
        characters=1,
        prompt_tokens_estimated=1,
        context_size=8192,
    )
    state = fold(
        logged(
            STARTED,
            ev.PromptWritten(call="c", role="generator", purpose="code", text="p"),
            sent,
            ev.TokensArrived(call="c", text="half"),
            sent,
            ev.TokensArrived(call="c", text="whole"),
        )
    )
    assert state.calls[0].text == "whole"


def test_a_call_in_the_queue_shows_its_place_until_it_is_sent() -> None:
    sent = ev.RequestSent(
        call="c",
        role="generator",
        model="m",
        endpoint="a",
        characters=1,
        prompt_tokens_estimated=1,
        context_size=8192,
    )
    told = logged(
        STARTED,
        ev.PromptWritten(call="c", role="generator", purpose="code", text="p"),
        ev.CallQueued(call="c", role="generator", position=3),
        sent,
        ev.CallQueued(call="c", role="generator", position=1),
        ev.CallFailed(call="c", error="NoEndpointLeft", message="x"),
    )
    places = [fold(told[: count + 1]).calls[0].queued for count in range(2, 6)]
    assert places == [3, 0, 1, 0]


def test_a_stage_that_runs_again_is_under_way_again() -> None:
    state = fold(
        logged(
            STARTED,
            ev.StageStarted(stage="execute"),
            ev.StageFinished(stage="execute", seconds=1.0),
            ev.StageStarted(stage="execute"),
        )
    )
    (stage,) = state.stages
    assert (stage.started_at, stage.seconds) == (1.0, None)


def test_a_log_from_before_there_were_answers_folds_as_it_did() -> None:
    case = {"id": "g1", "source": "assert f(1) == 1", "origin": "generated", "disputed": True}
    end = {"outcome": "passed", "reason": "", "candidate": "", "code": "", "passed": 0, "total": 0}
    old = [
        ("RunStarted", {"goal": "g", "config_digest": "d", "rung": "t"}),
        ("TestsWritten", {"cases": [case]}),
        ("RunFinished", end),
    ]
    state = fold(logged(*(ev.payload_from_dict(kind, plain) for kind, plain in old)))
    assert (state.wait_for_answers, state.answers, state.weighed) == (False, (), 0)
    assert (state.cases[0].in_doubt, state.cases[0].counts) == (True, False)
    assert (state.outcome, state.ended_as) == ("passed", "passed")
    assert not unweighed(state)

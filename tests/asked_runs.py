"""Runs whose candidates split on a wrong test case, written as the engine would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from core import events as ev
from core.log import EventLog

GOAL = "total(xs) adds up a list of numbers."
SUM = "def total(xs):\n    return sum(xs)\n"
LOOP = "def total(xs):\n    found = 0\n    for x in xs:\n        found += x\n    return found\n"
NONE = "def total(xs):\n    return sum(xs) if xs else None\n"
CODES: Mapping[str, str] = {"c0": SUM, "d1": LOOP, "d2": NONE}
CASES = (
    ev.Case(id="g1", source="assert total([1, 2]) == 3", origin="generated"),
    ev.Case(id="g2", source="assert total([]) is None", origin="generated"),
    ev.Case(id="g3", source="assert total([4]) == 4", origin="generated"),
)
EMPTY = "AssertionError: total([]) is None: got 0, expected None"


def executed(candidate: str, messages: Mapping[str, str]) -> ev.ExecutionFinished:
    """Fails the cases of `messages` with these, passes the others."""
    results = tuple(
        ev.CaseResult(
            id=case.id,
            result="failed" if case.id in messages else "passed",
            message=messages.get(case.id, ""),
        )
        for case in CASES
    )
    first = next(iter(messages.items()), None)
    return ev.ExecutionFinished(
        candidate=candidate,
        status="failed" if messages else "passed",
        message=f"1 of 3 cases did not pass; first {first[0]}: {first[1]}" if first else "",
        cases=results,
        stdout="",
        stderr="",
        seconds=0.1,
        peak_bytes=9_000_000,
        cpu_s=0.1,
    )


def under_way(*, wait: bool = False) -> Iterator[ev.Payload]:
    """Two candidates add up to 0 where the suite wants None, which a third one gives."""
    yield ev.RunStarted(goal=GOAL, config_digest="0" * 12, rung="test", wait_for_answers=wait)
    yield ev.StrategyWritten(text="Add them up.", name="total", signature="def total(xs):")
    yield ev.TestsWritten(cases=CASES)
    for name, code in CODES.items():
        yield ev.CandidateWritten(
            candidate=name, attempt=0, code=code, model="m", endpoint="http://127.0.0.1:9"
        )
        yield executed(name, {} if name == "d2" else {"g2": EMPTY})


def ended() -> Iterator[ev.Payload]:
    """It passed by the code that is as wrong as the case."""
    yield from under_way()
    yield ev.RunFinished(
        outcome="passed",
        reason="Passes all 3 cases: 3 generated.",
        candidate="d2",
        code=NONE,
        passed=3,
        total=3,
    )


def ended_alone(**changes: Any) -> Iterator[ev.Payload]:
    """The same with the last candidate alone, and its end changed so."""
    for payload in ended():
        if isinstance(payload, ev.RunFinished):
            yield replace(payload, **changes)
        elif getattr(payload, "candidate", "d2") == "d2":
            yield payload


def write(log: EventLog, payloads: Iterator[ev.Payload], run_id: str = "r1") -> str:
    """Put the run into the log; its id."""
    first = next(payloads)
    assert isinstance(first, ev.RunStarted)
    log.create(run_id, first)
    log.claim(run_id)
    for payload in payloads:
        log.append(run_id, payload)
    return run_id

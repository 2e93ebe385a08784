"""The driver's record: only a whole and well-formed one can say that code passed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import SandboxError
from core.events import Case
from core.sandbox.model import Limits
from core.sandbox.record import read_record
from core.sandbox.verdict import judge, program

NONCE = "a1b2"
CASES = [Case(id=name, source="assert True", origin="yours") for name in ("c1", "c2")]
REPORT = {"result": "passed", "status": "passed", "message": "", "traceback": ""}


def line(kind: str, **fields: Any) -> dict[str, Any]:
    return {"nonce": NONCE, "kind": kind, "cpu_s": 0.1, "peak_bytes": 9, **fields}


def case_line(name: str, **fields: Any) -> dict[str, Any]:
    used = {"cpu_s": 0.1, "peak_bytes": 5}
    return line("case", id=name, seconds=0.1, used=used, **{**REPORT, **fields})


GOOD = [
    line("started"),
    line("import", **REPORT),
    case_line("c1"),
    case_line("c2"),
    line("end", ids=["c1", "c2"], count=2, canary="failed"),
]


def launched(record: str, **fields: Any) -> dict[str, Any]:
    return {
        "outcome": "ended",
        "seconds": 1.0,
        "peak_bytes": 0,
        "cpu_s": None,
        "stdout": "",
        "stderr": "",
        "record": record,
        "status": "",
        **fields,
    }


def text(lines: list[Any]) -> str:
    return "".join(json.dumps(item) + "\n" for item in lines)


def status(lines: list[Any], **fields: Any) -> str:
    return judge(launched(text(lines), **fields), NONCE, CASES, Limits()).status


def test_whole_record_is_a_pass() -> None:
    execution = judge(launched(text(GOOD)), NONCE, CASES, Limits())
    assert execution.status == "passed"
    assert [case.peak_bytes for case in execution.cases] == [5, 5]
    assert (execution.cpu_s, execution.peak_bytes) == (0.1, 9)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        GOOD[:1],
        GOOD[:-1],
        [*GOOD[:2], GOOD[-1]],
        [*GOOD[:3], GOOD[-1]],
        [GOOD[0], *GOOD[2:]],
        [*GOOD, GOOD[-1]],
        [*GOOD[:2], GOOD[3], GOOD[2], GOOD[-1]],
        [*GOOD[:4], GOOD[3], GOOD[-1]],
        [*GOOD, {**GOOD[0], "nonce": "other"}],
        [*GOOD, line("surprise")],
        [*GOOD, 5],
        [*GOOD[:-1], {**GOOD[-1], "canary": "passed"}],
        [*GOOD[:-1], {**GOOD[-1], "canary": "not_run"}],
        [*GOOD[:-1], {**GOOD[-1], "count": 3}],
        [*GOOD[:-1], {**GOOD[-1], "count": True}],
        [*GOOD[:-1], line("end", ended=True, status=0, cpu_used_up=False)],
        [*GOOD[:2], case_line("c1", result="splendid"), *GOOD[3:]],
        [*GOOD[:2], case_line("c1", result="failed"), *GOOD[3:]],
        [*GOOD[:2], case_line("c1", status="failed", result="timeout"), *GOOD[3:]],
        [*GOOD[:2], {**GOOD[2], "seconds": "1"}, *GOOD[3:]],
        [*GOOD[:2], {**GOOD[2], "seconds": float("nan")}, *GOOD[3:]],
        [*GOOD[:2], {**GOOD[2], "used": {}}, *GOOD[3:]],
        [GOOD[0], line("compile", message="", traceback=""), *GOOD[1:]],
    ],
)
def test_any_other_record_is_none(lines: list[Any]) -> None:
    try:
        assert status(lines) != "passed"
    except SandboxError:
        assert not any(isinstance(item, dict) and item["kind"] == "started" for item in lines)


@pytest.mark.parametrize("outcome", ["wall", "memory", "output", "processes", "record", "disk"])
def test_watcher_overrules_the_record(outcome: str) -> None:
    assert status(GOOD, outcome=outcome) != "passed"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


@given(
    number=st.integers(0, len(GOOD) - 1),
    field=st.sampled_from([*GOOD[2], *GOOD[4]]),
    value=JSON,
)
def test_no_changed_field_breaks_the_reading(number: int, field: str, value: Any) -> None:
    changed = [dict(item) for item in GOOD]
    changed[number][field] = value
    record = read_record(text(changed), NONCE)
    judge(launched(text(changed)), NONCE, CASES, Limits()) if record.lines else None
    if field in ("nonce", "kind") and value != GOOD[number][field]:
        assert not record.genuine


@given(data=st.text() | st.lists(JSON, max_size=5).map(text))
def test_garbage_never_passes_and_never_raises_otherwise(data: str) -> None:
    for read in (
        lambda: judge(launched(data), NONCE, CASES, Limits()).status,
        lambda: program(launched(data), NONCE, Limits()).status,
    ):
        try:
            assert read() not in ("passed", "finished")
        except SandboxError:
            assert NONCE not in data


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ({"ended": True, "status": 0, "cpu_used_up": False}, ("finished", 0)),
        ({"ended": True, "status": 3 << 8, "cpu_used_up": False}, ("finished", 3)),
        ({"ended": True, "status": 9, "cpu_used_up": False}, ("crash", -9)),
        ({"ended": True, "status": 9, "cpu_used_up": True}, ("timeout", None)),
        ({"ended": True, "status": 63, "cpu_used_up": False}, ("crash", -63)),
        ({"ended": False, "status": 9, "cpu_used_up": False}, ("timeout", None)),
        ({"ids": [], "count": 0, "canary": "failed"}, ("crash", None)),
    ],
)
def test_program_ends_in_one_way(end: dict[str, Any], expected: tuple[str, int | None]) -> None:
    found = program(launched(text([line("started"), line("end", **end)])), NONCE, Limits())
    assert (found.status, found.exit_code) == expected

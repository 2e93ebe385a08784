"""What kind of failure an execution is."""

from __future__ import annotations

from typing import Any

import pytest

from core.events import CaseResult, ExecutionFinished, Status
from core.failures import kind


def execution(status: Status, message: str, *cases: tuple[str, str]) -> ExecutionFinished:
    results: list[Any] = [
        CaseResult(id=f"c{n}", result=result, message=text)  # type: ignore[arg-type]
        for n, (result, text) in enumerate(cases)
    ]
    return ExecutionFinished(
        candidate="c0",
        status=status,
        message=message,
        cases=tuple(results),
        stdout="",
        stderr="",
        seconds=0.1,
        peak_bytes=1,
        cpu_s=0.1,
    )


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (execution("passed", "", ("passed", "")), "none"),
        (execution("failed", "SyntaxError: expected ':' (line 1)", ("not_run", "")), "syntax"),
        (execution("failed", "the import failed: NameError: name 'math' is not defined"), "name"),
        (
            execution("failed", "the import failed: ModuleNotFoundError: No module named 'x'"),
            "name",
        ),
        (
            execution("failed", "2 cases", ("error", "NameError: name 'List' is not defined")),
            "name",
        ),
        (execution("failed", "1 case", ("failed", "got 3, expected 4"), ("passed", "")), "wrong"),
        (
            execution(
                "failed",
                "2 cases",
                ("error", "NameError: name 'x' is not defined"),
                ("failed", "got 3, expected 4"),
            ),
            "wrong",
        ),
        (execution("timeout", "not finished after 10 s"), "slow"),
        (execution("failed", "x", ("timeout", "4 s"), ("timeout", "4 s"), ("failed", "")), "slow"),
        (execution("crash", "killed by SIGSEGV"), "broken"),
        (execution("memory", "more than 512 MiB of memory"), "broken"),
    ],
)
def test_kinds(found: ExecutionFinished, expected: str) -> None:
    assert kind(found) == expected

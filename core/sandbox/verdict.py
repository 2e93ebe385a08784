"""From the launcher's result and the driver's record to an Execution.

Nothing here trusts an exit status or any text that the candidate could have printed: what counts
is the record, line by line with the right nonce, complete, with the expected ids and the canary.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from core.errors import SandboxError
from core.events import Case, CaseResult, Result, Status
from core.sandbox.model import Execution, Limits

_TEXT_LIMIT = 64 * 1024  # characters of stdout and of stderr that are kept


@dataclass(slots=True)
class _Record:
    """The driver's lines, sorted; `genuine` is False when one lacks the nonce or can't be read."""

    lines: dict[str, dict[str, Any]] = field(default_factory=dict)
    cases: list[dict[str, Any]] = field(default_factory=list)
    genuine: bool = True
    cpu_s: float = 0.0
    peak_bytes: int = 0


def judge(launched: dict[str, Any], nonce: str, cases: Sequence[Case], limits: Limits) -> Execution:
    """What happened; raises SandboxError when the sandbox and not the candidate failed."""
    record = _read(launched["record"], nonce)
    if record.genuine and "started" not in record.lines:
        said = launched["stderr"].strip()[-500:] or "it ended without a word"
        raise SandboxError(f"The sandbox could not start: {said}")
    results = _results(record, cases)
    status, message = _verdict(launched["outcome"], record, cases, results, limits)
    ended = "end" in record.lines
    if not ended and "import" in record.lines and len(record.cases) < len(cases):
        # This one was under way when it ended.
        culprit = len(record.cases)
        kind: Result = "timeout" if status == "timeout" else "error"
        results[culprit] = CaseResult(id=cases[culprit].id, result=kind, message=message)
    return Execution(
        status=status,
        message=message,
        cases=tuple(results),
        stdout=_bounded(launched["stdout"]),
        stderr=_bounded(_with_traceback(launched["stderr"], record)),
        seconds=launched["seconds"],
        peak_bytes=record.peak_bytes if ended else max(record.peak_bytes, launched["peak_bytes"]),
        cpu_s=record.cpu_s,
    )


def _read(text: str, nonce: str) -> _Record:
    record = _Record()
    for text_line in text.splitlines():
        try:
            line = json.loads(text_line)
            if line["nonce"] != nonce:
                raise ValueError
            if line["kind"] == "case":
                record.cases.append(line)
            else:
                record.lines[line["kind"]] = line
            record.cpu_s, record.peak_bytes = line["cpu_s"], line["peak_bytes"]
        except (ValueError, TypeError, KeyError):
            record.genuine = False
    return record


def _results(record: _Record, cases: Sequence[Case]) -> list[CaseResult]:
    results = [
        CaseResult(
            id=case.id, result=line["result"], message=line["message"], seconds=line["seconds"]
        )
        for case, line in zip(cases, record.cases, strict=False)
    ]
    results += [CaseResult(id=case.id, result="not_run") for case in cases[len(results) :]]
    return results


def _verdict(
    outcome: str,
    record: _Record,
    cases: Sequence[Case],
    results: Sequence[CaseResult],
    limits: Limits,
) -> tuple[Status, str]:
    cut: dict[str, tuple[Status, str]] = {
        "output": ("output", f"more than {_size(limits.output_bytes)} of output"),
        "memory": ("memory", f"more than {_size(limits.memory_bytes)} of memory"),
        "wall": ("timeout", f"not finished after {limits.wall_s:g} s"),
        "processes": ("crash", f"more than {limits.processes} processes"),
        "record": ("crash", "the record of the test run is too long"),
    }
    if outcome in cut:
        return cut[outcome]
    if not record.genuine:
        return "crash", "the record of the test run is not genuine"
    if "end" not in record.lines:
        return "crash", "the test run ended before its record was complete"
    if "compile" in record.lines:
        return "failed", record.lines["compile"]["message"]
    imported = record.lines["import"]
    if imported["result"] != "passed":
        return _status(imported), f"the import failed: {imported['message']}"
    return _suite_verdict(record, cases, results, limits)


def _suite_verdict(
    record: _Record, cases: Sequence[Case], results: Sequence[CaseResult], limits: Limits
) -> tuple[Status, str]:
    if not cases:
        return "failed", "no test case ran"
    end, ran = record.lines["end"], [line["id"] for line in record.cases]
    expected = [case.id for case in cases]
    if end["ids"] != ran or end["count"] != len(ran) or ran != expected[: len(ran)]:
        return "crash", "the record of the test run does not match its cases"
    for number, result in enumerate(results):
        if result.result == "not_run":
            left = len(results) - number
            return "timeout", f"{left} of {len(results)} cases not run after {limits.wall_s:g} s"
        if result.result != "passed":
            bad = sum(other.result != "passed" for other in results)
            first = f"first {result.id}: {result.message}"
            text = f"{bad} of {len(results)} cases did not pass; {first}"
            return _status(record.cases[number]), text
    if end["canary"] == "not_run":
        return "timeout", f"not finished after {limits.wall_s:g} s"
    if end["canary"] != "failed":
        return "crash", "a case that must fail did not: the code interferes with its own tests"
    return "passed", ""


def _status(line: dict[str, Any]) -> Status:
    status: Status = line["status"] if line["status"] != "passed" else "crash"
    return status


def _with_traceback(stderr: str, record: _Record) -> str:
    lines = [*record.lines.values(), *record.cases]
    found = next((line["traceback"] for line in lines if line.get("traceback")), "")
    if not found:
        return stderr
    gap = "" if not stderr or stderr.endswith("\n") else "\n"
    return f"{stderr}{gap}{found}"


def _bounded(text: str) -> str:
    if len(text) <= _TEXT_LIMIT:
        return text
    half = _TEXT_LIMIT // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"


def _size(count: int) -> str:
    mib = count / (1024 * 1024)
    return f"{mib:g} MiB" if mib >= 1 else f"{count} bytes"

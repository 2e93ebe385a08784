"""From the launcher's result and the driver's record to an Execution.

Nothing here trusts an exit status or any text that the candidate could have printed: what counts
is the record, line by line with the right nonce, complete, with the expected ids and the canary.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Any, Literal

from core.errors import SandboxError
from core.events import Case, CaseResult, Result, Status
from core.sandbox.files import read_files
from core.sandbox.model import NO_CASE_RAN, Execution, Limits, ProgramResult, ProgramStatus
from core.sandbox.record import Record, read_record

_Cut = Literal["output", "memory", "timeout", "crash"]
_TEXT_LIMIT = 64 * 1024  # characters of stdout and of stderr that are kept


def judge(launched: dict[str, Any], nonce: str, cases: Sequence[Case], limits: Limits) -> Execution:
    """What happened; raises SandboxError when the sandbox and not the candidate failed."""
    record = read_record(launched["record"], nonce)
    _check_start(record, launched, limits)
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
        peak_bytes=_peak_bytes(launched, record),
        cpu_s=_cpu_s(launched, record),
    )


def program(launched: dict[str, Any], nonce: str, limits: Limits) -> ProgramResult:
    """How a program's run went; raises SandboxError when the sandbox itself failed."""
    record = read_record(launched["record"], nonce)
    _check_start(record, launched, limits)
    status, exit_code, message = _program_verdict(launched["outcome"], record, limits)
    files, refused = read_files(
        record.files, limit_bytes=limits.files_bytes, limit_files=limits.files
    )
    return ProgramResult(
        status=status,
        exit_code=exit_code,
        message=message,
        stdout=launched["stdout"],
        stderr=_with_traceback(launched["stderr"], record),
        files=files,
        refused=refused,
        seconds=launched["seconds"],
        peak_bytes=_peak_bytes(launched, record),
        cpu_s=_cpu_s(launched, record),
    )


def _check_start(record: Record, launched: dict[str, Any], limits: Limits) -> None:
    if record.genuine and "started" not in record.lines:
        cut = _cut(launched["outcome"], limits)
        said = f"it was ended for {cut[1]}" if cut is not None else "it ended without a word"
        said = launched["stderr"].strip()[-500:] or said
        if launched["outcome"] == "wall":
            said = f"it had not begun after {limits.wall_s:g} s, as the machine is too busy"
        raise SandboxError(f"The sandbox could not start: {said}")


def _peak_bytes(launched: dict[str, Any], record: Record) -> int:
    """The driver's figure is a candidate's alone; a watcher's is that of all that was there."""
    if "end" in record.lines and record.peak_bytes:
        return record.peak_bytes
    return int(max(record.peak_bytes, launched["peak_bytes"]))


def _cpu_s(launched: dict[str, Any], record: Record) -> float:
    if "end" in record.lines:
        return record.cpu_s
    return float(max(record.cpu_s, launched.get("cpu_s") or 0.0))


def _results(record: Record, cases: Sequence[Case]) -> list[CaseResult]:
    results = [
        CaseResult(
            id=case.id,
            result=line["result"],
            message=line["message"],
            seconds=line["seconds"],
            cpu_s=line["used"]["cpu_s"],
            peak_bytes=line["used"]["peak_bytes"],
        )
        for case, line in zip(cases, record.cases, strict=False)
    ]
    results += [CaseResult(id=case.id, result="not_run") for case in cases[len(results) :]]
    return results


def _verdict(
    outcome: str,
    record: Record,
    cases: Sequence[Case],
    results: Sequence[CaseResult],
    limits: Limits,
) -> tuple[Status, str]:
    cut = _cut(outcome, limits)
    if cut is not None:
        return cut
    if not record.genuine:
        return "crash", "the record of the test run is not genuine"
    if "end" not in record.lines:
        return "crash", "the test run ended before its record was complete"
    if "compile" in record.lines:
        return "failed", record.lines["compile"]["message"]
    imported = record.lines.get("import")
    if imported is None:
        return "crash", "the record of the test run is not genuine"
    if imported["result"] != "passed":
        return _status(imported), f"the import failed: {imported['message']}"
    return _suite_verdict(record, cases, results, limits)


def _cut(outcome: str, limits: Limits) -> tuple[_Cut, str] | None:
    """What to say where whoever watches the execution has ended it."""
    cut: dict[str, tuple[_Cut, str]] = {
        "output": ("output", f"more than {_size(limits.output_bytes)} of output"),
        "memory": ("memory", f"more than {_size(limits.memory_bytes)} of memory"),
        "wall": ("timeout", f"not finished after {limits.wall_s:g} s"),
        "processes": ("crash", f"more than {limits.processes} processes"),
        "record": ("crash", "the record of the test run is too long"),
        "disk": ("crash", f"more than {_size(limits.scratch_bytes)} of files"),
    }
    return cut.get(outcome)


def _program_verdict(
    outcome: str, record: Record, limits: Limits
) -> tuple[ProgramStatus, int | None, str]:
    cut = _cut(outcome, limits)
    if cut is not None:
        return cut[0], None, cut[1]
    if not record.genuine or "end" not in record.lines:
        return "crash", None, "the run ended before its record was complete"
    if "compile" in record.lines:
        return "finished", 1, str(record.lines["compile"]["message"])
    end = record.lines["end"]
    if "ended" not in end:
        return "crash", None, "the record is not that of a program"
    if not end["ended"]:
        return "timeout", None, f"not finished after {limits.wall_s:g} s"
    number = int(end["status"])
    if os.WIFEXITED(number):
        return "finished", os.WEXITSTATUS(number), ""
    signalled = os.WTERMSIG(number)
    if signalled in (signal.SIGXCPU, signal.SIGKILL) and end["cpu_used_up"]:
        return "timeout", None, "used up its CPU time"
    known = signalled in {item.value for item in signal.Signals}
    name = signal.Signals(signalled).name if known else f"signal {signalled}"
    return "crash", -signalled, f"killed by {name}"


def _suite_verdict(
    record: Record, cases: Sequence[Case], results: Sequence[CaseResult], limits: Limits
) -> tuple[Status, str]:
    if not cases:
        return "failed", NO_CASE_RAN
    end, ran = record.lines["end"], [line["id"] for line in record.cases]
    expected = [case.id for case in cases]
    if end.get("ids") != ran or end["count"] != len(ran) or ran != expected[: len(ran)]:
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


def _with_traceback(stderr: str, record: Record) -> str:
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

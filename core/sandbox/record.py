"""The driver's record: read line by line, and genuine only when every line is one of ours.

The driver never executes a candidate, and no other process has the record's descriptor or its
nonce. All the same nothing is believed here that isn't well-formed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from core.events import Result, Status

_NUMBER = (int, float)
_REPORT: Mapping[str, Any] = {"result": str, "status": str, "message": str, "traceback": str}
# The fields of each kind of line; each kind but the last three comes at most once.
_FIELDS: Mapping[str, Mapping[str, Any]] = {
    "started": {},
    "compile": {"message": str, "traceback": str},
    "import": _REPORT,
    "end": {},
    "case": {**_REPORT, "id": str, "seconds": _NUMBER, "used": dict},
    "file": {},
    "refused": {},
}
_MANY = frozenset({"case", "file", "refused"})
# An end is either a suite's or a program's.
_ENDS: tuple[Mapping[str, Any], ...] = (
    {"ids": list, "count": int, "canary": str},
    {"ended": bool, "status": int, "cpu_used_up": bool},
)
_RESULTS = frozenset(get_args(Result))
_STATUSES = frozenset(get_args(Status))


@dataclass(slots=True)
class Record:
    """The lines, sorted; `genuine` is False when one lacks the nonce or is none of ours."""

    lines: dict[str, dict[str, Any]] = field(default_factory=dict)
    cases: list[dict[str, Any]] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    genuine: bool = True
    cpu_s: float = 0.0
    peak_bytes: int = 0


def read_record(text: str, nonce: str) -> Record:
    """Never raises; what can't be read makes the record not genuine."""
    record = Record()
    # Not splitlines: a text of the candidate's may contain other ends of lines than this one.
    for text_line in filter(None, text.split("\n")):
        try:
            line = json.loads(text_line)
        except (ValueError, RecursionError):
            line = None
        if not isinstance(line, dict) or line.get("nonce") != nonce or not _take(record, line):
            record.genuine = False
    if "end" in record.lines and not record.lines.keys() & {"import", "compile"}:
        record.genuine &= "ended" in record.lines["end"]
    return record


def _take(record: Record, line: dict[str, Any]) -> bool:
    kind = line.get("kind")
    if not isinstance(kind, str) or kind not in _FIELDS or not _is_usage(line):
        return False
    if not _has(line, _FIELDS[kind]):
        return False
    if "result" in _FIELDS[kind] and not _is_known(line):
        return False
    if kind == "end" and not any(_has(line, fields) for fields in _ENDS):
        return False
    if kind == "case":
        if not _is_usage(line["used"]) or not _has(line, {"seconds": _NUMBER}):
            return False
        record.cases.append(line)
    elif kind in _MANY:
        record.files.append(line)
    elif kind in record.lines:
        return False
    else:
        record.lines[kind] = line
    record.cpu_s, record.peak_bytes = line["cpu_s"], line["peak_bytes"]
    return True


def _is_usage(line: dict[str, Any]) -> bool:
    return _has(line, {"cpu_s": _NUMBER, "peak_bytes": int})


def _is_known(line: dict[str, Any]) -> bool:
    return line["result"] in _RESULTS and line["status"] in _STATUSES


def _has(line: dict[str, Any], fields: Mapping[str, Any]) -> bool:
    """Whether all are there, each of exactly its type, numbers finite and not negative."""
    for name, kind in fields.items():
        value = line.get(name)
        if type(value) not in (kind if isinstance(kind, tuple) else (kind,)):
            return False
        if isinstance(value, float) and not (math.isfinite(value) and value >= 0):
            return False
    return True

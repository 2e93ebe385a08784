"""What is told of an exception: one line, where it happened, and the frames that are not ours."""

from __future__ import annotations

import os
import sys
import traceback
from types import TracebackType

TYPE_CHECKING = False  # importing typing would cost each process time and memory
if TYPE_CHECKING:
    from typing import Any

MESSAGE_LIMIT = 1000
_TRACEBACK_LINES = 30
_TRACEBACK_LIMIT = 8000
_RUNNER = os.path.dirname(__file__)


def describe(error: BaseException) -> str:
    """`TypeError: text` on one line, bounded."""
    name = type(error).__name__
    if isinstance(error, SyntaxError):
        line = (error.text or "").strip()
        place = f" (line {error.lineno}{': ' + line if line else ''})" if error.lineno else ""
        return f"{name}: {error.msg}{place}"[:MESSAGE_LIMIT]
    try:
        text = " ".join(str(error).split())
    except Exception as inner:  # the candidate's own __str__ may raise anything
        text = f"<its str raises {type(inner).__name__}>"
    if isinstance(error, SystemExit):
        text = f"the code called sys.exit({text}) before the case had finished"
    if isinstance(error, MemoryError) and not text:
        text = "the code needs more memory than it may have"
    return f"{name}: {text}"[:MESSAGE_LIMIT] if text else name


def report(error: BaseException, name: str) -> dict[str, Any]:
    """The result of the case called `name` that raised `error`."""
    failed = isinstance(error, AssertionError) or _is_pytest_failure(error)
    frames = own_frames(error.__traceback__)
    there = getattr(error, "remote_trace", None)
    there = there if isinstance(there, dict) else {"where": "", "text": ""}
    message = describe(error)
    where = there["where"] or place(frames, {name: "the case"})
    if failed and message != "AssertionError":
        where = ""
    lines = ["Traceback (most recent call last):\n", *traceback.format_tb(frames), there["text"]]
    lines += traceback.format_exception_only(type(error), error)
    return {
        "result": "failed" if failed else "error",
        "status": "memory" if isinstance(error, MemoryError) else "failed",
        "message": f"{message} ({where})" if where else message,
        "traceback": bounded("".join(lines)),
    }


def bounded(text: str) -> str:
    """The last lines of `text`."""
    return "\n".join(text.splitlines()[-_TRACEBACK_LINES:])[-_TRACEBACK_LIMIT:]


def own_frames(frames: TracebackType | None) -> TracebackType | None:
    """Without the runner's frames, which come first and, where a request was made, last."""
    while frames is not None and _is_ours(frames):
        frames = frames.tb_next
    if frames is None:
        return None
    return TracebackType(
        own_frames(frames.tb_next), frames.tb_frame, frames.tb_lasti, frames.tb_lineno
    )


def place(frames: TracebackType | None, labels: dict[str, str]) -> str:
    """The innermost line in one of the files that have a label."""
    for entry in reversed(traceback.extract_tb(frames)):
        if entry.filename in labels:
            line = f": {entry.line[:200]}" if entry.line else ""
            return f"{labels[entry.filename]} line {entry.lineno}{line}"
    return ""


def _is_ours(frames: TracebackType) -> bool:
    return frames.tb_frame.f_code.co_filename.startswith(_RUNNER + os.sep)


def _is_pytest_failure(error: BaseException) -> bool:
    """`pytest.raises` that nothing raised, and `pytest.fail`."""
    outcomes = sys.modules.get("_pytest.outcomes")
    kind = getattr(outcomes, "Failed", None)
    return isinstance(kind, type) and isinstance(error, kind)

"""What a forked child does: execute the candidate, then one case, and tell how it went.

The child's report counts only when it carries its token, and it is written only after the last
statement of the case. However the candidate leaves early, there is no report and so no pass.
"""

# Importing pathlib would cost each execution several milliseconds.
# ruff: noqa: PTH102, PTH120

from __future__ import annotations

import contextlib
import faulthandler
import json
import linecache
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, ModuleType, TracebackType
from typing import Any

from . import limits
from .asserts import EXPLAIN, compile_case, explain

_MESSAGE_LIMIT = 1000
_TRACEBACK_LINES = 30
_TRACEBACK_LIMIT = 8000
_RUNNER = os.path.dirname(__file__)


@dataclass(frozen=True)
class Task:
    """One child's work: `case` None is the import alone; `silent` hides all of its output."""

    module: CodeType
    module_path: str
    case: str | None
    name: str
    silent: bool
    workdir: str


def run(task: Task, token: str, report_fd: int, hang_fd: int, hang_s: float) -> None:
    """Never returns. After `hang_s` seconds the stack is written to `hang_fd`."""
    # The candidate may replace any of these, so take them before it runs.
    own_pid, getpid, write, leave, dumps = os.getpid(), os.getpid, os.write, os._exit, json.dumps
    with contextlib.suppress(OSError):
        os.mkdir(task.workdir)
        os.chdir(task.workdir)
    with contextlib.suppress(RuntimeError, OSError):  # no thread left: then without a stack
        faulthandler.dump_traceback_later(hang_s, file=hang_fd)
    try:
        report = _attempt(task)
        if getpid() != own_pid:
            return  # a process that the candidate forked came here with the rest of its stack
        data = (token + dumps(report) + "\n").encode()
        while data:
            data = data[write(report_fd, data) :]
    finally:
        leave(0)  # whatever was raised: what follows is the driver's own work


def _attempt(task: Task) -> dict[str, str]:
    try:
        _execute(task)
        _flush()
    except BaseException as error:  # SystemExit, KeyboardInterrupt and pytest's are not Exceptions
        limits.make_room()
        _flush()
        return _describe(error, task)
    return {"result": "passed", "status": "passed", "message": "", "traceback": ""}


def _execute(task: Task) -> None:
    unmute = _mute() if task.silent or task.case is not None else None
    module = ModuleType("solution")
    module.__file__ = task.module_path
    sys.modules["solution"] = module
    exec(task.module, module.__dict__)
    if task.case is None:
        return
    if unmute is not None and not task.silent:
        unmute()
    lines = task.case.splitlines(keepends=True)
    linecache.cache[task.name] = (len(task.case), None, lines, task.name)
    code = compile_case(task.case, task.name)
    namespace: dict[str, Any] = {**module.__dict__, EXPLAIN: explain}
    exec(code, namespace)


def _mute() -> Callable[[], None]:
    """Send stdout and stderr nowhere; the returned function undoes it.

    What a module prints on import is shown once, by the import stage, and not again by each case.
    """
    saved = [os.dup(1), os.dup(2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)

    def unmute() -> None:
        _flush()
        for fd, target in zip(saved, (1, 2), strict=True):
            os.dup2(fd, target)
            os.close(fd)

    return unmute


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the candidate may have put anything there
            stream.flush()


def _describe(error: BaseException, task: Task) -> dict[str, str]:
    """The report of a case that raised `error`."""
    failed = isinstance(error, AssertionError) or _is_pytest_failure(error)
    status = "memory" if isinstance(error, MemoryError) else "failed"
    frames = _own_frames(error.__traceback__)
    message = describe_error(error)
    where = _location(frames, task) if not failed or message == "AssertionError" else ""
    text = traceback.format_exception(type(error), error, frames)
    tail = "".join(text).splitlines()[-_TRACEBACK_LINES:]
    shown = "\n".join(tail)[-_TRACEBACK_LIMIT:]
    return {
        "result": "failed" if failed else "error",
        "status": status,
        "message": f"{message} ({where})" if where else message,
        "traceback": shown.replace(os.path.dirname(task.module_path) + os.sep, ""),
    }


def describe_error(error: BaseException) -> str:
    """`TypeError: text` on one line, bounded."""
    name = type(error).__name__
    if isinstance(error, SyntaxError):
        line = (error.text or "").strip()
        place = f" (line {error.lineno}{': ' + line if line else ''})" if error.lineno else ""
        return f"{name}: {error.msg}{place}"[:_MESSAGE_LIMIT]
    try:
        text = " ".join(str(error).split())
    except Exception as inner:  # the candidate's own __str__ may raise anything
        text = f"<its str raises {type(inner).__name__}>"
    if isinstance(error, SystemExit):
        text = f"the code called sys.exit({text}) before the case had finished"
    if isinstance(error, MemoryError) and not text:
        text = "the code needs more memory than it may have"
    return f"{name}: {text}"[:_MESSAGE_LIMIT] if text else name


def _is_pytest_failure(error: BaseException) -> bool:
    """`pytest.raises` that nothing raised, and `pytest.fail`."""
    outcomes = sys.modules.get("_pytest.outcomes")
    kind = getattr(outcomes, "Failed", None)
    return isinstance(kind, type) and isinstance(error, kind)


def _own_frames(frames: TracebackType | None) -> TracebackType | None:
    """Without the runner's frames, which come first."""
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_RUNNER):
        frames = frames.tb_next
    return frames


def _location(frames: TracebackType | None, task: Task) -> str:
    """Where it happened: the innermost line of the candidate, or else of the case."""
    entries = traceback.extract_tb(frames)
    for path, label in ((task.module_path, "solution.py"), (task.name, "the case")):
        for entry in reversed(entries):
            if entry.filename == path:
                line = f": {entry.line[:200]}" if entry.line else ""
                return f"{label} line {entry.lineno}{line}"
    return ""

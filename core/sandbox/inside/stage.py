"""One forked child: its time limit, its report, and the end of everything that it started."""

# Importing pathlib would cost each execution several milliseconds.
# ruff: noqa: PTH123

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import time
from typing import Any

from . import child

_TICK_S = 0.02
_REPORT_LIMIT = 64 * 1024
_FORK_PATIENCE_S = 2.0


def run(
    task: child.Task, *, timeout_s: float, cpu_s: int, contained: bool, close_fd: int
) -> dict[str, Any]:
    """The child's report, or what can be said in its place: result, status, message, traceback.

    `close_fd` is closed in the child. `contained` means that every process we see is ours.
    """
    token = os.urandom(16).hex()
    report_in, report_out = os.pipe()
    hang_in, hang_out = os.pipe()
    started = time.monotonic()
    pid = _fork()
    if pid == 0:
        for fd in (close_fd, report_in, hang_in):
            os.close(fd)
        os.setpgid(0, 0)
        child.run(task, token, report_out, hang_out, timeout_s * 0.95)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)  # both do it, so that neither has to wait for the other
    os.close(report_out)
    os.close(hang_out)
    text, timed_out = _listen(pid, report_in, started + timeout_s)
    _sweep(pid, contained)
    _, status, usage = os.wait4(pid, 0)
    report = _parse(text, token)
    if report is None:
        used_s = usage.ru_utime + usage.ru_stime
        report = _without_report(status, timed_out, timeout_s, used_s >= cpu_s)
    if report["result"] == "timeout":
        report["message"] += _last_line(hang_in, task)
    os.close(report_in)
    os.close(hang_in)
    report["seconds"] = round(time.monotonic() - started, 4)
    return report


def _fork() -> int:
    """Fork, also just after a fork bomb, whose dead still count for a moment."""
    give_up = time.monotonic() + _FORK_PATIENCE_S
    while True:
        try:
            return os.fork()
        except BlockingIOError:
            if time.monotonic() > give_up:
                raise
            time.sleep(_TICK_S)


def _listen(pid: int, fd: int, deadline: float) -> tuple[bytes, bool]:
    """What the child said until it finished a line, died, or its time was up (then True)."""
    text = b""
    while not text.endswith(b"\n") and len(text) < _REPORT_LIMIT:
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return text, True
        # The pipe may outlive the child in a grandchild, so look at the child itself as well.
        dead = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        if not select.select([fd], [], [], 0 if dead else min(_TICK_S, left_s))[0]:
            if dead:
                break
            continue
        data = os.read(fd, 65536)
        if not data:
            break
        text += data
    return text, False


def _sweep(pid: int, contained: bool) -> None:
    """Kill the child and all that it started. Leaves the child itself to be waited for."""
    if contained and os.getpid() < 10:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)  # all but us and the namespace's first process
        return
    for target in (-pid, pid):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(target, signal.SIGKILL)


def _parse(text: bytes, token: str) -> dict[str, Any] | None:
    line = text.decode("utf-8", "replace")
    if not line.startswith(token) or not line.endswith("\n"):
        return None
    try:
        report = json.loads(line[len(token) :])
    except ValueError:
        return None
    return report if isinstance(report, dict) and "result" in report else None


def _without_report(
    status: int, timed_out: bool, timeout_s: float, cpu_used_up: bool
) -> dict[str, Any]:
    report = {"result": "error", "status": "crash", "message": "", "traceback": ""}
    signalled = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if timed_out:
        report.update(result="timeout", status="timeout")
        report["message"] = f"not finished after {timeout_s:.3g} s"
    elif signalled == signal.SIGXCPU or (signalled == signal.SIGKILL and cpu_used_up):
        report.update(result="timeout", status="timeout", message="used up its CPU time")
    elif signalled:
        name = signal.Signals(signalled).name if signalled in _SIGNALS else str(signalled)
        report["message"] = f"the process was killed by {name}"
    else:
        code = os.WEXITSTATUS(status)
        report["message"] = f"the code ended its process (exit status {code}) before the end"
    return report


_SIGNALS = set(signal.Signals)


def _last_line(fd: int, task: child.Task) -> str:
    """Where in the candidate a child hung, as faulthandler wrote it; '' when it could not."""
    if not select.select([fd], [], [], 0)[0]:
        return ""
    stack = os.read(fd, 65536).decode("utf-8", "replace")
    found = re.search(rf'File "{re.escape(task.module_path)}", line (\d+)', stack)
    if found is None:
        return ""
    number = int(found[1])
    with open(task.module_path, encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    line = lines[number - 1].strip()[:200] if 0 < number <= len(lines) else ""
    return f" (solution.py line {number}: {line})"

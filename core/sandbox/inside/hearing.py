"""What a case's process says, and what is said in its place when it says nothing."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import time

from .candidate import HANG_SIGNAL
from .link import Usage

TYPE_CHECKING = False  # importing typing would cost each process time and memory
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_TICK_S = 0.02
_STACK_PATIENCE_S = 0.1
_REPORT_LIMIT = 256 * 1024
_SIGNALS = set(signal.Signals)


class Heard:
    """What was reported; `imported` is called when the candidate's module has been executed."""

    def __init__(self, imported: Callable[[], None]) -> None:
        self.imported = imported
        self.report: dict[str, Any] | None = None
        self.timed_out = False
        self._data = bytearray()

    def take(self, report: dict[str, Any]) -> None:
        """A report of a case that ran in this process."""
        self.timed_out = "late" in report
        self.report = None if self.timed_out else report

    @property
    def passed(self) -> bool:
        """Whether the case did."""
        return self.report is not None and self.report.get("result") == "passed"

    def listen(self, pid: int, fd: int, deadline: float) -> None:
        """Hear the case's process until its result, its death, or the end of its time."""
        while self.report is None and len(self._data) < _REPORT_LIMIT:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                self.timed_out = True
                break
            # The pipe may outlive the process in one that the case forked, so look at it as well.
            dead = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
            if not select.select([fd], [], [], 0 if dead else min(_TICK_S, left_s))[0]:
                if dead:
                    break
                continue
            data = os.read(fd, 65536)
            if not data:
                break
            self._data += data
            self._take_lines()

    def _take_lines(self) -> None:
        while b"\n" in self._data:
            line, _, rest = bytes(self._data).partition(b"\n")
            self._data[:] = rest
            said = json.loads(line)
            if "imported" in said:
                self.imported()
            else:
                self.report = said

    def judge(
        self, case_status: int | None, usage: Usage | None, timeout_s: float, cpu_s: int
    ) -> dict[str, Any]:
        """The report, or one about why there is none.

        `case_status` is that of the case's own process, None when it had none.
        """
        if self.report is not None and "gone" not in self.report:
            return self.report
        report: dict[str, Any] = {"result": "error", "status": "crash", "traceback": ""}
        # A case's process that said nothing has ended itself; else the candidate's end tells why.
        silent = self.report is None and case_status is not None
        status = (case_status if silent else usage.status if usage else 0) or 0
        used_s = usage.cpu_s if usage else 0.0
        signalled = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        if self.timed_out:
            report.update(result="timeout", status="timeout")
            message = f"not finished after {timeout_s:.3g} s"
        elif signalled == signal.SIGXCPU or (signalled == signal.SIGKILL and used_s >= cpu_s):
            report.update(result="timeout", status="timeout")
            message = "used up its CPU time"
        elif silent:
            message = "the case's process ended before the case"
        elif signalled:
            name = signal.Signals(signalled).name if signalled in _SIGNALS else str(signalled)
            message = f"the process was killed by {name}"
        else:
            code = os.WEXITSTATUS(status)
            message = f"the code ended its process (exit status {code}) before the end"
        return {**report, "message": message}


def stack(pid: int, fd: int) -> str:
    """What a candidate that hangs is at: it writes that to `fd` when it is asked to."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, HANG_SIGNAL)
    text, patience_s = b"", _STACK_PATIENCE_S
    while len(text) < _REPORT_LIMIT and select.select([fd], [], [], patience_s)[0]:
        data = os.read(fd, 65536)
        if not data:
            break
        text, patience_s = text + data, _TICK_S  # it writes a piece of a line at a time
    return text.decode("utf-8", "replace")


def last_line(stack_text: str, path: str, code: str) -> str:
    """Where in `code` it hung, as faulthandler wrote it of the file; '' when it could not."""
    found = re.search(rf'File "{re.escape(path)}", line (\d+)', stack_text)
    if found is None:
        return ""
    number = int(found[1])
    lines = code.splitlines()
    line = lines[number - 1].strip()[:200] if 0 < number <= len(lines) else ""
    return f" (solution.py line {number}: {line})"

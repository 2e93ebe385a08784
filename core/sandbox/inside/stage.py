"""One case after the other: a candidate, who judges it, their time limit, and the end of both."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time

from . import case, limits
from .candidate import SOURCE
from .forking import fork
from .hearing import Heard, last_line, stack
from .link import Init, Usage
from .wire import Channel, Late

TYPE_CHECKING = False  # importing typing would cost each process time and memory
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

RECORD = 3  # the descriptor of the record, which only the driver has


class Live:
    """A candidate that is running: where it can be reached, and who judges it."""

    def __init__(self, pid: int, connection: socket.socket, hang_in: int, folder: str) -> None:
        self.pid = pid
        self.connection = connection
        self.hang_in = hang_in
        self.folder = folder
        self.judge = case.Judge(Channel(connection))
        self.cpu_s = 0.0


class Stage:
    """Runs cases of `code`; `told` is what candidates are told: limits, contained, path, and so on.

    With `reuse`, a candidate that has passed a case which can't have changed anything answers the
    next one too. Whatever it doesn't pass then, a new one gets to try.
    """

    def __init__(
        self,
        init: Init,
        told: dict[str, Any],
        code: str,
        *,
        reuse: bool,
        imported: Callable[[], None],
    ) -> None:
        self._init = init
        self._told = told
        self._code = code
        self._reuse = reuse
        self._imported = imported
        self._live: Live | None = None
        self._nothing = os.open(os.devnull, os.O_RDONLY)
        self.total: Usage | None = None

    def run(
        self, task: case.Task, folder: Callable[[], str], timeout_s: float
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The report (result, status, message, traceback, seconds), and cpu_s and peak_bytes.

        `folder` makes a working directory for a new candidate; what it raises is passed on.
        """
        started = time.monotonic()
        pure = task.looked is not None and task.looked.pure
        if self._live and pure:
            heard = self._hear_here(task, self._live, started + timeout_s)
            if heard.passed or heard.timed_out:
                return self._conclude(task, heard, started, timeout_s)
        self.end()
        if not task.alone:
            self._live = self._start(folder())
        if pure:
            heard = self._hear_here(task, self._live, started + timeout_s)
            return self._conclude(task, heard, started, timeout_s)
        assert self._live is not None
        report_in, pid = self._fork_case(task, self._live)
        heard = Heard(self._imported)
        heard.listen(pid, report_in, started + timeout_s)
        os.close(report_in)
        return self._conclude(task, heard, started, timeout_s, pid)

    def end(self) -> None:
        """End what is running."""
        if self._live:
            self._end(self._live, 0)

    def _start(self, folder: str) -> Live:
        hang_in, hang_out = os.pipe()
        ours, theirs = socket.socketpair()
        told = {**self._told, "folder": folder}
        pid = self._init.start(told, [theirs.fileno(), hang_out, self._nothing])
        theirs.close()
        os.close(hang_out)
        return Live(pid, ours, hang_in, folder)

    def _fork_case(self, task: case.Task, live: Live) -> tuple[int, int]:
        """Start the case in a process of its own; where it reports, and its process id."""
        report_in, report_out = os.pipe()
        pid = fork()
        if pid == 0:
            try:
                for fd in (report_in, live.hang_in, self._init.connection.fileno(), RECORD):
                    os.close(fd)
                os.dup2(self._nothing, 0)
                limits.apply(self._told["limits"], self._told["contained"])
                case.run(task, live.judge, live.folder, report_out)
            finally:
                os._exit(1)  # whatever was raised: what follows is the driver's work
        os.close(report_out)
        live.connection.close()
        return report_in, pid

    def _hear_here(self, task: case.Task, live: Live | None, deadline: float) -> Heard:
        """Judge a case that can't do anything but compute, without a process of its own.

        The candidate's answers are data here as well.
        """
        heard = Heard(self._imported)
        judge = live.judge if live else None

        def ring(*_: Any) -> None:
            raise Late

        try:
            signal.signal(signal.SIGALRM, ring)
            signal.setitimer(signal.ITIMER_REAL, max(0.001, deadline - time.monotonic()))
            heard.take(case.attempt(task, judge, self._imported, deadline))
            signal.setitimer(signal.ITIMER_REAL, 0)
        except Late:
            heard.take({"late": True})
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
        return heard

    def _conclude(
        self, task: case.Task, heard: Heard, started: float, timeout_s: float, case_pid: int = 0
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        live, usage, case_status, seen = self._live, None, None, ""
        used = {"cpu_s": 0.0, "peak_bytes": 0}
        if live and self._reuse and heard.passed and not case_pid:
            used = self._used_so_far(live)
        elif live:
            seen = stack(live.pid, live.hang_in) if heard.timed_out else ""
            usage, case_status = self._end(live, case_pid)
            cpu_s = max(0.0, round(usage.cpu_s - live.cpu_s, 6))
            used = {"cpu_s": cpu_s, "peak_bytes": usage.peak_bytes}
        report = heard.judge(case_status, usage, timeout_s, int(self._told["limits"]["cpu_s"]))
        if live and report["result"] == "timeout":
            report["message"] += last_line(seen, os.path.join(live.folder, SOURCE), self._code)
        report["seconds"] = round(time.monotonic() - started, 4)
        return report, used

    def _used_so_far(self, live: Live) -> dict[str, Any]:
        """What the case used by the candidate's own account: it is running, and nobody else can.

        The totals of an execution come from the kernel.
        """
        used = {"cpu_s": 0.0, "peak_bytes": 0}
        with contextlib.suppress(BaseException):  # a hostile one may answer anything
            cpu_s, peak_bytes = live.judge.request("usage")
            used = {"cpu_s": round(float(cpu_s) - live.cpu_s, 6), "peak_bytes": int(peak_bytes)}
            live.cpu_s = float(cpu_s)
        return {"cpu_s": max(0.0, used["cpu_s"]), "peak_bytes": max(0, used["peak_bytes"])}

    def _end(self, live: Live, case_pid: int) -> tuple[Usage, int | None]:
        """Kill the candidate and its case; what the one used, and the other's status."""
        sweep(self._told["contained"], *filter(None, (case_pid, live.pid)))
        status = os.waitpid(case_pid, 0)[1] if case_pid else None
        self.total = self._init.ended(live.pid)
        live.connection.close()
        os.close(live.hang_in)
        self._live = None
        return self.total, status


def sweep(contained: bool, *pids: int) -> None:
    """Kill the case, the candidate and all that they started; reap none."""
    if contained:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)  # all but us and the namespace's first process
        return
    for target in (*(-pid for pid in pids), *pids):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(target, signal.SIGKILL)

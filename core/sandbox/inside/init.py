"""The first process of a sandbox: it knows nothing of the job, starts candidates, reaps the dead.

A namespace's first process can't be killed or stopped from inside. It forks the driver, which reads
the job, and on the driver's request candidates: so no candidate's memory ever held a case.

Descriptors: 0 the job, 1 and 2 the output, 3 the record, 4 the lifeline, which is at its end when
whoever watches over the sandbox is gone.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
import traceback

from . import candidate, driver, stage
from .forking import fork

TYPE_CHECKING = False  # importing typing would cost each process time and memory
if TYPE_CHECKING:
    from typing import Any, NoReturn

LIFELINE = 4
FIRST_FREE = 5
_groups: set[int] = set()  # of the candidates that were started
_REQUEST_LIMIT = 64 * 1024
_PR_SET_CHILD_SUBREAPER = 36


def main() -> NoReturn:
    """Take over a process that has just been started."""
    if os.getpid() != 1 and sys.platform == "linux":
        import ctypes  # needed only where there is no namespace of our own

        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    serve()


def serve() -> NoReturn:
    """Serve until the driver ends or the lifeline does; never returns."""
    try:
        os.closerange(FIRST_FREE, 1024)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        gc.freeze()  # what is there stays: no process that is forked needs to look at it again
        pid = fork()
        if pid == 0:
            os.close(LIFELINE)
            ours.close()
            driver.main(theirs)
        theirs.close()
        for fd in (0, stage.RECORD):
            os.close(fd)
        _Init(ours, pid).serve()
    except BaseException:
        traceback.print_exc()  # else nobody would learn why nothing has begun
    finally:
        _end_group()
        os._exit(0)


def _end_group() -> None:
    """Where no namespace ends with us, end what we have started: it is all below us, or with us."""
    if os.getpid() == 1:
        return
    # The driver and its cases are in our own group, if we lead one.
    own = {os.getpid()} & {os.getpgrp()}
    for group in (*_groups, *own):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


class _Init:
    """Reaps, and answers the driver."""

    def __init__(self, connection: socket.socket, driver_pid: int) -> None:
        self._socket = connection
        self._driver = driver_pid
        self._ended: dict[int, tuple[int, float, int]] = {}
        self._awaited: int | None = None
        self._wake, wake_in = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wake_in = wake_in
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Until there is nobody left to serve."""
        watched = [self._socket.fileno(), self._wake, LIFELINE]
        while self._reap():
            ready, _, _ = select.select(watched, [], [])
            if LIFELINE in ready:
                return
            if self._wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake, 4096)
            if self._socket.fileno() in ready and not self._answer():
                return

    def _reap(self) -> bool:
        """Collect the dead; False once the driver is among them."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if pid == 0:
                    break
                if pid == self._driver:
                    return False
                self._ended[pid] = (status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
        if self._awaited in self._ended:
            status, cpu_s, peak = self._ended.pop(self._awaited)
            self._awaited = None
            usage = resource.getrusage(resource.RUSAGE_CHILDREN)
            scale = 1 if sys.platform == "darwin" else 1024  # Linux counts KiB, macOS bytes
            self._say(
                status=status,
                cpu_s=cpu_s,
                peak_bytes=peak * scale,
                all_cpu_s=usage.ru_utime + usage.ru_stime,
                all_peak_bytes=usage.ru_maxrss * scale,
            )
        return True

    def _answer(self) -> bool:
        try:
            data, fds, _, _ = socket.recv_fds(self._socket, _REQUEST_LIMIT, 8)
        except OSError:
            return False
        if not data:
            return False
        request = json.loads(data)
        if request["do"] == "start":
            self._ended.clear()
            self._say(pid=self._start(request["task"], fds))
        elif request["do"] == "await":
            self._awaited = request["pid"]
        else:
            for name in request["modules"]:
                with contextlib.suppress(ImportError):
                    importlib.import_module(name)
        for fd in fds:
            os.close(fd)
        return True

    def _start(self, task: dict[str, Any], fds: list[int]) -> int:
        """Fork a candidate; `fds` are its channel, where a hang is told, and its input."""
        pid = fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for fd in (self._wake, self._wake_in, LIFELINE, self._socket.fileno()):
                os.close(fd)
            os.setpgid(0, 0)
            os.dup2(fds[2], 0)
            os.close(fds[2])
            candidate.main(socket.socket(fileno=fds[0]), fds[1], task)
        _groups.add(pid)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # both do it, so that neither has to wait for the other
        return pid

    def _say(self, **fields: Any) -> None:
        with contextlib.suppress(OSError):  # the driver is dead, and is about to be reaped
            self._socket.send(json.dumps(fields).encode())

"""The launcher: takes jobs from the app, hands each to a supervisor, and outlives the app.

A request on the control socket (descriptor 0) is a frame of JSON: {"define": name, "plan": {...}}
once for each plan, or a job: {"plan": name, "limits": {...}, "preload": [module], "warm": bool,
"broken": number} together with two descriptors, the socket for the answer and a file with the
driver's job. When the socket reaches its end, because the app wants to stop or has died, everything
is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from typing import Any, NoReturn

from . import cgroups, frames, supervisor, ways
from .files import Staging
from .pool import Pool
from .processes import children, descendants
from .zygotes import Zygotes

_PR_SET_CHILD_SUBREAPER = 36
END_PATIENCE_S = 5.0  # for the supervisors to clean up; those that take longer are killed
_TIDY_TICK_S, _TIDY_TRIES = 0.1, 20


def main() -> NoReturn:
    """Serve until the app is gone."""
    _adopt_orphans()
    _raise_descriptor_limit()
    Launcher(socket.socket(fileno=0), app_pid=int(sys.argv[1])).serve()
    os._exit(0)


def _adopt_orphans() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _raise_descriptor_limit() -> None:
    """The kernel lets nobody send descriptors while the user has more under way than this.

    An execution may have the same user, and could take up what is usual.
    """
    with contextlib.suppress(OSError, ValueError):  # macOS refuses some values
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Launcher:
    """The plans, zygotes and supervisors of one app."""

    def __init__(self, control: socket.socket, app_pid: int) -> None:
        self._control = control
        self._cgroups = cgroups.find(app_pid) if sys.platform == "linux" else None
        if self._cgroups:
            self._cgroups.sweep()
        self._staging = Staging()
        self._plans: dict[str, dict[str, Any] | str] = {}
        self._zygotes = Zygotes()
        self._pool = Pool(self._work)
        self._in_hand: list[int] = []  # descriptors of the request that is being taken
        self._untidy = 0  # how often yet to try and remove what a dead supervisor left
        # Supervisors poll the read end: it ends with us, however we end.
        self._stop = os.pipe()
        self._wake = os.pipe()

    def serve(self) -> None:
        """Take requests and reap children until the control socket ends."""
        for fd in self._wake:
            os.set_blocking(fd, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake[1], warn_on_full_buffer=False)
        gc.freeze()
        control, wake = self._control.fileno(), self._wake[0]
        while True:
            channels = self._pool.channels()
            patience_s = _TIDY_TICK_S if self._untidy else self._pool.patience_s()
            ready = select.select([control, wake, *channels], [], [], patience_s)[0]
            if not ready:
                self._pool.retire()
                if self._untidy:
                    self._tidy_up()
            if wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake, 4096)
                self._reap()
            for channel in set(ready) - {control, wake}:
                self._pool.take_back(channel)
            if control in ready and not self._take_request():
                break
        self._end()

    def _take_request(self) -> bool:
        """False when the app is gone."""
        try:
            data, self._in_hand = frames.receive(self._control, 2)
        except (ConnectionError, EOFError):
            return False
        request = json.loads(data)
        if "define" in request:
            self._define(request["define"], request["plan"])
        else:
            self._run(request)
        self._let_go()
        return True

    def _let_go(self) -> None:
        while self._in_hand:
            os.close(self._in_hand.pop())

    def _define(self, name: str, plan: dict[str, Any]) -> None:
        self._pool.renew()  # they neither know this plan nor see what is staged for it
        try:
            self._plans[name] = ways.reachable(plan, self._staging)
        except OSError as error:
            self._plans[name] = f"the interpreter can't be shown to another user: {error}"

    def _run(self, request: dict[str, Any]) -> None:
        """Hand a job to a supervisor, with the zygote that it may use."""
        plan, fds = self._plans[request["plan"]], self._in_hand
        number = 0
        if isinstance(plan, dict) and request["warm"] and plan["zygote"]:
            name, preload = request["plan"], request["preload"]
            zygote = self._zygotes.get(name, plan, preload, request["broken"])
            number = zygote.number
            fds = [*fds, zygote.connection.fileno(), zygote.log]
        job = {"plan": request["plan"], "limits": request["limits"], "zygote": number}
        job["start_s"] = request.get("start_s")
        self._pool.hand_over(json.dumps(job).encode(), fds)

    def _work(self, channel: socket.socket) -> bool:
        """In a process forked for it: be a supervisor. False if the launcher has to tidy up."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(self._stop[1])
        for fd in self._wake:
            os.close(fd)
        self._let_go()
        nowhere = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nowhere, self._control.detach())  # descriptor 0 stays taken
        os.close(nowhere)
        self._zygotes.forget()
        _adopt_orphans()
        return supervisor.serve(channel, self._plans, self._cgroups, self._stop[0])

    def _reap(self) -> None:
        broken = False
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    break
                broken |= pid in self._pool.pids and status != 0
                self._pool.pids.discard(pid)
                self._zygotes.pids.discard(pid)
        if broken:
            self._untidy = _TIDY_TRIES
            self._tidy_up()

    def _tidy_up(self) -> None:
        """A supervisor died: kill what it has left to us, and remove its cgroup."""
        ours = self._pool.pids | self._zygotes.pids
        orphans = set(children(os.getpid())) - ours
        for orphan in orphans:
            for pid in (*descendants(orphan), orphan):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
        self._untidy -= 1
        swept = not self._cgroups or self._cgroups.sweep()
        if swept and not orphans:
            self._untidy = 0

    def _end(self) -> None:
        """The app is gone: let the supervisors end their executions, then kill what is left."""
        os.close(self._stop[1])
        self._pool.forget()
        give_up = time.monotonic() + END_PATIENCE_S
        while self._pool.pids and time.monotonic() < give_up:
            self._reap()
            time.sleep(0.002)
        self._zygotes.end()
        while time.monotonic() < give_up + END_PATIENCE_S:
            self._reap()
            left = descendants(os.getpid())
            if not left:
                break
            for pid in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.002)
        if self._cgroups:
            self._cgroups.sweep()

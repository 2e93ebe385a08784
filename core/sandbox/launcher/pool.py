"""The supervisors of a launcher: processes that stay, and carry out one job after another.

To fork one for each job would cost more than what it does: most of its memory is copied, page by
page, and thrown away. One that has seen anything odd ends instead of asking for the next job.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Callable, Sequence

from . import frames

IDLE_S = 20.0  # after which a supervisor without a job is let go
_KEPT = 8  # idle ones
_JOBS = 500  # after which one is replaced: whatever has grown in it goes with it


class Worker:
    """A supervisor: `channel` takes jobs, and says something once it is ready for another."""

    def __init__(self, pid: int, channel: socket.socket) -> None:
        self.pid = pid
        self.channel = channel
        self.jobs = 0
        self.idle_since = 0.0


class Pool:
    """All supervisors; `work` is what one does with its channel, in a process forked for it; its
    result is whether it ended with nothing left behind.

    `pids` are those of processes that live or have to be reaped yet.
    """

    def __init__(self, work: Callable[[socket.socket], bool]) -> None:
        self._work = work
        self._idle: list[Worker] = []  # the one used last at the end
        self._busy: dict[int, Worker] = {}  # by the descriptor of its channel
        self.pids: set[int] = set()

    def hand_over(self, job: bytes, fds: Sequence[int]) -> None:
        """Have `job` carried out, by a supervisor that is idle or by a new one."""
        while True:
            worker = self._idle.pop() if self._idle else self._start()
            try:
                frames.send(worker.channel, job, fds)
            except (BrokenPipeError, ConnectionResetError):  # it is dead
                worker.channel.close()
                continue
            worker.jobs += 1
            self._busy[worker.channel.fileno()] = worker
            return

    def channels(self) -> list[int]:
        """Descriptors that become readable when a supervisor has done its job, or died at it."""
        return list(self._busy)

    def take_back(self, channel: int) -> None:
        """One of `channels` is readable: its supervisor is idle, or dead."""
        worker = self._busy.pop(channel)
        word = b""
        with contextlib.suppress(ConnectionResetError):
            word = worker.channel.recv(16)
        if not word or worker.jobs >= _JOBS or len(self._idle) >= _KEPT:
            worker.channel.close()
            return
        worker.idle_since = time.monotonic()
        self._idle.append(worker)

    def patience_s(self) -> float | None:
        """Until one has been idle for long enough; None where none is idle."""
        if not self._idle:
            return None
        return max(0.0, self._idle[0].idle_since + IDLE_S - time.monotonic())

    def retire(self, idle_s: float = IDLE_S) -> None:
        """Let go of those that have been idle for `idle_s` seconds or more."""
        since = time.monotonic() - idle_s
        for worker in [worker for worker in self._idle if worker.idle_since <= since]:
            self._idle.remove(worker)
            worker.channel.close()

    def renew(self) -> None:
        """Let go of all, those at work once they are done: what they know is out of date."""
        self.retire(0)
        for worker in self._busy.values():
            worker.jobs = _JOBS

    def forget(self) -> None:
        """In a process forked from the launcher: let go of what is the launcher's."""
        for worker in (*self._idle, *self._busy.values()):
            worker.channel.close()

    def _start(self) -> Worker:
        ours, theirs = socket.socketpair()
        with theirs:
            pid = os.fork()
            if pid == 0:
                try:
                    ours.close()
                    self.forget()
                    os._exit(0 if self._work(theirs) else 1)
                except BaseException:
                    sys.excepthook(*sys.exc_info())  # where the app looks for last words
                finally:
                    os._exit(1)
        self.pids.add(pid)
        return Worker(pid, ours)

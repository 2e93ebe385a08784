"""The zygotes of a launcher: one for each plan and set of modules, started when first wanted."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
from typing import Any

from . import ways
from .files import memory_file

_JOBS = 1000  # after which a zygote is replaced: whatever has grown in it goes with it
_AT_ONCE = 4  # zygotes; the one unused for longest makes room


class Zygote:
    """One zygote: `number` is its name, `connection` takes jobs, `log` is what it complained of."""

    def __init__(self, number: int, pid: int, connection: socket.socket, log: int) -> None:
        self.number = number
        self.pid = pid
        self.connection = connection
        self.log = log
        self.jobs = 0

    def close(self) -> None:
        """Send no more jobs: it ends with its last one."""
        self.connection.close()
        os.close(self.log)


def last_words(log: int) -> str:
    """The last line of a zygote's log."""
    with contextlib.suppress(OSError):
        lines = os.pread(log, 65536, 0).decode("utf-8", "replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "")
    return ""


class Zygotes:
    """All of them; `pids` are those of processes that live or have to be reaped yet."""

    def __init__(self) -> None:
        self._current: dict[str, Zygote] = {}
        self._number = 0
        self.pids: set[int] = set()

    def get(self, name: str, plan: dict[str, Any], preload: list[str], broken: int) -> Zygote:
        """The zygote for a job of the plan called `name`, but not the one of number `broken`."""
        key = json.dumps([name, sorted(preload)])
        zygote = self._current.pop(key, None)
        used_up = zygote and (zygote.number == broken or zygote.jobs >= _JOBS)
        if zygote and (used_up or zygote.pid not in self.pids):
            if zygote.number == broken:
                self._kill(zygote.pid)
            zygote.close()
            zygote = None
        if zygote is None:
            while len(self._current) >= _AT_ONCE:
                self._current.pop(next(iter(self._current))).close()
            zygote = self._start(plan, preload)
        self._current[key] = zygote  # at the end, as the one used last
        zygote.jobs += 1
        return zygote

    def end(self) -> None:
        """Kill them all, and with each everything in it."""
        for pid in self.pids:
            self._kill(pid)

    def forget(self) -> None:
        """In a process forked from the launcher: let go of all of them."""
        for zygote in self._current.values():
            zygote.close()

    def _kill(self, pid: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)

    def _start(self, plan: dict[str, Any], preload: list[str]) -> Zygote:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        log = memory_file(b"")
        with theirs:
            pid = os.fork()
            if pid == 0:
                _become(plan, theirs.fileno(), log)
        config = json.dumps({**plan["zygote"]["config"], "preload": preload})
        with contextlib.suppress(OSError):  # it is dead: the job will find out
            ours.send(config.encode())
        self.pids.add(pid)
        self._number += 1
        return Zygote(self._number, pid, ours, log)


def _become(plan: dict[str, Any], connection: int, log: int) -> None:
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        # Of those above 2 bubblewrap keeps none itself: so the socket ends with the zygote.
        ways.settle((nowhere, nowhere, log, connection), ())
        ways.become_bubblewrap({**plan, **plan["zygote"]}, 0)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(log, f"{plan['bwrap']}: {error}\n".encode())
    os._exit(127)

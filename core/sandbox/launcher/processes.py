"""The processes of an execution: find them, weigh them, kill them, reap them."""

# Importing pathlib would cost each start several milliseconds.
# ruff: noqa: PTH112, PTH116, PTH123, PTH208

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from collections.abc import Iterable, Sequence
from typing import TypeAlias


class Child:
    """An execution that is our child `pid`, with all that it started.

    `fds` become readable when it has ended, where the system can tell. `status` is its exit
    status as of os.waitstatus_to_exitcode, None while it isn't known.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.status: int | None = None
        self.fds: tuple[int, ...] = ()
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):  # a kernel before 5.3
                self.fds = (os.pidfd_open(pid),)

    def wait(self, timeout_s: float) -> None:
        """Until it has ended by itself, for at most `timeout_s` seconds."""
        if self.fds:
            select.select(self.fds, [], [], timeout_s)
            return
        for _ in range(int(timeout_s / 0.002)):
            if _has_ended(self.pid):
                break
            select.select([], [], [], 0.002)

    def end(self) -> bool:
        """Kill all, reap what is dead. True once nothing is left, not even an orphan."""
        _kill_all(self.pid if self.status is None else 0)
        try:
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == self.pid:
                    self.status = os.waitstatus_to_exitcode(status)
                if not pid:
                    return False
        except ChildProcessError:
            return True

    def close(self) -> None:
        """Let go of it."""
        for fd in self.fds:
            os.close(fd)

    def pids(self, enough: int) -> list[int]:
        """It and all below it, orphans as well; only itself where that can't be seen.

        Where there are more than `enough`, only as many.
        """
        return descendants(os.getpid(), enough) or [self.pid]


class Adopted:
    """An execution that the zygote started: the first process of a pid namespace, by pidfd.

    All others in the namespace die with it.
    """

    def __init__(self, pidfd: int) -> None:
        self.fds: tuple[int, ...] = (pidfd,)
        self.status: int | None = None
        self._pidfd = pidfd

    def wait(self, timeout_s: float) -> None:
        """Until it has ended by itself, for at most `timeout_s` seconds."""
        select.select(self.fds, [], [], timeout_s)

    def end(self) -> bool:
        """Kill it; True once it is gone."""
        if select.select(self.fds, [], [], 0)[0]:
            return True
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        return bool(select.select(self.fds, [], [], 0.1)[0])

    def close(self) -> None:
        """Let go of it."""
        os.close(self._pidfd)

    def pids(self, enough: int) -> list[int]:
        """It and all below it; where there are more than `enough`, only as many."""
        pid = self._pid()
        return [pid, *descendants(pid, enough - 1)] if pid else []

    def _pid(self) -> int:
        """Its process id as we see it; 0 when it is gone."""
        with contextlib.suppress(OSError), open(f"/proc/self/fdinfo/{self._pidfd}") as file:
            for line in file:
                if line.startswith("Pid:"):
                    return max(0, int(line.split()[1]))
        return 0


Tree: TypeAlias = "Child | Adopted"


def children(pid: int) -> list[int]:
    """The direct ones; empty where there is no /proc."""
    found = _listed(pid)
    return _by_parent().get(pid, []) if found is None else found


def threads(pids: Iterable[int]) -> int:
    """How many threads `pids` have together; one for each that can't be looked at any more."""
    return sum(len(_threads(pid)) for pid in pids)


def threads_of(uid: int) -> int:
    """How many threads the user `uid` has on this machine; 0 where there is no /proc."""
    pids = []
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError):
                if name.isdigit() and os.stat(f"/proc/{name}").st_uid == uid:
                    pids.append(int(name))
    return threads(pids)


def descendants(pid: int, enough: int = sys.maxsize) -> list[int]:
    """All processes below `pid`, or `enough` of them, nearest first; empty without /proc."""
    found: list[int] = []
    todo = [pid] if pid else []
    parents: dict[int, list[int]] | None = None
    while todo and len(found) < enough:
        parent = todo.pop(0)
        below = _listed(parent)
        if below is None:
            parents = _by_parent() if parents is None else parents
            below = parents.get(parent, [])
        found += below
        todo += below
    return found[:enough]


def _listed(pid: int) -> list[int] | None:
    """The children of all threads of `pid`; None when it is gone, or the kernel has no lists."""
    found: list[int] = []
    seen = False
    for thread in _threads(pid):
        # One that has ended meanwhile has left its children to another.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                found += map(int, file.read().split())
            seen = True
    return found if seen else None


def _threads(pid: int) -> list[str]:
    """The ids of the threads of `pid`; its own where that can't be seen."""
    with contextlib.suppress(OSError):
        return os.listdir(f"/proc/{pid}/task") or [str(pid)]
    return [str(pid)]


def _has_ended(pid: int) -> bool:
    """Whether our child `pid` is dead or reaped already; doesn't reap it."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _kill_all(child: int) -> None:
    """Kill all below us: whole groups at once, so that a fork bomb can't outrun it.

    A namespace's first process takes all others with it; bubblewrap itself comes last.
    """
    pids = descendants(os.getpid())
    groups = set()
    if child:  # it leads a group of its own; there may be no /proc to find it by
        pids = pids or [child]
        groups.add(child)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            groups.add(os.getpgid(pid))
    for group in groups - {os.getpgrp()}:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    for pid in reversed(pids):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _by_parent() -> dict[int, list[int]]:
    """Children by parent, from asking every process for its parent."""
    found: dict[int, list[int]] = {}
    if not os.path.isdir("/proc/self"):
        return found
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int(name)
            with open(f"/proc/{pid}/stat") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
            found.setdefault(parent, []).append(pid)
    return found


def used_bytes(pids: Iterable[int], enough: int) -> int:
    """Memory of all `pids` together, without files.

    What they share counts for each of them, unless that would be more than `enough`.
    """
    pids = list(pids)
    plain = sum(_own_bytes(pid) for pid in pids)
    if plain <= enough:
        return plain
    parts = [_share_bytes(pid) for pid in pids]
    return sum(
        _own_bytes(pid) if part is None else part for pid, part in zip(pids, parts, strict=True)
    )


def _own_bytes(pid: int) -> int:
    """Memory that `pid` has touched, shared by forking or otherwise; 0 where it can't be seen."""
    return sum(_sizes(f"/proc/{pid}/status", ("RssAnon", "RssShmem")))


def _share_bytes(pid: int) -> int | None:
    """The same, divided among those who share it; None where the kernel doesn't tell."""
    found = _sizes(f"/proc/{pid}/smaps_rollup", ("Pss_Anon", "Pss_Shmem"))
    return sum(found) if len(found) == 2 else None


def _sizes(path: str, names: Sequence[str]) -> list[int]:
    """The values of lines such as "RssAnon: 12 kB", in bytes."""
    found = []
    with contextlib.suppress(OSError, ValueError), open(path) as file:
        for line in file:
            name, _, value = line.partition(":")
            if name in names:
                found.append(int(value.split()[0]) * 1024)
    return found

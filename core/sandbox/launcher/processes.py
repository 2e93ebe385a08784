"""The processes below this one: find them, weigh them, kill them, reap them."""

# Importing pathlib would cost each execution several milliseconds.
# ruff: noqa: PTH112, PTH123, PTH208

from __future__ import annotations

import contextlib
import os
import signal


def has_ended(pid: int) -> bool:
    """Whether our child `pid` is dead or reaped already; doesn't reap it."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def kill_all() -> None:
    """Kill all below us: whole groups at once, so that a fork bomb can't outrun it.

    A namespace's first process takes all others with it; bubblewrap itself comes last.
    """
    pids = descendants(os.getpid())
    groups = set()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            groups.add(os.getpgid(pid))
    for group in groups - {os.getpgrp()}:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    for pid in reversed(pids):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def reap_all() -> bool:
    """Reap what is dead. True once there is no child any more, not even an adopted one."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def descendants(pid: int) -> list[int]:
    """All processes below `pid`, nearest first; empty where there is no /proc."""
    found: list[int] = []
    todo = [pid]
    parents: dict[int, list[int]] | None = None
    while todo:
        parent = todo.pop(0)
        try:
            with open(f"/proc/{parent}/task/{parent}/children") as file:
                children = [int(word) for word in file.read().split()]
        except (FileNotFoundError, ProcessLookupError):
            # Gone, or a kernel without this file: then ask every process for its parent.
            parents = _by_parent() if parents is None else parents
            children = parents.get(parent, [])
        found += children
        todo += children
    return found


def _by_parent() -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    if not os.path.isdir("/proc/self"):
        return children
    for name in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int(name)
            with open(f"/proc/{pid}/stat") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(pid)
    return children


def private_bytes(pid: int) -> int:
    """Memory that is `pid`'s alone or shared by forking; 0 where it can't be seen."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            _, resident, shared, *_ = file.read().split()
    except (OSError, ValueError):
        return 0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGESIZE")

"""The launcher's parts one by one: its supervisors, its zygotes, user ids, and what it counts."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.sandbox.launcher import pool as pool_module
from core.sandbox.launcher import users
from core.sandbox.launcher import zygotes as zygotes_module
from core.sandbox.launcher.processes import descendants, threads

ROOT = Path(__file__).parent.parent


class Pool(pool_module.Pool):
    """Without processes: `ends` are the supervisors' ends of their channels, by process id."""

    def __init__(self) -> None:
        super().__init__(lambda channel: True)
        self.ends: dict[int, socket.socket] = {}

    def _start(self) -> pool_module.Worker:
        ours, theirs = socket.socketpair()
        pid = len(self.ends) + 1
        self.ends[pid] = theirs
        return pool_module.Worker(pid, ours)

    def job(self) -> int:
        """Hand over a job; who got it."""
        self.hand_over(b"job", ())
        for pid, end in self.ends.items():
            with contextlib.suppress(BlockingIOError, OSError):
                if end.recv(100, socket.MSG_DONTWAIT):
                    return pid
        raise AssertionError("nobody")

    def done(self, pid: int, word: bytes = b"idle") -> None:
        if word:
            self.ends[pid].send(word)
        else:
            self.ends[pid].close()
        (channel,) = (fd for fd in self.channels() if self._busy[fd].pid == pid)
        self.take_back(channel)

    def close(self) -> None:
        self.forget()
        for end in self.ends.values():
            end.close()

    def ended(self, pid: int) -> bool:
        return self.ends[pid].recv(1) == b""


@pytest.fixture
def pool() -> Iterator[Pool]:
    with contextlib.closing(Pool()) as pool:
        yield pool


def test_supervisors_are_used_again_and_replaced_when_dead(pool: Pool) -> None:
    assert (pool.job(), pool.job(), len(pool.channels())) == (1, 2, 2)
    pool.done(1)
    assert (pool.job(), pool.job()) == (1, 3)
    for pid in (1, 2, 3):
        pool.done(pid)
    pool.ends[3].close()
    assert (pool.job(), pool.channels() != []) == (2, True)
    pool.done(2, b"")
    assert (pool.job(), pool.job()) == (1, 4)


def test_supervisors_end_when_idle_used_up_out_of_date_or_too_many(pool: Pool) -> None:
    assert pool.patience_s() is None
    pool.done(pool.job())
    assert 0 < (pool.patience_s() or 0) <= 20
    pool.retire()
    assert pool.job() == 1
    pool.done(1)
    pool.retire(0)
    assert pool.ended(1)
    for _ in range(500):
        assert pool.job() == 2
        pool.done(2)
    assert pool.ended(2)
    assert pool.job() == 3
    pool.renew()
    pool.done(3)
    assert pool.ended(3)
    several = [pool.job() for _ in range(9)]
    for pid in several:
        pool.done(pid)
    assert [pid for pid in several if pool.ends[pid].fileno() < 0] == []
    assert pool.ended(several[-1])
    assert pool.job() == several[-2]


class Zygotes(zygotes_module.Zygotes):
    """Without processes: each has the process id of its number."""

    started: int = 0

    def _start(self, plan: dict[str, Any], preload: list[str]) -> zygotes_module.Zygote:
        self.started += 1
        self.pids.add(self.started)
        connection = socket.socket(socket.AF_UNIX)
        log = os.open(os.devnull, os.O_RDONLY)
        return zygotes_module.Zygote(self.started, self.started, connection, log)

    def _kill(self, pid: int) -> None:
        self.pids.discard(pid)


def test_zygotes_are_replaced_when_used_up_broken_dead_or_crowded() -> None:
    kept = Zygotes()
    first = kept.get("plan", {}, [], 0)
    for _ in range(zygotes_module._JOBS - 1):
        assert kept.get("plan", {}, [], 0) is first
    second = kept.get("plan", {}, [], 0)
    assert (second.number, first.connection.fileno()) == (2, -1)
    assert kept.get("plan", {}, [], first.number) is second
    third = kept.get("plan", {}, [], second.number)
    assert (third.number, 2 in kept.pids) == (3, False)
    kept.pids.discard(third.pid)
    fourth = kept.get("plan", {}, [], 0)
    assert fourth.number == 4
    for name in "abcd":
        kept.get("plan", {}, [name], 0)
    assert fourth.connection.fileno() == -1
    kept.forget()


def test_user_ids_are_claimed_for_the_whole_machine(tmp_path: Path) -> None:
    folders = (str(tmp_path / "claims"),)
    with users.claimed(7000, folders) as first, users.claimed(7000, folders) as second:
        assert (first, second) == (7000, 7001)
        code = "import sys; from core.sandbox.launcher import users\n"
        code += f"with users.claimed(7000, {folders!r}) as uid: print(uid)"
        other = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True)
        assert other.stdout == b"7002\n", other.stderr
    with users.claimed(7000, folders) as again:
        assert again == 7000
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(users.claimed(7000, folders)) for _ in range(users.COUNT)]
        assert len(set(taken)) == users.COUNT
        with pytest.raises(OSError, match="in use"), users.claimed(7000, folders):
            pass


def test_user_ids_are_claimed_where_nobody_else_can_reach(tmp_path: Path) -> None:
    open_, link, good = tmp_path / "open", tmp_path / "link", tmp_path / "good"
    open_.mkdir()
    open_.chmod(0o777)
    link.symlink_to(good)
    with pytest.raises(OSError, match="no directory"), users.claimed(7000, (str(open_),)):
        pass
    with users.claimed(7000, (str(open_), str(link), str(good))):
        assert [path.name for path in good.iterdir()] == ["7000"]
    assert list(open_.iterdir()) == []


def test_threads_count_as_processes_do() -> None:
    stop = threading.Event()
    before = threads([os.getpid()])
    several = [threading.Thread(target=stop.wait) for _ in range(20)]
    for thread in several:
        thread.start()
    assert threads([os.getpid()]) == before + 20
    assert threads([2**22 + 1]) == 1
    stop.set()
    for thread in several:
        thread.join()


def test_child_that_a_thread_has_forked_is_found() -> None:
    started: list[subprocess.Popen[bytes]] = []
    done, seen = threading.Event(), threading.Event()

    def fork() -> None:
        # A preexec_fn rules out vfork, by which the child would be the main thread's.
        started.append(subprocess.Popen(["sleep", "60"], preexec_fn=os.getpid))  # noqa: PLW1509
        done.set()
        seen.wait()

    thread = threading.Thread(target=fork)
    thread.start()
    done.wait()
    try:
        assert started[0].pid in descendants(os.getpid())
    finally:
        seen.set()
        thread.join()
        started[0].kill()
        started[0].wait()

"""How a supervisor starts an execution: as a child of its own, or through a zygote."""

# Importing pathlib would cost each start several milliseconds.
# ruff: noqa: PTH101, PTH123

from __future__ import annotations

import json
import os
import select
import socket
import time
from collections.abc import Sequence
from typing import Any

from . import ways
from .files import memory_file
from .processes import Adopted, Child
from .zygotes import last_words

START_PATIENCE_S = 10.0  # for a zygote, which may be importing things still


STREAMS = ("stdout", "stderr", "record")


class Unstarted(Exception):
    """Nothing of the job has run, or nothing that counts."""


class Pipes:
    """The descriptors of one execution: `streams` are ours to read from, by name.

    `theirs` are the driver's job, the other ends of the streams, and the lifeline.
    """

    def __init__(self, driver: int) -> None:
        pairs = [os.pipe() for _ in STREAMS]
        lifeline, self._lifeline = os.pipe()
        self.streams = {pair[0]: name for pair, name in zip(pairs, STREAMS, strict=True)}
        self.theirs = [driver, *(pair[1] for pair in pairs), lifeline]
        self.stderr = pairs[STREAMS.index("stderr")][0]
        self._own_theirs = self.theirs[1:]

    def replace_job(self, driver: int) -> None:
        """Give it another job, which is closed with the rest."""
        self.theirs[0] = driver
        self._own_theirs.append(driver)

    def close_theirs(self) -> None:
        """Once the execution has them."""
        while self._own_theirs:
            os.close(self._own_theirs.pop())

    def close(self) -> None:
        """Let go of all; the lifeline's end is that of the execution."""
        self.close_theirs()
        for fd in (self._lifeline, *self.streams):
            os.close(fd)


def lay_out(folder: str, plan: dict[str, Any], uid: int | None, driver: int) -> int:
    """Fill the private directory of an execution without namespaces; its driver's job."""
    with open(driver, "rb", closefd=False) as file:
        job = json.load(file)
    ways.private_layout(folder, plan, job)
    if uid is not None and plan["way"] == "landlock":
        os.chmod(folder, 0o755)
        os.chown(job["workdir"], uid, uid)
    return memory_file(json.dumps(job).encode())


def fork(
    plan: dict[str, Any],
    limits: dict[str, Any],
    uid: int | None,
    folder: str,
    given: tuple[Sequence[int], Sequence[int]],
) -> Child:
    """Start it as our child, `given` its descriptors and those by which to join cgroups.

    An error there shows as a process that never starts.
    """
    pid = os.fork()
    if pid:
        return Child(pid)
    try:
        ways.settle(*given)
        if plan["way"] == "bubblewrap":
            ways.become_bubblewrap(plan, uid or 0)
        ways.become_plain(plan, uid, limits, folder)
    except BaseException as error:
        os.write(2, f"{plan['way']}: {type(error).__name__}: {error}".encode())
    os._exit(127)


def adopt(
    zygote: Sequence[int],
    fds: Sequence[int],
    stderr: int,
    hangups: Sequence[int],
    patience_s: float,
) -> Adopted:
    """Give the job to a zygote, by its connection and log; its process is ours to kill.

    That it is before the job begins. Raises Unstarted when one of `hangups` has something, or
    when the process breaks off, which has written to `stderr`.
    """
    connection, log = zygote
    ours, child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pidfd, started = -1, False
    try:
        with ours:
            with child, socket.socket(fileno=os.dup(connection)) as jobs:
                try:
                    socket.send_fds(jobs, [b"job"], [*fds[:5], child.fileno(), *fds[5:]])
                except ConnectionError as error:
                    raise Unstarted(last_words(log) or "the zygote is gone") from error
            poll = select.poll()
            for fd in (ours.fileno(), *hangups):
                poll.register(fd, select.POLLIN)
            give_up = time.monotonic() + patience_s
            while pidfd < 0 or not started:
                left_s = max(0, give_up - time.monotonic())
                ready = [fd for fd, _ in poll.poll(left_s * 1000)]
                if ours.fileno() not in ready:
                    raise Unstarted("it was cancelled" if ready else "the zygote does not answer")
                word, found, _, _ = socket.recv_fds(ours, 16, 1)
                if not word:
                    raise Unstarted(_said(stderr) or last_words(log) or "the zygote broke off")
                pidfd = found[0] if found else pidfd
                started = started or word == b"started"
    except BaseException:
        if pidfd >= 0:
            os.close(pidfd)
        raise
    return Adopted(pidfd)


def _said(fd: int) -> str:
    """What a process that broke off has written as its standard error."""
    if select.select([fd], [], [], 0)[0]:
        return os.read(fd, 4096).decode("utf-8", "replace").strip()
    return ""

"""A supervisor: has one execution after another started and watched, and answers the app.

The answer is a frame of one line of JSON, whose "sizes" says how many bytes of stdout, of stderr
and of the record follow it.
"""

# Importing pathlib would cost each start several milliseconds.
# ruff: noqa: PTH116, PTH120

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import time
from collections.abc import Sequence
from typing import Any

from . import frames, users
from .cgroups import Cgroups, Group, Groups
from .files import remove_tree
from .processes import Tree
from .starting import START_PATIENCE_S, STREAMS, Pipes, Unstarted, adopt, fork, lay_out
from .watch import MEMORY_SLACK, OUR_PROCESSES, Watch

GRACE_S = 0.5  # the driver ends by itself when the time is up; this long after, it is killed
DYING_PATIENCE_MS = 300


class Job:
    """What a launcher gives to a supervisor.

    Something on one of `hangups` means that nobody wants the answer any more. `driver` is a file
    with the driver's job. `zygote` is its connection and its log, or empty for a cold start.
    """

    def __init__(
        self,
        plan: dict[str, Any],
        limits: dict[str, Any],
        *,
        hangups: tuple[int, ...],
        driver: int,
        zygote: Sequence[int],
    ) -> None:
        self.plan = plan
        self.limits = limits
        self.hangups = hangups
        self.driver = driver
        self.zygote = zygote
        self.start_s = START_PATIENCE_S  # for the zygote


def serve(
    channel: socket.socket, plans: dict[str, Any], cgroups: Cgroups | None, stop: int
) -> bool:
    """Carry out one job after another until `channel` ends.

    False as soon as a job may have left something behind: then it is not for us to go on.
    """
    lowest = _lowest_free()
    groups = Groups(cgroups)
    while True:
        try:
            data, fds = frames.receive(channel, 4)
        except (ConnectionError, EOFError):
            return groups.remove()
        told = json.loads(data)
        plan = plans[told["plan"]]
        clean, texts = True, [b"", b"", b""]
        if isinstance(plan, str):
            answer: dict[str, Any] = {"error": plan}
        else:
            job = Job(plan, told["limits"], hangups=(fds[0], stop), driver=fds[1], zygote=fds[2:])
            job.start_s = told.get("start_s") or START_PATIENCE_S
            execution = Supervisor(job, groups)
            answer = execution.run()
            clean, texts = execution.clean, execution.texts
        answer["zygote"] = told["zygote"]
        answer["sizes"] = [len(text) for text in texts]
        with socket.socket(fileno=fds[0]) as app, contextlib.suppress(OSError):  # it has gone away
            frames.send(app, b"".join((json.dumps(answer).encode(), b"\n", *texts)))
        for fd in fds[1:]:
            os.close(fd)
        if not clean or _lowest_free() != lowest:
            groups.remove()
            return False
        with contextlib.suppress(OSError):  # the launcher has gone; the channel will tell
            channel.send(b"idle")


class Supervisor:
    """Starts one execution and cleans up behind it.

    After `run`, `texts` are what it wrote, and `clean` is whether nothing at all is left of it.
    """

    def __init__(self, job: Job, groups: Groups) -> None:
        self.texts = [b"", b"", b""]
        self.clean = False
        self._job = job
        self._groups = groups
        self._uid = job.plan["uid"]
        self._folder = ""

    def run(self) -> dict[str, Any]:
        """The answer, once no process of the execution is left; an error if it never began."""
        limits = self._job.limits
        try:
            with contextlib.ExitStack() as stack:
                if self._job.plan["own_uids"] is not None:
                    self._uid = stack.enter_context(users.claimed(self._job.plan["own_uids"]))
                group = None
                if self._job.plan["cgroup"]:
                    memory_bytes = limits["memory_bytes"] + MEMORY_SLACK
                    group = self._groups.get(memory_bytes, limits["processes"] + OUR_PROCESSES)
                try:
                    answer, ended = self._run(group)
                finally:
                    done = self._groups.give_back(group)
                    if self._folder:
                        remove_tree(self._folder)
                self.clean = ended and done
                if not ended:
                    self.texts = [b"", b"", b""]
                    return {"error": "the execution could not be ended", "ran": True}
                return answer
        except (Unstarted, OSError) as error:
            self.texts = [b"", b"", b""]
            return {"error": str(error) or type(error).__name__}

    def _run(self, group: Group | None) -> tuple[dict[str, Any], bool]:
        """The answer, and whether every process of the execution has been seen to end."""
        pipes = Pipes(self._job.driver)
        try:
            tree = self._start(pipes, group)
            try:
                started = time.monotonic()
                watch = Watch(tree, group, pipes.streams, self._job.limits, self._folder)
                watch.run(started + self._job.limits["wall_s"] + GRACE_S, self._job.hangups)
                seconds = time.monotonic() - started
                ended = watch.end()
                return self._answer(tree, watch, group, seconds), ended
            finally:
                tree.close()
        finally:
            pipes.close()

    def _answer(
        self, tree: Tree, watch: Watch, group: Group | None, seconds: float
    ) -> dict[str, Any]:
        if self._job.zygote and watch.outcome == "ended":
            # One that breaks off may be the first sign that the zygote is dying.
            patience_ms = 0 if b'"end"' in watch.texts["record"] else DYING_PATIENCE_MS
            if _hung_up(self._job.zygote[0], patience_ms):
                raise Unstarted("the zygote died, and with it the execution")
        kept = {"memory": group and group.memory, "processes": group and group.processes}
        self.texts = [bytes(watch.texts[name]) for name in STREAMS]
        return {
            "outcome": watch.outcome,
            "seconds": seconds,
            "peak_bytes": watch.peak_bytes,
            "cpu_s": group.cpu_s() if group else None,
            "status": tree.status,
            "cgroup": [name for name, limited in kept.items() if limited],
        }

    def _start(self, pipes: Pipes, group: Group | None) -> Tree:
        """Start the execution; it alone has its ends of `pipes` then."""
        plan, limits = self._job.plan, self._job.limits
        joins = group.join_fds() if group else []
        tree: Tree
        try:
            if self._job.zygote:
                fds = [*pipes.theirs, *joins]
                hangups, start_s = self._job.hangups, self._job.start_s
                tree = adopt(self._job.zygote, fds, pipes.stderr, hangups, start_s)
            else:
                if plan["way"] != "bubblewrap":
                    import tempfile  # only here, as it takes a while

                    self._folder = tempfile.mkdtemp(prefix="codeevolver-")
                    if plan["way"] == "landlock" and self._uid is not None:
                        _check_open(self._folder)
                    pipes.replace_job(lay_out(self._folder, plan, self._uid, self._job.driver))
                tree = fork(plan, limits, self._uid, self._folder, (pipes.theirs, joins))
        finally:
            pipes.close_theirs()
            for fd in joins:
                os.close(fd)
        return tree


def _check_open(folder: str) -> None:
    """Raise Unstarted when another user can't reach `folder`."""
    while (folder := os.path.dirname(folder)) != "/":
        if not os.stat(folder).st_mode & 0o001:
            raise Unstarted(f"TMPDIR can't be used: {folder} is closed to other users")


def _lowest_free() -> int:
    """The next descriptor to be given: unless we lose track of some, always the same."""
    fd = os.dup(0)
    os.close(fd)
    return fd


def _hung_up(connection: int, patience_ms: int) -> bool:
    poll = select.poll()
    poll.register(connection, 0)
    return bool(poll.poll(patience_ms))

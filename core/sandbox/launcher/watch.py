"""Watching one execution: read what it says, and end it when it passes a limit."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Mapping
from typing import Any

from .cgroups import Group
from .processes import Adopted, Tree, threads
from .processes import used_bytes as memory_bytes
from .quota import unlinked_bytes, used_bytes

LOOK_S = 0.02  # between two looks at what no kernel limit covers
OOM_LOOK_S = 0.05  # between two looks at whether the kernel has ended something
END_PATIENCE_S = 2.0
MIB = 1024 * 1024
RECORD_ROOM = 8 * MIB
MEMORY_SLACK = 64 * MIB  # so that one process meets its own limit, and a MemoryError, first
_FULL_BYTES = 16 * 1024  # of record at once: who says so much must not wait for the next look
OUR_PROCESSES = 8  # beyond the job's: bubblewrap, its first process, the driver


class Watch:
    """`streams` are names by descriptor; `folder` is '' or what needs a watch on its size.

    `outcome` is '' until the execution has ended or must end, then one of ended, wall, memory,
    output, processes, disk, record and cancelled. `texts` are what was read, by name.
    """

    def __init__(
        self,
        tree: Tree,
        group: Group | None,
        streams: Mapping[int, str],
        limits: dict[str, Any],
        folder: str,
    ) -> None:
        self.outcome = ""
        self.texts = {name: bytearray() for name in streams.values()}
        self.peak_bytes = 0
        self._tree = tree
        self._adopted = isinstance(tree, Adopted)
        self._group = group
        self._streams = dict(streams)
        self._limits = limits
        self._folder = folder
        self._record_limit = RECORD_ROOM + limits.get("files_bytes", 0) * 4 // 3

    def run(self, deadline: float, hangups: tuple[int, ...]) -> None:
        """Until the execution has ended, a limit is passed, or one of `hangups` has something."""
        open_ = dict(self._streams)
        poll = select.poll()
        for fd in open_:
            os.set_blocking(fd, False)
        # Where a namespace ends with its first process, which nothing in it can stop, the record
        # is complete by then; to wake up for each line of it would cost more than reading it.
        rare = [fd for fd, name in open_.items() if name == "record" and self._adopted]
        for fd in (*hangups, *open_, *self._tree.fds):
            if fd not in rare:
                poll.register(fd, select.POLLIN)
        kernel = self._group is not None and self._group.memory and self._group.processes
        look_s = OOM_LOOK_S if kernel and not self._folder else LOOK_S
        next_look = time.monotonic() + look_s
        while not self.outcome:
            wait_s = min(next_look, deadline) - time.monotonic()
            for fd, _ in poll.poll(max(0, wait_s) * 1000 + 1):
                if fd not in open_:
                    self._set("ended" if fd in self._tree.fds else "cancelled")
                elif not self._take(open_[fd], fd):
                    poll.unregister(fd)
                    if open_.pop(fd) == "record":
                        self._set("ended")
            now = time.monotonic()
            if now >= deadline:
                self._set("wall")
            if not self.outcome and now >= next_look:
                self._look()
                for fd in rare:
                    if self._much(fd):
                        poll.register(fd, select.POLLIN)
                        rare = []
                next_look = time.monotonic() + look_s

    def _much(self, fd: int) -> bool:
        """Read what there is of the record; whether it is so much that it can't wait any more."""
        before = len(self.texts["record"])
        self._take("record", fd)
        return len(self.texts["record"]) - before > _FULL_BYTES

    def end(self) -> bool:
        """Kill what is left and reap it all, then read the rest. True when nothing is left."""
        if self.outcome == "ended":
            self._tree.wait(END_PATIENCE_S)
        give_up = time.monotonic() + END_PATIENCE_S
        while not (ended := self._tree.end()) and time.monotonic() < give_up:
            if self._group:
                self._group.kill()
            time.sleep(0.001)
        for fd, name in self._streams.items():
            while self._take(name, fd) and select.select([fd], [], [], 0)[0]:
                if self.outcome in ("output", "record"):
                    break
        if self._group:
            if self.outcome == "ended" and self._group.out_of_memory():
                self.outcome = "memory"
            self.peak_bytes = self._group.peak_bytes() or self.peak_bytes
        return ended

    def _set(self, outcome: str) -> None:
        self.outcome = self.outcome or outcome

    def _take(self, name: str, fd: int) -> bool:
        """Read what is there, up to the budget; False at the end of the stream."""
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return True
        texts = self.texts
        if name != "record":
            room = self._limits["output_bytes"] - len(texts["stdout"]) - len(texts["stderr"])
            if len(data) > room:
                self._set("output")
                texts[name] += data[: max(0, room)]
                return True
        elif len(texts[name]) > self._record_limit:
            self._set("record")
            return False
        texts[name] += data
        return bool(data)

    def _look(self) -> None:
        """The watchdog: all processes together, where the kernel doesn't count them for us."""
        group = self._group
        if group and group.out_of_memory():
            self._set("memory")
        # A bomb grows for as long as it is counted: so no further than need be.
        most_processes = self._limits["processes"] + OUR_PROCESSES
        pids = self._tree.pids(most_processes + 1)
        if not (group and group.processes) and (
            # Threads count as well, as they do where the kernel counts.
            len(pids) > most_processes or threads(pids) > most_processes
        ):
            self._set("processes")
            return
        if not (group and group.memory):
            most = self._limits["memory_bytes"] + MEMORY_SLACK
            used = memory_bytes(pids, most)
            self.peak_bytes = max(self.peak_bytes, used)
            if used > most:
                self._set("memory")
        if self._folder:
            # No file system bounds this one; /job and /tmp are one here.
            enough = 2 * self._limits["scratch_bytes"]
            if used_bytes(self._folder, enough) + unlinked_bytes(pids) > enough:
                self._set("disk")

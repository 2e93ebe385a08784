"""Start one execution, watch it, end it, and write one JSON result to stdout.

stdin: 8 bytes of length and that much JSON, then nothing. When it reaches its end, because the app
wants to stop or has died, everything is killed.
"""

# Importing pathlib would cost each execution several milliseconds.
# ruff: noqa: PTH102, PTH103, PTH118, PTH120, PTH123, PTH211

from __future__ import annotations

import base64
import contextlib
import ctypes
import json
import os
import select
import shutil
import struct
import sys
import tempfile
import time
from typing import Any, NoReturn

from .files import memory_file, stage
from .processes import descendants, has_ended, kill_all, private_bytes, reap_all

TICK_S = 0.02
GRACE_S = 0.5  # the driver ends by itself when the time is up; this long after, it is killed
END_PATIENCE_S = 2.0
RECORD_LIMIT = 8 * 1024 * 1024
MEMORY_SLACK = 64 * 1024 * 1024  # so that one process meets its own limit, and a MemoryError, first
PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    """Serve the one job on stdin."""
    size = struct.unpack(">Q", _read_exactly(8))[0]
    job = json.loads(_read_exactly(size))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with contextlib.ExitStack() as stack:
        result = Launch(job, stack).run()
    sys.stdout.write(json.dumps(result))


def _read_exactly(size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = os.read(0, size - len(data))
        if not part:
            sys.exit("the app went away before the job had arrived")
        data += part
    return data


class Launch:
    """One execution's processes, pipes and limits."""

    def __init__(self, job: dict[str, Any], stack: contextlib.ExitStack) -> None:
        self._job = job
        self._limits = job["limits"]
        self._stack = stack
        self._pipes = {name: os.pipe() for name in ("stdout", "stderr", "record", "status")}
        self._texts = {name: bytearray() for name in self._pipes}
        self._outcome = ""
        self._peak_bytes = 0
        self._pid = 0

    def run(self) -> dict[str, Any]:
        """The result, once no process of the execution is left."""
        argv, cwd = self._bare() if self._job["bare"] else (self._bubblewrap(), "/")
        driver_job = {**self._job["driver"], "record_fd": self._pipes["record"][1]}
        stdin = memory_file(json.dumps(driver_job).encode())
        os.set_inheritable(stdin, False)
        started = time.monotonic()
        self._pid = os.fork()
        if self._pid == 0:
            self._become(argv, cwd, stdin)
        for fd in (stdin, *(ends[1] for ends in self._pipes.values())):
            os.close(fd)
        self._watch(started + self._limits["wall_s"] + GRACE_S)
        seconds = time.monotonic() - started
        self._end()
        return {
            "outcome": self._outcome,
            "seconds": seconds,
            "peak_bytes": self._peak_bytes,
            **{name: text.decode("utf-8", "replace") for name, text in self._texts.items()},
        }

    def _bubblewrap(self) -> list[str]:
        """bubblewrap's argv; its options go over a descriptor, out of sight of the process list."""
        words = self._job["arguments"]
        paths = [word["path"] for word in words if isinstance(word, dict) and "path" in word]
        shown = stage(paths) if self._job["uid"] is not None else paths
        replaced = iter(shown)
        plain = []
        for word in words:
            if isinstance(word, str):
                plain.append(word)
            elif "path" in word:
                plain.append(next(replaced))
            elif "fd" in word:
                plain.append(str(self._pipes[word["fd"]][1]))
            else:
                data = word["file"].encode("utf-8", "replace") if "file" in word else None
                plain.append(str(memory_file(data or base64.b64decode(word.get("data", "")))))
        options = memory_file(b"".join(word.encode() + b"\0" for word in plain))
        return [self._job["bwrap"], "--args", str(options), "--", *self._job["command"]]

    def _bare(self) -> tuple[list[str], str]:
        """Without a sandbox: the same layout in a directory that is removed at the end."""
        folder = tempfile.mkdtemp(prefix="codeevolver-")
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for name, text in self._job["files"].items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8", errors="replace", newline="") as file:
                file.write(text)
        for name, source in self._job["packages"]:
            os.makedirs(os.path.join(folder, "packages"), exist_ok=True)
            os.symlink(source, os.path.join(folder, "packages", name))
        driver = self._job["driver"]
        driver["sources"] = os.path.join(folder, "sources")
        driver["workdir"] = os.path.join(folder, "job")
        driver["path"].append(os.path.join(folder, "packages"))
        os.mkdir(driver["workdir"])
        self._job["environment"]["HOME"] = driver["workdir"]
        self._job["environment"]["TMPDIR"] = driver["workdir"]
        return self._job["command"], driver["workdir"]

    def _become(self, argv: list[str], cwd: str, stdin: int) -> NoReturn:
        """In the child: turn into the execution. Any error shows as a process that never starts."""
        try:
            os.setsid()
            os.chdir(cwd)
            with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
                file.write("1000")
            for source, target in (
                (stdin, 0),
                (self._pipes["stdout"][1], 1),
                (self._pipes["stderr"][1], 2),
            ):
                os.dup2(source, target, inheritable=True)
            for name in ("record", "status"):
                os.set_inheritable(self._pipes[name][1], True)
            uid = self._job["uid"]
            if uid is not None:
                os.setgroups([])
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
            # bubblewrap keeps its own environment in its first process: so there must be none.
            os.execve(argv[0], argv, self._job["environment"])
        except OSError as error:
            os.write(2, f"{argv[0]}: {error}".encode())
        os._exit(127)

    def _watch(self, deadline: float) -> None:
        """Read until the record is complete or a limit is passed; sets the outcome."""
        by_fd = {ends[0]: name for name, ends in self._pipes.items()}
        for fd in by_fd:
            os.set_blocking(fd, False)
        next_look = 0.0
        while not self._outcome:
            ready, _, _ = select.select([0, *by_fd], [], [], TICK_S)
            for fd in ready:
                if fd == 0:
                    self._outcome = "cancelled"
                elif not self._take(by_fd[fd], fd) and by_fd.pop(fd) == "record":
                    self._outcome = self._outcome or "ended"
            now = time.monotonic()
            if not self._outcome and now >= deadline:
                self._outcome = "wall"
            if not self._outcome and now >= next_look:
                next_look = now + TICK_S
                self._look()

    def _take(self, name: str, fd: int) -> bool:
        """Read what is there, up to the budget; False at the end of the stream."""
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return True
        texts = self._texts
        if name in ("stdout", "stderr"):
            room = self._limits["output_bytes"] - len(texts["stdout"]) - len(texts["stderr"])
            if len(data) > room:
                data = data[: max(0, room)]
                self._outcome = self._outcome or "output"
                texts[name] += data
                return True
        elif len(texts[name]) > RECORD_LIMIT:
            self._outcome = self._outcome or "record"
            return False
        texts[name] += data
        return bool(data)

    def _look(self) -> None:
        """The watchdog: all processes together, also where no cgroup or rlimit can count them."""
        pids = descendants(self._pid)
        used = sum(private_bytes(pid) for pid in pids)
        self._peak_bytes = max(self._peak_bytes, used)
        if used > self._limits["memory_bytes"] + MEMORY_SLACK:
            self._outcome = "memory"
        elif len(pids) > self._limits["processes"] + 8:
            self._outcome = "processes"

    def _end(self) -> None:
        """Kill what is left, first from inside, reap it all, then read the rest of the output."""
        patience = time.monotonic() + (END_PATIENCE_S if self._outcome == "ended" else 0)
        while time.monotonic() < patience and not has_ended(self._pid):
            select.select([], [], [], 0.002)
        give_up = time.monotonic() + END_PATIENCE_S
        while True:
            kill_all()
            if reap_all() or time.monotonic() > give_up:
                break
            select.select([], [], [], 0.001)
        for name, (fd, _) in self._pipes.items():
            while self._take(name, fd) and select.select([fd], [], [], 0)[0]:
                if self._outcome == "output":
                    break

"""What an attack is after: files, listeners, processes and a terminal planted for it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import tty
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.sandbox import Limits

from .listener import Listener
from .model import PRELUDE, system_calls

_ENVIRONMENT = (
    "PATH HOME LANG PWD PYTHONHASHSEED PYTHONUTF8 MALLOC_ARENA_MAX OMP_NUM_THREADS "
    "OPENBLAS_NUM_THREADS LD_LIBRARY_PATH TMPDIR LC_CTYPE"
)
_FAR = [["169.254.169.254", 80], ["192.0.2.1", 80], ["2001:db8::1", 80]]

_OTHERS_S = 30.0


class Host:
    """Planted state, a context manager. Its process must lead a session without a terminal.

    `facts` is what an attack in the sandbox is told, `stand_ins` what its control outside is told:
    there, everything that it can harm is ours. `secret` must not come out anywhere.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._stack = contextlib.ExitStack()
        self.secret = secrets.token_hex(12)
        self.folder = Path()
        self.held = -1

    def __enter__(self) -> Host:
        base = "/var/tmp" if os.access("/var/tmp", os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(prefix="attacked-", dir=base))
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        for name in ("secret.txt", "config.yaml", "home/.ssh/id", "held.txt", "shared.py"):
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{self.secret}\n")
            path.chmod(0o666)
        (self.folder / "work").mkdir()
        for place in ("", "home", "home/.ssh", "work"):
            (self.folder / place).chmod(0o777)
        self._planted = self._files()
        os.environ["PLANTED_API_KEY"] = self.secret
        own = tempfile.mkdtemp(prefix="attacked-tmp-")
        self._stack.callback(shutil.rmtree, own, ignore_errors=True)
        Path(own).chmod(0o755)
        os.environ["TMPDIR"] = own
        self.held = os.open(self.folder / "held.txt", os.O_RDWR)
        self._stack.callback(os.close, self.held)
        os.set_inheritable(self.held, True)
        self._listener = self._stack.enter_context(Listener(self.folder / "app.sock"))
        self._victim = self._stack.enter_context(
            subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        )
        self._stack.callback(self._victim.kill)
        self.terminal = self._open_terminal()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _open_terminal(self) -> int:
        """The input side of a terminal that becomes this process's own."""
        # The terminal's end must not be ours; a handler, unlike SIG_IGN, is not passed on.
        signal.signal(signal.SIGHUP, lambda *_: None)
        master, slave = os.openpty()
        for fd in (master, slave):
            self._stack.callback(os.close, fd)
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        self._stack.callback(fcntl.ioctl, slave, termios.TIOCNOTTY)
        tty.setraw(slave)
        return slave

    def facts(self, token: str) -> dict[str, Any]:
        """For an attack in the sandbox; `token` names its execution."""
        pids = [pid for pid in (self._victim.pid, os.getpid(), os.getppid()) if pid > 300]
        prefixes = sorted({sys.prefix, sys.base_prefix, os.path.realpath(sys.base_prefix)})
        folders = [str(Path.home() / ".ssh"), "/home", "/root", str(self.folder / "home/.ssh")]
        return self._common(token) | {
            "control": False,
            "private": ["/etc/passwd", "/etc/shadow", *self._private()],
            "folders": folders,
            "shown": prefixes,
            "locked": [
                *("/", "/usr", "/usr/lib", "/dev", "/opt", "/opt/packages", "/opt/runner", "/etc"),
                *("/opt/runner/inside", "/opt/site", "/proc", "/sys", str(self.folder)),
                *prefixes,
                *{str(Path(path)) for path in sys.path if path},
            ],
            "shared": [os.__file__, json.__file__, str(self.folder / "shared.py")],
            "pids": pids,
            "far": _FAR,
            "scratch": ["/tmp", "/job", "/dev/shm", "/dev", "/"],
        }

    def stand_ins(self, token: str) -> dict[str, Any]:
        """For a control."""
        return self._common(token) | {
            "control": True,
            "private": self._private(),
            "folders": [str(self.folder / "home/.ssh")],
            "shown": [],
            "locked": [str(self.folder)],
            "shared": [str(self.folder / "shared.py")],
            "pids": [self._victim.pid],
            "far": [["127.0.0.1", self._listener.tcp]],
            "scratch": [str(self.folder / "work")],
        }

    def _private(self) -> list[str]:
        return [str(self.folder / name) for name in ("secret.txt", "home/.ssh/id")]

    def _common(self, token: str) -> dict[str, Any]:
        return {
            "token": token,
            "calls": system_calls(),
            "machine": os.uname().machine,
            "config": str(self.folder / "config.yaml"),
            "tcp": self._listener.tcp,
            "udp": self._listener.udp,
            "abstract": self._listener.abstract,
            "socket": str(self.folder / "app.sock"),
            "environment": _ENVIRONMENT.split(),
            "scratch_bytes": self._limits.scratch_bytes,
            "memory_bytes": self._limits.memory_bytes,
            "processes": self._limits.processes,
        }

    def _files(self) -> dict[str, tuple[int, str]]:
        found = {}
        for path in sorted(self.folder.rglob("*")):
            text = path.read_text() if path.is_file() else ""
            if path.name != "app.sock":
                found[str(path.relative_to(self.folder))] = (path.lstat().st_mode, text)
        return found

    def damage(self, marker: str, settled_s: float = 2.0) -> list[str]:
        """What is not as it was planted; `marker` names the attack's processes.

        Those have `settled_s` to be gone; survivors are killed.
        """
        found = []
        if self._files() != self._planted:
            found.append("the host's files were changed")
        found += [f"the host was reached by {what}" for what in self._listener.log]
        if self._victim.poll() is not None or _state(self._victim.pid) == "T":
            found.append("a process of the host was hit")
        (count,) = struct.unpack("i", fcntl.ioctl(self.terminal, termios.FIONREAD, b"\0" * 4))
        if count:
            found.append("input was put into the terminal")
        give_up = time.monotonic() + settled_s
        while living(marker) and time.monotonic() < give_up:
            time.sleep(0.01)
        survivors = living(marker)
        for pid in survivors:
            with contextlib.suppress(OSError):
                os.kill(pid, 9)
        if survivors:
            found.append(f"{len(survivors)} processes survived")
        return found

    def left(self) -> list[str]:
        """What there is after the last execution: temporary files, mounts, and files locked.

        The files are some that the sandbox can read, too.
        """
        found = [f"{path} is left" for path in Path(os.environ["TMPDIR"]).iterdir()]
        mounts = Path("/proc/self/mounts").read_text().splitlines()
        found += [f"{line} is left" for line in mounts if "/codeevolver" in line]
        for path in (os.__file__, json.__file__, str(self.folder / "shared.py")):
            if not _can_be_locked(path):
                found.append(f"{path} is locked")
        return found


def _can_be_locked(path: str) -> bool:
    """Another table that runs at the same time locks the same files, but not for long."""
    give_up = time.monotonic() + _OTHERS_S
    with open(path, "rb") as file:  # noqa: PTH123
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except OSError:
                if time.monotonic() > give_up:
                    return False
                time.sleep(0.1)


def header(facts: dict[str, Any], marker: str) -> str:
    """The lines before an attack's code."""
    return f"FACTS = {facts!r}\nMARKER = {marker!r}\n{PRELUDE}"


def living(marker: str) -> list[int]:
    """Processes with this name."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (path / "comm").read_text().strip() == marker and _state(int(path.name)) != "Z":
                found.append(int(path.name))
    return found


def _state(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


def new_marker() -> str:
    """A process name that nobody else has."""
    return f"a{secrets.token_hex(6)}"


def unused_uid(taken: Sequence[int] = ()) -> int:
    """A user id that no account and no process has."""
    import pwd

    used = {account.pw_uid for account in pwd.getpwall()} | set(taken)
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            used.add(path.stat().st_uid)
    return next(uid for uid in range(64_321, 65_000) if uid not in used)

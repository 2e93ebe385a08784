"""The app's side of the launcher: start it, hand it jobs, wait for its answers."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from core.cancel import Cancel
from core.errors import Cancelled, SandboxError
from core.sandbox.launcher.files import memory_file

_START = f"import sys; sys.path.append({str(Path(__file__).parent)!r}); "
_START += "from launcher.main import main; main()"
# Beyond the execution's own wall limit: a launcher that takes longer is broken.
_PATIENCE_S = 25.0
_SEND_TIMEOUT_S = 15.0
_END_TIMEOUT_S = 12.0
_DEATH_TIMEOUT_S = 0.5  # of a launcher whose executions have ended already
_HEADER = struct.Struct(">Q")


@dataclass(slots=True)
class _Running:
    """One launcher process; `plans` are the names of those that it knows."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    errors: IO[bytes]
    plans: set[str] = field(default_factory=set)


class NoAnswer(SandboxError):
    """The launcher did not answer, which may be otherwise the next time."""


class _Died(Exception):
    """The launcher, or the supervisor of this job, ended without an answer."""


class Launcher:
    """Starts the launcher when it is first wanted, and again when it has died. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: _Running | None = None
        self._owner = 0
        self._closed = 0  # how often
        self._finalizer: weakref.finalize[[_Running, int], Launcher] | None = None

    @property
    def pid(self) -> int:
        """The launcher's process id, 0 while there is none."""
        running = self._running
        return running.process.pid if running and self._owner == os.getpid() else 0

    def start(self) -> int:
        """Start the launcher if there is none; its process id. Raises SandboxError."""
        try:
            with self._lock:
                return self._start().process.pid
        except OSError as error:
            raise NoAnswer(f"The sandbox's launcher can't be started: {error}") from error

    def run(
        self,
        plan: str,
        job: dict[str, Any],
        driver_job: dict[str, Any],
        *,
        wall_s: float,
        cancel: Cancel,
        fall_back: bool = True,
        patience_s: float | None = None,
    ) -> dict[str, Any]:
        """The answer to a `job` of `limits`, `preload` and `warm`, with a plan in JSON.

        A job whose launcher or zygote dies is carried out once more, as executions change nothing
        outside; a warm one in the end without a zygote if it may `fall_back`. A launcher that takes
        `patience_s` longer than `wall_s` is given up. Raises Cancelled, SandboxError when nothing
        could be started, and NoAnswer where it is worth trying again.
        """
        driver = json.dumps(driver_job).encode()
        timeout_s = wall_s + (_PATIENCE_S if patience_s is None else patience_s)
        header = {"plan": hashlib.sha256(plan.encode()).hexdigest(), "broken": 0, **job}
        closed = self._closed
        problem, died = "", False
        for attempt in range(3 if fall_back else 2):
            cancel.check()
            if attempt == 2:
                header["warm"] = False
            try:
                answer = self._once(plan, header, driver, timeout_s, cancel)
            except _Died as error:
                problem, died = str(error), True
                if self._closed != closed:
                    break  # it died because we wanted it to
                continue
            if "error" not in answer:
                return answer
            if answer.get("ran"):
                raise SandboxError(f"The sandbox failed: {answer['error']}")
            problem, died = answer["error"], False
            header["broken"] = answer.get("zygote", 0)
            if not header["warm"]:
                break
        if cancel.is_set():
            raise Cancelled
        if self._closed != closed:
            raise SandboxError("The sandbox was closed while it ran something.")
        kind = NoAnswer if died else SandboxError
        raise kind(f"The sandbox could not start: {problem}")

    def close(self) -> None:
        """End the launcher and all that it runs. A later `run` starts another one."""
        with self._lock:
            self._closed += 1
            self._drop()

    def _once(
        self, plan: str, header: dict[str, Any], driver: bytes, timeout_s: float, cancel: Cancel
    ) -> dict[str, Any]:
        ours, theirs = socket.socketpair()
        running: _Running | None = None
        with ours:
            forget = cancel.on_set(lambda: _hang_up(ours))
            try:
                ours.settimeout(timeout_s)
                with theirs:
                    running = self._send(plan, header, driver, theirs.fileno())
                data = _receive(ours)
            except TimeoutError as error:
                self._give_up(running)
                raise NoAnswer("The sandbox's launcher did not answer in time.") from error
            except OSError as error:
                raise NoAnswer(f"The sandbox's launcher can't be started: {error}") from error
            finally:
                forget()
        answer = _unpacked(data) if data else {"outcome": "cancelled"}
        if answer.get("outcome") == "cancelled":
            if cancel.is_set():
                raise Cancelled
            raise _Died(_last_words(running))
        return answer

    def _send(self, plan: str, header: dict[str, Any], driver: bytes, answer: int) -> _Running:
        """Hand a job to the launcher, starting it or another one where need be."""
        job = memory_file(driver)
        try:
            with self._lock:
                for last in (False, True):
                    running = self._start()
                    try:
                        if header["plan"] not in running.plans:
                            define = f'{{"define": "{header["plan"]}", "plan": {plan}}}'
                            _request(running.control, define.encode(), ())
                            running.plans.add(header["plan"])
                        _request(running.control, json.dumps(header).encode(), (answer, job))
                        return running
                    except (BrokenPipeError, ConnectionResetError):
                        self._drop()
                        if last:
                            raise
                    except BaseException as error:
                        # Half a request may be under way, and none can follow it.
                        if not isinstance(error, OSError) or error.errno != errno.ETOOMANYREFS:
                            self._drop(stuck=True)
                        raise
                raise AssertionError("unreachable")
        finally:
            os.close(job)

    def _start(self) -> _Running:
        if self._running is not None:
            if self._owner == os.getpid() and self._running.process.poll() is None:
                return self._running
            self._drop()
        ours, theirs = socket.socketpair()
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the launcher
        with theirs:
            # start_new_session: a Ctrl-C at the terminal is for the app, which then ends us.
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", "-c", _START, str(os.getpid())],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=errors,
                cwd="/",
                env=_launcher_environment(),
                start_new_session=True,
            )
        ours.settimeout(_SEND_TIMEOUT_S)
        self._running, self._owner = _Running(process, ours, errors), os.getpid()
        self._finalizer = weakref.finalize(self, _end, self._running, self._owner)
        return self._running

    def _give_up(self, running: _Running | None) -> None:
        """Drop a launcher that hangs, unless there is another one already."""
        with self._lock:
            if running is not None and self._running is running:
                self._drop(stuck=True)

    def _drop(self, *, stuck: bool = False) -> None:
        """End it; one that is `stuck` is killed at once, and what it runs ends with it."""
        if stuck and self._running is not None and self._owner == os.getpid():
            self._running.process.kill()
        if self._finalizer is not None:
            self._finalizer()
        self._running, self._finalizer = None, None


def _end(running: _Running, owner: int) -> None:
    running.control.close()
    running.errors.close()
    if os.getpid() != owner:
        return  # forked from the one whose child it is
    try:
        running.process.wait(_END_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        running.process.kill()
        running.process.wait()


def _request(control: socket.socket, data: bytes, fds: tuple[int, ...]) -> None:
    header = _HEADER.pack(len(data))
    sent = _send_fds(control, header, fds) if fds else control.send(header)
    control.sendall(header[sent:] + data)


def _send_fds(control: socket.socket, data: bytes, fds: tuple[int, ...]) -> int:
    """Also while an execution of our own user has too many descriptors under way, if it ends."""
    give_up = time.monotonic() + _SEND_TIMEOUT_S
    while True:
        try:
            return socket.send_fds(control, [data], fds)
        except OSError as error:
            if error.errno != errno.ETOOMANYREFS or time.monotonic() > give_up:
                raise
        time.sleep(0.02)


def _receive(connection: socket.socket) -> bytes | None:
    """The whole answer; None when the other end was closed before."""
    data = bytearray()
    size = _HEADER.size
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(1 << 20):
            data += part
            if len(data) >= size and len(data) == size + _HEADER.unpack(data[:size])[0]:
                return bytes(data[size:])
    return None


def _unpacked(data: bytes) -> dict[str, Any]:
    """An answer: a line of JSON, and behind it the texts, of which it tells the sizes."""
    at = data.index(b"\n") + 1
    answer: dict[str, Any] = json.loads(data[:at])
    for name, size in zip(("stdout", "stderr", "record"), answer.pop("sizes"), strict=True):
        answer[name] = data[at : at + size].decode("utf-8", "replace")
        at += size
    return answer


def _last_words(running: _Running) -> str:
    with contextlib.suppress(OSError, ValueError):
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.process.wait(_DEATH_TIMEOUT_S)
        running.errors.seek(0)
        lines = running.errors.read().decode("utf-8", "replace").strip().splitlines()
        if lines:
            return lines[-1]
    return "the launcher died"


def _hang_up(connection: socket.socket) -> None:
    """Ask for the end. The answer, that nothing runs any more, can still come."""
    with contextlib.suppress(OSError):  # already closed: the execution has ended
        connection.shutdown(socket.SHUT_WR)


def _launcher_environment() -> dict[str, str]:
    """Nothing but what our own interpreter may need to start, and where bare runs may write."""
    names = ("LD_LIBRARY_PATH", "TMPDIR")
    return {name: os.environ[name] for name in names if name in os.environ}

"""The driver's side of the conversation with the sandbox's first process."""

from __future__ import annotations

import json
import socket

TYPE_CHECKING = False  # importing typing would cost each process time and memory
if TYPE_CHECKING:
    from typing import Any


class Usage:
    """What a candidate's processes used: its own status, and the totals so far."""

    def __init__(
        self, *, status: int, cpu_s: float, peak_bytes: int, all_cpu_s: float, all_peak_bytes: int
    ) -> None:
        self.status = status
        self.cpu_s = cpu_s
        self.peak_bytes = peak_bytes
        self.all_cpu_s = all_cpu_s
        self.all_peak_bytes = all_peak_bytes


class Init:
    """Asks the first process for candidates."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def preload(self, modules: list[str]) -> None:
        """Import `modules` in every candidate to come."""
        self.connection.send(json.dumps({"do": "preload", "modules": modules}).encode())

    def start(self, task: dict[str, Any], fds: list[int]) -> int:
        """Start a candidate with its channel, hang and input descriptors; its process id."""
        socket.send_fds(self.connection, [json.dumps({"do": "start", "task": task}).encode()], fds)
        return int(self._hear()["pid"])

    def ended(self, pid: int) -> Usage:
        """Wait for the candidate's end."""
        self.await_end(pid)
        return self.usage()

    def await_end(self, pid: int) -> None:
        """Ask for it, so that `usage` can be heard once the connection is readable."""
        self.connection.send(json.dumps({"do": "await", "pid": pid}).encode())

    def usage(self) -> Usage:
        """The answer to `await_end`."""
        return Usage(**self._hear())

    def _hear(self) -> dict[str, Any]:
        data = self.connection.recv(4096)
        answer: dict[str, Any] = json.loads(data)
        return answer

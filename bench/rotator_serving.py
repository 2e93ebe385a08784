"""Servers in a process of their own, for as long as a block lasts."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@contextlib.contextmanager
def serving(*words: str, module: str = "bench.rotator_server") -> Iterator[list[str]]:
    """A URL for each word that the module understands. The process ends with ours at the latest."""
    command, pipe = [sys.executable, "-m", module, *words], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            ports = json.loads(process.stdout.readline())
            yield [f"http://127.0.0.1:{port}" for port in ports]
        finally:
            process.stdin.close()
            process.kill()


@contextlib.contextmanager
def dead_url() -> Iterator[str]:
    """An address that refuses, kept from everybody else meanwhile."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"

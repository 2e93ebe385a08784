"""Start the launcher, hand it a job, wait for its result."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

from core.cancel import Cancel
from core.errors import Cancelled, SandboxError

_START = f"import sys; sys.path.append({str(Path(__file__).parent)!r}); "
_START += "from launcher.main import main; main()"
_PATIENCE_S = 15.0  # beyond the execution's own wall limit: a launcher that takes longer is broken
_SEND_TIMEOUT_S = 15.0


def launch(job: dict[str, Any], *, wall_s: float, cancel: Cancel) -> dict[str, Any]:
    """The launcher's result; raises Cancelled, or SandboxError when it broke.

    The launcher holds one end of a socket whose other end only we hold: closing it, or our death,
    ends the execution and everything in it.
    """
    try:
        return _launch(json.dumps(job).encode(), wall_s, cancel)
    except OSError as error:
        raise SandboxError(f"The sandbox's launcher can't be started: {error}") from error


def _launch(data: bytes, wall_s: float, cancel: Cancel) -> dict[str, Any]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        # start_new_session: a Ctrl-C at the terminal is for the app, which then closes the socket.
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-c", _START],
            stdin=theirs.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd="/",
            env=_launcher_environment(),
            start_new_session=True,
        )
        theirs.close()
        with process:
            forget = cancel.on_set(lambda: _hang_up(ours))
            try:
                ours.settimeout(_SEND_TIMEOUT_S)
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    ours.sendall(struct.pack(">Q", len(data)) + data)
                output, errors = process.communicate(timeout=wall_s + _PATIENCE_S)
            except (subprocess.TimeoutExpired, TimeoutError) as error:
                raise SandboxError("The sandbox's launcher did not end in time.") from error
            finally:
                forget()
                if process.returncode is None:
                    process.kill()
    return _result(output, errors, cancel)


def _result(output: bytes, errors: bytes, cancel: Cancel) -> dict[str, Any]:
    if not output and cancel.is_set():
        raise Cancelled
    try:
        result: dict[str, Any] = json.loads(output)
    except ValueError as error:
        said = errors.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise SandboxError(f"The sandbox's launcher failed: {' '.join(said)}") from error
    if result["outcome"] == "cancelled":
        raise Cancelled
    return result


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # already closed: the execution has ended
        connection.shutdown(socket.SHUT_RDWR)


def _launcher_environment() -> dict[str, str]:
    """Nothing but what our own interpreter may need to start, and where bare runs may write."""
    names = ("LD_LIBRARY_PATH", "TMPDIR")
    return {name: os.environ[name] for name in names if name in os.environ}

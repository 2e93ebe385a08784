"""One supervised server process."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from core.cancel import Cancel
from core.embedded.models import Model
from core.errors import BuiltinUnavailable

START_S = 300.0
SCRIPT = Path(__file__).with_name("server.py")


def cores() -> int:
    """How many processors this process may use, container limits included; at least 1."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only
    count = len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
        count = min(count, int(quota) // int(period))
    except (OSError, ValueError):  # no such file, or "max"
        pass
    return max(1, count)


def threads_for(threads: int | None) -> tuple[int, int]:
    """How many write tokens and how many read a prompt, where `threads` are asked for (None: any).

    From three processors on, one is left to the rest of the machine while tokens are written, none
    while a prompt is read.
    """
    # Measured on two: both write 1.5 times as fast as one, also beside a quarter of another load;
    # beside a program that takes a whole processor they are half as fast.
    return threads or max(min(2, cores()), cores() - 1), threads or cores()


@contextlib.contextmanager
def running(path: Path, model: Model, threads: int | None, stop: Cancel) -> Iterator[Child]:
    """A server process; it is gone after the block, and killed as soon as `stop` is set."""
    command = [sys.executable, str(SCRIPT), str(path), model.name, *map(str, threads_for(threads))]
    with (
        TemporaryFile() as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # Ctrl-C in the terminal is the parent's to handle
            env={
                **os.environ,
                "PYTHONSAFEPATH": "1",
                # Else a backtrace comes after llama.cpp's own last words, which say what was wrong.
                "GGML_NO_BACKTRACE": "1",
            },
        ) as process,
    ):
        forget = stop.on_set(process.kill)
        try:
            yield Child(model, process, errors)
        finally:
            forget()
            process.kill()


class Child:
    """A server process on its way from loading to its end."""

    def __init__(self, model: Model, process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        self._name = model.name
        self._process = process
        self._errors = errors

    def url(self) -> str:
        """Block until it serves; its base URL. Raises BuiltinUnavailable when it ends first."""
        timer = threading.Timer(START_S, self._process.kill)
        timer.start()
        try:
            assert self._process.stdout is not None
            line = self._process.stdout.readline().decode("utf-8", "replace").strip()
        finally:
            timer.cancel()
            timer.join()
        if not line:
            self._process.wait()
            raise BuiltinUnavailable(self.last_words())
        return line

    def wait(self) -> None:
        """Block until the process has ended."""
        self._process.wait()

    def last_words(self) -> str:
        """How it ended and the last lines that it wrote, for an error message."""
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace").strip().splitlines()[-5:]
        how = _how(self._process.wait())
        return f"the server of {self._name} ended with {how}: {' | '.join(said) or 'no message'}"


def _how(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    if -status == signal.SIGILL:
        return "SIGILL (this processor lacks instructions that the prebuilt llama.cpp needs)"
    if -status == signal.SIGKILL:
        return "SIGKILL (killed: was the memory full?)"
    return f"signal {-status}"

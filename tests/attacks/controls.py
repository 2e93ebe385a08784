"""The same attacks outside of any sandbox, on stand-ins, to show that they work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import BinaryIO

from core.sandbox import Limits
from core.sandbox.model import MIB

from .host import Host, header, living, new_marker
from .model import Attack, Finding

LIMITS = Limits(memory_bytes=128 * MIB, scratch_bytes=8 * MIB)
_RUNS_ON_S = 0.3
_PATIENCE_S = 20.0


def control(attack: Attack) -> Finding:
    """What the attack manages; its outcome is 'works', 'no control' or 'NO EFFECT'.

    `attack.work` has the opposite answer, as it returns what failed.
    """
    if attack.control is None:
        return Finding(number=attack.number, outcome="no control", how=attack.note)
    if attack.as_root and os.geteuid() != 0:
        return Finding(number=attack.number, outcome="no control", how="it needs root")
    with Host(LIMITS) as host:
        try:
            how = _attempt(attack, host)
        except (ValueError, subprocess.TimeoutExpired) as error:
            return Finding(number=attack.number, outcome="NO EFFECT", how=str(error)[-300:])
    outcome = "works" if bool(how) != attack.work else "NO EFFECT"
    return Finding(number=attack.number, outcome=outcome, how=how or "nothing failed")


def _attempt(attack: Attack, host: Host) -> str:
    """What it managed; raises ValueError when it broke."""
    marker = new_marker()
    code = header(host.stand_ins("control"), marker) + (attack.control or attack.code)
    code += "\nprint('MANAGED', attack() or '')\n"
    with (
        tempfile.TemporaryFile() as output,
        _a_line() as line,
        subprocess.Popen(
            [sys.executable, "-S", "-c", code],
            cwd=host.folder / "work",
            stdin=line,
            stdout=subprocess.DEVNULL if attack.runs_on else output,
            stderr=subprocess.STDOUT,
            pass_fds=(host.held,),
            preexec_fn=os.setpgrp,  # a group to kill, but still on the terminal
        ) as process,
    ):
        try:
            if attack.runs_on:
                give_up = time.monotonic() + _PATIENCE_S
                while not living(marker) and time.monotonic() < give_up:
                    time.sleep(0.01)
                time.sleep(_RUNS_ON_S)
                return "runs until it is killed" if process.poll() is None else ""
            process.wait(_PATIENCE_S)
        finally:
            _end(process, marker if attack.runs_on else "")
        output.seek(0)
        text = output.read().decode(errors="replace")
    time.sleep(0.05)  # for what was sent to arrive
    if "MANAGED" not in text:
        raise ValueError(f"ended with {process.returncode}: {text[-300:]}")
    damage = host.damage(marker, 0.1) if attack.damage else []
    return "; ".join(filter(None, [text.rpartition("MANAGED")[2].strip(" ;\n"), *damage]))


def _a_line() -> BinaryIO:
    """A pipe with a line in it already: an attack may end before anybody could write it one."""
    read, write = os.pipe()
    with os.fdopen(write, "wb") as pipe:
        pipe.write(b"a line\n")
    return os.fdopen(read, "rb")


def _end(process: subprocess.Popen[bytes], marker: str) -> None:
    """Kill what is left of it: its group, and whoever has `marker` for a name."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    for pid in living(marker) if marker else ():
        os.kill(pid, signal.SIGKILL)

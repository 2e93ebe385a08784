"""The ways to run the table, each in a process of its own that has what the way takes away."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .host import unused_uid
from .model import Finding, Way

ROOT = Path(__file__).parent.parent.parent
_TIMEOUT_S = 300.0
_ROOT = os.geteuid() == 0
# Ways that run at once must not find the same user unused: the kernel counts processes by user.
_FIRST_UIDS = itertools.count(64_321, 10)
# Without namespaces: another kind of wall, or none and then nothing runs.
_REDUCED = ("3", "5")


def _ways() -> tuple[Way, ...]:
    here = ("1", "1b", "2b") if _ROOT else ("1", "1b")
    ways = [
        Way(name="cold", rungs=here),
        Way(name="warm", warm=True, rungs=here),
        Way(name="warm, from short-lived threads", warm=True, rungs=here, threads=0, few=True),
        Way(name="cold, eight at once", rungs=here, threads=8, few=True),
        Way(name="warm, eight at once", warm=True, rungs=here, threads=8),
        Way(name="no user namespaces", deny="user", rungs=("2", *_REDUCED) if _ROOT else _REDUCED),
        Way(name="no namespaces", deny="all", rungs=_REDUCED),
        Way(name="only rung 3", only=("3",), rungs=_REDUCED),
    ]
    if _ROOT:
        ways += [
            Way(name="only rung 2b", only=("2b",), rungs=("2b", "5")),
            Way(name="user, cold", user=True),
            Way(name="user, warm", user=True, warm=True),
            Way(name="user, no namespaces", user=True, deny="all", rungs=_REDUCED),
        ]
    return tuple(ways)


WAYS = _ways()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one way found; `rung` is its number, '' for the controls, `lacks` what it says it lacks.

    `warm` is whether executions were started warm.
    """

    rung: str
    warm: bool
    lacks: tuple[str, ...]
    seconds: float
    findings: tuple[Finding, ...]

    def bad(self) -> list[str]:
        """What must not be, as lines."""
        good = ("stopped", "not claimed", "works", "no control")
        return [f"{f.number}: {f.outcome}: {f.how}" for f in self.findings if f.outcome not in good]


def run_way(way: Way | None, numbers: Sequence[str] = ()) -> Outcome:
    """Run the attacks (all, or those with `numbers`) this way; None is the controls.

    Raises RuntimeError when the process that does so breaks.
    """
    first = "controls" if way is None else json.dumps(dataclasses.asdict(way))
    command = [sys.executable, "-m", "tests.attacks.worker", first, *numbers]
    if way is not None and (way.user or way.deny):
        wanted = {
            "uid": unused_uid(range(next(_FIRST_UIDS))) if way.user else None,
            "deny": way.deny,
            "show": [str(ROOT), sys.prefix, sys.base_prefix],
        }
        prepare = [sys.executable, "-m", "tests.attacks.prepare", json.dumps(wanted)]
        command = [*prepare, *command]
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,  # the worker takes a terminal of its own
        timeout=_TIMEOUT_S,
    )
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        raise RuntimeError(f"{command[2:4]} broke: {done.stderr.decode()[-2000:]}") from error
    return Outcome(
        rung=answer["rung"],
        warm=answer["warm"],
        lacks=tuple(answer["lacks"]),
        seconds=answer["seconds"],
        findings=tuple(Finding(**finding) for finding in answer["findings"]),
    )

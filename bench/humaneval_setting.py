"""What results hold for: the models, the prompts, the settings, the code and the machine."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.humaneval_tasks import HUMANEVAL
from core.config import RunConfig
from core.events import Role
from core.prompts import digest

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a result holds for; those of other `prompts`, `models`, `tasks` or `run` can't be put
    together.

    `tasks` is a TaskSet's name, `run` the configuration's section, {} in results that do not tell.
    """

    prompts: str
    models: Mapping[Role, str]
    date: str
    commit: str
    machine: str
    tasks: str = HUMANEVAL
    run: Mapping[str, float] = field(default_factory=dict)

    @staticmethod
    def now(models: Mapping[Role, str], tasks: str, run: RunConfig) -> Setting:
        """This checkout on this machine."""
        return Setting(
            prompts=digest(),
            models=models,
            date=time.strftime("%Y-%m-%d"),
            commit=_commit(),
            machine=f"{platform.machine()}, {os.cpu_count()} cores",
            tasks=tasks,
            run=asdict(run),
        )


def _commit() -> str:
    """The checkout's commit, with a + where core/ was changed since; 'unknown' without git."""
    try:
        head = _git("rev-parse", "--short", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--", "core") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    return done.stdout.strip()

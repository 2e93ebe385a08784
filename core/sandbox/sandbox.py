"""The sandbox as the rest of the app sees it: `rung` and `run`."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from core.cancel import Cancel
from core.errors import BadInput, SandboxError
from core.events import Case
from core.sandbox import bubblewrap, ladder, verdict
from core.sandbox.host import Host, describe
from core.sandbox.model import Execution, Limits, Rung
from core.sandbox.process import launch

_INSIDE = Path(__file__).with_name("inside")
_HELP_TIMEOUT_S = 10.0
_RETRY_S = 30.0  # a machine that could not contain code is looked at again after this
_NONE: Mapping[str, str] = MappingProxyType({})


class Sandbox:
    """Runs candidates against cases. Thread-safe; every run is a new sandbox of its own.

    `python` is the interpreter to run them with, `bwrap` the name or path of bubblewrap. With
    `allow_unsandboxed` code runs even where nothing contains it.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        allow_unsandboxed: bool = False,
        python: str = sys.executable,
        bwrap: str = "bwrap",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits
        self._allow_unsandboxed = allow_unsandboxed
        self._python = python
        self._bwrap = bwrap
        self._clock = clock
        self._lock = threading.Lock()
        self._plan: ladder.Plan | None = None
        self._refusal: Rung | None = None
        self._look_again_at = 0.0
        self._host: Host | None = None
        self._disable_userns = False

    @property
    def rung(self) -> Rung:
        """Where code would run now; the first call runs attacks in it and takes about a second."""
        plan, refusal = self._find()
        if plan is not None:
            return plan.rung
        assert refusal is not None
        return refusal

    def run(
        self,
        code: str,
        cases: Sequence[Case],
        *,
        modules: Mapping[str, str] = _NONE,
        cancel: Cancel,
    ) -> Execution:
        """Import `code` as the module `solution`, then run each case in a process of its own.

        `modules` are further importable sources by module name. Raises SandboxError when nothing
        here can contain the code or the sandbox itself broke, Cancelled, and BadInput for a module
        name that can't be imported.
        """
        cancel.check()
        for name in modules:
            if not name.isidentifier() or name == "solution":
                raise BadInput("modules", f"{name!r} can't be the name of a module.")
        plan, refusal = self._find()
        if plan is None:
            assert refusal is not None
            raise SandboxError(
                f"Generated code is not run: {'; '.join(refusal.lacks)}. {refusal.mend}"
            )
        return self._execute(plan, self.limits, code, cases, modules, cancel)

    def _find(self) -> tuple[ladder.Plan | None, Rung | None]:
        with self._lock:
            if self._plan is None and self._clock() >= self._look_again_at:
                self._climb()
                self._look_again_at = self._clock() + _RETRY_S
            return self._plan, self._refusal

    def _climb(self) -> None:
        """Take the first rung that every attack fails on."""
        problem = ""
        try:
            self._host = self._host or describe(self._python)
            if shutil.which(self._bwrap):
                problem = self._try_plans()
        except SandboxError as error:
            problem = error.message
        if self._plan is None:
            self._refusal = ladder.refusal(problem)
            if self._allow_unsandboxed and self._host is not None:
                self._plan = ladder.unsandboxed(self._refusal.mend)

    def _try_plans(self) -> str:
        problem = "this system has no namespaces"
        self._disable_userns = "--disable-userns" in self._bwrap_help()
        limits = Limits(wall_s=30.0, case_s=10.0)
        for plan in ladder.plans():
            with socket.create_server(("127.0.0.1", 0)) as server:
                cases = ladder.attacks(server.getsockname()[1])
                try:
                    execution = self._execute(
                        plan, limits, ladder.CANARY_CODE, cases, _NONE, Cancel()
                    )
                except SandboxError as error:
                    problem = error.message
                    continue
            if execution.status == "passed":
                self._plan = plan
                return ""
            problem = f"an attack on the sandbox was not stopped: {execution.message}"
        return problem

    def _bwrap_help(self) -> str:
        try:
            return subprocess.run(
                [self._bwrap_path(), "--help"],
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                timeout=_HELP_TIMEOUT_S,
            ).stdout
        except (OSError, subprocess.SubprocessError) as error:
            raise SandboxError(f"{self._bwrap} does not start: {error}") from error

    def _bwrap_path(self) -> str:
        return os.path.realpath(shutil.which(self._bwrap) or self._bwrap)

    def _execute(
        self,
        plan: ladder.Plan,
        limits: Limits,
        code: str,
        cases: Sequence[Case],
        modules: Mapping[str, str],
        cancel: Cancel,
    ) -> Execution:
        nonce = secrets.token_hex(16)
        sources = {f"{name}.py": text for name, text in {**modules, "solution": code}.items()}
        job: dict[str, Any] = {
            "bare": plan.bare,
            "uid": plan.uid,
            "limits": asdict(limits),
            "driver": {
                "nonce": nonce,
                "code": code,
                "cases": [{"id": case.id, "source": case.source} for case in cases],
                "limits": asdict(limits),
                "contained": not plan.bare,
                "path": [] if plan.bare else [bubblewrap.PACKAGES],
                "sources": bubblewrap.SOURCES,
                "workdir": bubblewrap.WORKDIR,
            },
        }
        job.update(self._bare(sources) if plan.bare else self._contained(limits, sources))
        launched = launch(job, wall_s=limits.wall_s, cancel=cancel)
        return verdict.judge(launched, nonce, cases, limits)

    def _contained(self, limits: Limits, sources: Mapping[str, str]) -> dict[str, Any]:
        assert self._host is not None
        files = {f"{bubblewrap.SOURCES}/{name}": text for name, text in sources.items()}
        for path in sorted(_INSIDE.glob("*.py")):
            files[f"{bubblewrap.RUNNER}/inside/{path.name}"] = path.read_text(encoding="utf-8")
        return {
            "bwrap": self._bwrap_path(),
            "arguments": bubblewrap.arguments(
                self._host, limits, files, disable_userns=self._disable_userns
            ),
            "command": bubblewrap.command(self._host),
            "environment": {},
        }

    def _bare(self, sources: Mapping[str, str]) -> dict[str, Any]:
        assert self._host is not None
        start = bubblewrap.start_code(str(_INSIDE.parent))
        return {
            "files": {f"sources/{name}": text for name, text in sources.items()},
            "packages": self._host.packages,
            "command": [self._host.executable, *bubblewrap.PYTHON_FLAGS, start],
            "environment": dict(bubblewrap.ENVIRONMENT),
        }

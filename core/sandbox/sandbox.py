"""The sandbox as the rest of the app sees it: `rung`, `run` and `execute`."""

from __future__ import annotations

import base64
import re
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType, TracebackType
from typing import Any

from core.cancel import Cancel
from core.errors import BadInput, SandboxError
from core.events import Case
from core.sandbox import canaries, jobs, ladder, probe, verdict
from core.sandbox.files import check_inputs
from core.sandbox.model import Execution, Limits, ProgramResult, Rung
from core.sandbox.process import Launcher

_RETRY_S = 30.0  # a machine that could not contain code is looked at again after this
_NO_TEXTS: Mapping[str, str] = MappingProxyType({})
_NO_FILES: Mapping[str, bytes] = MappingProxyType({})
_PYTEST = re.compile(r"^\s*(?:import|from)\s+pytest\b", re.MULTILINE)


class Sandbox:
    """Runs code against cases, or as a program. Thread-safe; every run is a sandbox of its own.

    `python` is the interpreter to run it with, `bwrap` the name or path of bubblewrap. With
    `allow_unsandboxed` code runs even where nothing contains it. Without `warm` each sandbox is
    started anew. `only` has the numbers of the rungs that may be taken, () for all. `site` is a
    directory of packages that code may import, or a function that tells it.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        allow_unsandboxed: bool = False,
        python: str = sys.executable,
        bwrap: str = "bwrap",
        clock: Callable[[], float] = time.monotonic,
        warm: bool = True,
        only: Sequence[str] = (),
        site: jobs.Site = None,
    ) -> None:
        self.limits = limits
        self._allow_unsandboxed = allow_unsandboxed
        self._clock = clock
        self._warm = warm
        self._only = tuple(only)
        self._jobs = jobs.Jobs(python, bwrap, site)
        self._launcher = Launcher()
        self._lock = threading.Lock()
        self._plan: ladder.Plan | None = None
        self._refusal: Rung | None = None
        self._look_again_at = 0.0

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all that runs here; a later run starts anew."""
        self._launcher.close()

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
        modules: Mapping[str, str] = _NO_TEXTS,
        files: Mapping[str, bytes] = _NO_FILES,
        cancel: Cancel,
    ) -> Execution:
        """Import `code` as the module `solution`, then run each case in processes of its own.

        `modules` are further importable sources by module name, `files` what each case finds in
        its working directory. Raises SandboxError when nothing here can contain the code or the
        sandbox itself broke, Cancelled, and BadInput for a name that can't be used.
        """
        plan = self._prepare(modules, files, cancel)
        nonce = secrets.token_hex(16)
        job = jobs.driver(nonce, code, modules, files, mode="cases")
        job["cases"] = [{"id": case.id, "source": case.source} for case in cases]
        launched = self._execute(plan, self.limits, job, cancel)
        return verdict.judge(launched, nonce, cases, self.limits)

    def execute(
        self,
        code: str,
        *,
        arguments: Sequence[str] = (),
        stdin: bytes = b"",
        modules: Mapping[str, str] = _NO_TEXTS,
        files: Mapping[str, bytes] = _NO_FILES,
        cancel: Cancel,
    ) -> ProgramResult:
        """Run `code` once as a program, and collect the files that it leaves in its directory.

        Raises as `run` does.
        """
        plan = self._prepare(modules, files, cancel)
        nonce = secrets.token_hex(16)
        job = jobs.driver(nonce, code, modules, files, mode="program")
        job["stdin"] = base64.b64encode(stdin).decode()
        job["arguments"] = list(arguments)
        launched = self._execute(plan, self.limits, job, cancel)
        return verdict.program(launched, nonce, self.limits)

    def _prepare(
        self, modules: Mapping[str, str], files: Mapping[str, bytes], cancel: Cancel
    ) -> ladder.Plan:
        """Check what was handed in; the plan to run it with."""
        cancel.check()
        for name in modules:
            if not name.isidentifier() or name == "solution":
                raise BadInput("modules", f"{name!r} can't be the name of a module.")
        check_inputs(files, modules=modules)
        plan, refusal = self._find()
        if plan is None:
            assert refusal is not None
            raise SandboxError(
                f"Generated code is not run: {'; '.join(refusal.lacks)}. {refusal.mend}"
            )
        return plan

    def _execute(
        self,
        plan: ladder.Plan,
        limits: Limits,
        driver_job: dict[str, Any],
        cancel: Cancel,
        *,
        fall_back: bool = True,
    ) -> dict[str, Any]:
        """What the launcher says of an execution; a warm one may `fall_back` to a cold one."""
        texts = (driver_job["code"], *(case["source"] for case in driver_job["cases"]))
        job = {
            "limits": asdict(limits),
            "preload": ["pytest"] if any(map(_PYTEST.search, texts)) else [],
            "warm": plan.rung.warm and self._warm,
        }
        return self._launcher.run(
            self._jobs.plan(plan, limits),
            job,
            jobs.placed(driver_job, plan, limits),
            wall_s=limits.wall_s,
            cancel=cancel,
            fall_back=fall_back,
        )

    def _find(self) -> tuple[ladder.Plan | None, Rung | None]:
        with self._lock:
            if self._plan is None and self._clock() >= self._look_again_at:
                self._climb()
                self._look_again_at = self._clock() + _RETRY_S
            return self._plan, self._refusal

    def _climb(self) -> None:
        """Take the first rung that every attack fails on."""
        has_bubblewrap = self._jobs.has_bubblewrap
        try:
            host = self._jobs.host
            plans = ladder.plans(self._only, bubblewrap=has_bubblewrap)
            with canaries.released(host, self._launcher.pid) as attacks:
                found, problem = probe.best(
                    plans, attacks, self._attempt, self._only, warm=self._warm
                )
        except SandboxError as error:
            found, problem = None, error.message
        if found is None:
            self._refusal = ladder.refusal(problem if has_bubblewrap else "")
            if self._allow_unsandboxed and (not self._only or "5" in self._only):
                found = ladder.unsandboxed(self._refusal.mend)
        elif problem or not has_bubblewrap:
            found = ladder.with_mend(found, problem if has_bubblewrap else "")
        self._plan = found

    def _attempt(
        self, plan: ladder.Plan, code: str, cases: Sequence[Case]
    ) -> tuple[Execution, Sequence[str]]:
        """Run attacks with `plan`; also the limits that a cgroup kept."""
        limits = Limits(wall_s=30.0, case_s=10.0, scratch_bytes=self.limits.scratch_bytes)
        nonce = secrets.token_hex(16)
        job = jobs.driver(nonce, code, _NO_TEXTS, _NO_FILES, mode="cases")
        job["cases"] = [{"id": case.id, "source": case.source} for case in cases]
        launched = self._execute(plan, limits, job, Cancel(), fall_back=False)
        return verdict.judge(launched, nonce, cases, limits), launched["cgroup"]

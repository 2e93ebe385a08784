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
from core.errors import BadInput, Cancelled, SandboxError
from core.events import Case
from core.sandbox import canaries, jobs, ladder, probe, verdict
from core.sandbox.files import check_inputs
from core.sandbox.model import Execution, Limits, ProgramResult, Rung
from core.sandbox.process import Launcher

_RETRY_S = 30.0  # a machine that could not contain code is looked at again after this
# For one attempt of a look; a launcher that takes longer than both is given up.
_ATTEMPT_S, _ATTEMPT_CASE_S, _ATTEMPT_PATIENCE_S = 6.0, 3.0, 2.0
_TICK_S = 0.1
_NO_TEXTS: Mapping[str, str] = MappingProxyType({})
_NO_FILES: Mapping[str, bytes] = MappingProxyType({})
_PYTEST = re.compile(r"^\s*(?:import|from)\s+pytest\b", re.MULTILINE)


class _Look:
    """A look at this machine that is under way; `cancel` ends it."""

    def __init__(self) -> None:
        self.cancel = Cancel()
        self.done = threading.Event()


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
        self._looking: _Look | None = None
        self._is_certain = False  # a further look would find the same
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
        """End all that runs here, also a look; a later run starts anew."""
        with self._lock:
            looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel.set()
            looking.done.set()
        self._launcher.close()

    @property
    def rung(self) -> Rung:
        """Where code would run now, as far as it is known: nobody waits for another's look.

        Who asks first takes that look, of about a second, unless `start_look` has begun it.
        """
        looking, is_first = self._begin()
        if looking is not None and is_first:
            looking.done.wait()
        return self._known()

    def start_look(self) -> None:
        """Begin to look at this machine if need be, in the background."""
        self._begin()

    def look(self, cancel: Cancel | None = None, *, timeout_s: float | None = None) -> Rung:
        """Where code would run now, after the look that this takes; raises Cancelled.

        After `timeout_s` seconds it is what is known by then.
        """
        self._settle(cancel or Cancel(), timeout_s)
        return self._known()

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
        self._settle(cancel, None)
        with self._lock:
            plan, refusal = self._plan, self._refusal
        if plan is None:
            if refusal is None:
                raise SandboxError("The sandbox was closed while it ran something.")
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
        look: bool = False,
    ) -> dict[str, Any]:
        """What the launcher says of an execution; all is brief for a `look`."""
        texts = (driver_job["code"], *(case["source"] for case in driver_job["cases"]))
        job = {
            "limits": asdict(limits),
            "start_s": _ATTEMPT_S if look else None,
            "preload": ["pytest"] if any(map(_PYTEST.search, texts)) else [],
            "warm": plan.rung.warm and self._warm,
        }
        return self._launcher.run(
            self._jobs.plan(plan, limits),
            job,
            jobs.placed(driver_job, plan, limits),
            wall_s=limits.wall_s,
            cancel=cancel,
            fall_back=not look,
            patience_s=_ATTEMPT_PATIENCE_S if look else None,
        )

    def _known(self) -> Rung:
        with self._lock:
            if self._plan is not None:
                return self._plan.rung
            return self._refusal or ladder.LOOKING

    def _begin(self) -> tuple[_Look | None, bool]:
        """The look that is under way, begun here if it is time; and whether it is the first."""
        with self._lock:
            if self._looking is not None or not self._is_due():
                return self._looking, False
            looking = self._looking = _Look()
            is_first = self._plan is None and self._refusal is None
        threading.Thread(
            target=self._take_look, args=(looking,), name="sandbox-look", daemon=True
        ).start()
        return looking, is_first

    def _is_due(self) -> bool:
        return not self._is_certain and self._clock() >= self._look_again_at

    def _settle(self, cancel: Cancel, timeout_s: float | None) -> None:
        """Wait for a look that decides where code runs; one for a better rung is not waited for."""
        looking, _ = self._begin()
        give_up = time.monotonic() + (float("inf") if timeout_s is None else timeout_s)
        while looking is not None and not looking.done.is_set():
            plan = self._plan
            if (plan is not None and plan.rung.safe) or time.monotonic() >= give_up:
                return
            cancel.check()
            looking.done.wait(_TICK_S)

    def _take_look(self, looking: _Look) -> None:
        try:
            plan, refusal, is_certain = self._climb(looking.cancel)
        except Cancelled:
            return  # who has cancelled it has also told everybody
        except Exception as error:
            # A thread's top: whoever waits for it must learn of any fault.
            fault = f"the look at this machine failed: {error!r}"
            problem = ladder.Problem(text=fault, passing=True)
            plan, refusal, is_certain = None, ladder.refusal(problem, bubblewrap=True), False
        with self._lock:
            if self._looking is looking:
                self._looking = None
                self._refusal, self._is_certain = refusal, is_certain
                if plan != self._plan:
                    self._plan = plan
                self._look_again_at = self._clock() + _RETRY_S
        looking.done.set()

    def _climb(self, cancel: Cancel) -> tuple[ladder.Plan | None, Rung | None, bool]:
        """Find the first rung that every attack fails on.

        The plan, or the refusal, and whether a further look would find the same.
        """
        has_bubblewrap = self._jobs.has_bubblewrap
        try:
            host = self._jobs.host
        except SandboxError as error:
            return None, ladder.no_interpreter(error.message), False
        cancel.check()

        def attempt(
            plan: ladder.Plan, code: str, cases: Sequence[Case]
        ) -> tuple[Execution, Sequence[str]]:
            return self._attempt(plan, code, cases, cancel)

        try:
            plans = ladder.plans(self._only, bubblewrap=has_bubblewrap)
            with canaries.released(host, self._launcher.start()) as attacks:
                seen = probe.best(plans, attacks, attempt, self._only, warm=self._warm)
        except (SandboxError, OSError) as error:
            fault = ladder.Problem(text=str(error), passing=True)
            seen = probe.Seen(plan=None, problem=fault, clean=False)
        found, problem = seen.plan, seen.problem
        before = self._plan
        if before is not None and not seen.clean and self._still_holds(before, seen):
            return before, None, False
        if found is None:
            refusal = ladder.refusal(problem, bubblewrap=has_bubblewrap)
            may_be_bare = not self._only or "5" in self._only
            if self._allow_unsandboxed and may_be_bare and seen.clean:
                return ladder.unsandboxed(refusal.mend), None, False
            return None, refusal, False
        if problem is not None or not has_bubblewrap:
            found = ladder.with_mend(found, problem, bubblewrap=has_bubblewrap)
        return found, None, problem is None and seen.clean

    def _still_holds(self, before: ladder.Plan, seen: probe.Seen) -> bool:
        """Whether what may pass would be the only reason to leave `before` for a lower rung."""
        let_through = any(
            (plan.way, plan.userns, plan.uid) == (before.way, before.userns, before.uid)
            for plan in seen.unsafe
        )
        is_higher = seen.plan is not None and seen.plan.rung.number < before.rung.number
        return before.rung.safe and not let_through and not is_higher

    def _attempt(
        self, plan: ladder.Plan, code: str, cases: Sequence[Case], cancel: Cancel
    ) -> tuple[Execution, Sequence[str]]:
        """Run attacks with `plan`; also the limits that a cgroup kept."""
        limits = Limits(
            wall_s=_ATTEMPT_S, case_s=_ATTEMPT_CASE_S, scratch_bytes=self.limits.scratch_bytes
        )
        nonce = secrets.token_hex(16)
        job = jobs.driver(nonce, code, _NO_TEXTS, _NO_FILES, mode="cases")
        job["cases"] = [{"id": case.id, "source": case.source} for case in cases]
        launched = self._execute(plan, limits, job, cancel, look=True)
        if launched["outcome"] == "wall":
            raise probe.Late(f"the attacks on the sandbox did not end within {_ATTEMPT_S:g} s")
        return verdict.judge(launched, nonce, cases, limits), launched["cgroup"]

"""Whether code is right: the official test of its task, run in the sandbox after the run ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bench.humaneval_tasks import Task
from core.cancel import Cancel
from core.errors import SandboxError
from core.events import Case
from core.sandbox import Limits, Sandbox

# The slowest of the authors' own solutions takes a quarter of a second: what is not done by then
# is wrong, also on a machine that is busy with a model.
LIMITS = Limits(wall_s=60.0, case_s=40.0, cpu_s=30)
TRIES = 2  # where the sandbox and not the code failed

Ruling = Literal["right", "wrong", "timeout", "fault"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Official:
    """What the official test says. 'fault': the sandbox failed, so nothing is known."""

    ruling: Ruling
    message: str

    @property
    def right(self) -> bool | None:
        """Whether the code is right; None where nobody knows."""
        return None if self.ruling == "fault" else self.ruling == "right"


def official_case(task: Task) -> Case:
    """The official test as one case: it defines `check` and calls it with the candidate's function.

    The prompt's own helpers stand in it, because some tests call them. Helpers of the same name in
    the candidate are left alone: it uses its own.
    """
    source = "\n".join([task.helpers, task.test, f"check({task.entry_point})"])
    return Case(id="official", source=source, origin="yours")


def judge(sandbox: Sandbox, task: Task, code: str) -> Official:
    """Run the official test on the code as it is: what it imports or needs, it must hold itself."""
    message = ""
    for _ in range(TRIES):
        try:
            execution = sandbox.run(code, [official_case(task)], cancel=Cancel())
        except SandboxError as error:
            message = error.message
            continue
        if execution.status == "passed":
            return Official(ruling="right", message="")
        ruling: Ruling = "timeout" if execution.status == "timeout" else "wrong"
        return Official(ruling=ruling, message=execution.message[:200])
    return Official(ruling="fault", message=message)


def faults(sandbox: Sandbox, tasks: Iterable[Task]) -> list[str]:
    """What the judge itself gets wrong, as sentences: the authors' solutions must be right, and a
    function without a body, no code at all, and another function must not be."""
    found = []
    for task in tasks:
        right = judge(sandbox, task, task.solution)
        if right.ruling != "right":
            found.append(f"{task.number}: the authors' solution is {right}")
        for code in (task.empty, "", f"def {task.entry_point}(*_):\n    return _"):
            if judge(sandbox, task, code).ruling != "wrong":
                found.append(f"{task.number}: {code[-40:]!r} is not wrong")
    return found

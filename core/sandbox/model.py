"""The values that go into and come out of the sandbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.events import CaseResult, Status
from core.sandbox.files import OutputFile

MIB = 1024 * 1024
BEING_LOOKED_AT = "being looked at"
NO_CASE_RAN = "no test case ran"
"""The message of an execution whose code could be imported, and which was given no case."""
ProgramStatus = Literal["finished", "timeout", "memory", "output", "crash"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one execution may use; every value is above 0.

    `wall_s` bounds the whole execution, `case_s` the import and each case, `cpu_s` (whole seconds)
    the CPU time of each process. `memory_bytes` bounds each process's address space and the
    memory of all together, `output_bytes` stdout and stderr together, `scratch_bytes` each of
    /job and /tmp as well as any one file, and `processes` counts threads too. `files_bytes` bounds
    the files that are taken out of an execution together, `files` their number.
    """

    wall_s: float = 10.0
    case_s: float = 4.0
    cpu_s: int = 10
    memory_bytes: int = 512 * MIB
    output_bytes: int = 1 * MIB
    scratch_bytes: int = 64 * MIB
    processes: int = 64
    files_bytes: int = 16 * MIB
    files: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """How well this machine can contain code: `number` as in the ladder, '1' best, '5' none.

    `lacks` says what a better rung would add, `mend` what to do to get one ('' when there is
    nothing to do). Code runs on a rung that is not `safe` only when the config allows it by name.
    With `warm` a new sandbox is a fork of a process that has started already. While nobody knows
    yet, `name` is BEING_LOOKED_AT.
    """

    number: str
    name: str
    safe: bool
    lacks: tuple[str, ...] = ()
    mend: str = ""
    warm: bool = False

    @property
    def runs(self) -> bool:
        """Whether code is run here at all."""
        return self.name not in ("none", BEING_LOOKED_AT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One sandbox process and its result.

    `cases` has a result for every case that was asked for, in order. `message` is '' when all
    passed. `stderr` ends with the traceback of the first failing case. `peak_bytes` and `cpu_s`
    are the candidate's processes, not ours.
    """

    status: Status
    message: str
    cases: tuple[CaseResult, ...]
    stdout: str
    stderr: str
    seconds: float
    peak_bytes: int
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramResult:
    """One run of the code as a program.

    `exit_code` is None where it did not end by itself, -N where signal N ended it. `files` are
    those that it left, `refused` a sentence about each that was not taken.
    """

    status: ProgramStatus
    exit_code: int | None
    message: str
    stdout: str
    stderr: str
    files: tuple[OutputFile, ...]
    refused: tuple[str, ...]
    seconds: float
    peak_bytes: int
    cpu_s: float

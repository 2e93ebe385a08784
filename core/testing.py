"""The stage that executes a candidate against the suite."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict

from core.context import Context
from core.events import CaseResult, ExecutionFinished
from core.packet import tail
from core.steps import Json
from core.tools import Skill

# What of the generated code's output is kept, in characters: the end tells most.
KEPT_OUTPUT = 16_000


def execute(
    context: Context,
    candidate: str,
    skills: Sequence[Skill],
    *,
    again: str = "",
    framed: bool = True,
) -> ExecutionFinished:
    """Run the candidate against every case that is not disputed; skills are importable in it.

    `again` names a further execution of the same candidate; it replaces the one before. Parts of a
    run that go on at the same time are not `framed` as a stage: the stages are the body's.
    """
    state = context.state()
    name = f"{candidate}-{again}" if again else candidate
    written = state.candidate(candidate)
    assert written is not None
    code = written.code

    def work() -> Json:
        execution = context.ports.sandbox.run(
            code,
            [case for case in state.cases if not case.disputed],
            modules={skill.name: skill.source for skill in skills},
            files=context.writer.files(),
            cancel=context.writer.cancel,
        )
        return {
            "status": execution.status,
            "message": execution.message,
            "cases": [asdict(result) for result in execution.cases],
            "stdout": tail(execution.stdout, KEPT_OUTPUT),
            "stderr": tail(execution.stderr, KEPT_OUTPUT),
            "seconds": execution.seconds,
            "peak_bytes": execution.peak_bytes,
            "cpu_s": execution.cpu_s,
        }

    with context.writer.stage("execute", name) if framed else nullcontext():
        result = dict(context.recorded(f"execute-{name}", work))
        cases = tuple(CaseResult(**case) for case in result.pop("cases"))
        finished = ExecutionFinished(candidate=candidate, cases=cases, **result)
        context.writer.write(finished, key=f"execution:{name}")
    return finished

"""The stage that executes a candidate against the suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from itertools import count

from core.cancel import Cancel
from core.context import Context
from core.events import Case, CaseResult, ExecutionFinished
from core.packet import tail
from core.sandbox import Sandbox
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
    """Run the candidate against every case that counts; skills are importable in it.

    `again` names a further execution of the same candidate; it replaces the one before. Parts of a
    run that go on at the same time are not `framed` as a stage: the stages are the body's. The
    user's answers up to the execution's end have their say in it, and in what the run does next.
    """
    name = f"{candidate}-{again}" if again else candidate
    for number in count():
        step = f"{name}-answered-{number}" if number else name
        with context.writer.stage("execute", step) if framed else nullcontext():
            finished, outdated = _once(context, candidate, skills, step)
        if not outdated:
            break
    return finished


def _once(
    context: Context, candidate: str, skills: Sequence[Skill], name: str
) -> tuple[ExecutionFinished, bool]:
    """The execution, and whether an answer changed the suite meanwhile."""
    writer = context.writer

    def work() -> Json:
        answers = writer.newest_answers()
        writer.take_in(answers)
        state = context.state()
        written = state.candidate(candidate)
        assert written is not None
        result = run_cases(
            context.ports.sandbox,
            written.code,
            state.cases,
            modules={skill.name: skill.source for skill in skills},
            files=writer.files(),
            cancel=writer.cancel,
        )
        return result | {"answers": answers, "outdated": writer.newest_answers() != answers}

    result = dict(context.recorded(f"execute-{name}", work))
    # Runs that began before answers were known have neither.
    writer.take_in(result.pop("answers", -1))
    outdated = bool(result.pop("outdated", False))
    finished = finished_execution(candidate, result)
    writer.write(finished, key=f"execution:{name}")
    return finished, outdated


def run_cases(
    sandbox: Sandbox,
    code: str,
    cases: Sequence[Case],
    *,
    modules: Mapping[str, str],
    files: Mapping[str, bytes],
    cancel: Cancel,
) -> dict[str, Json]:
    """Execute `code` with those cases that count: the fields of ExecutionFinished as plain JSON.

    Raises as Sandbox.run does.
    """
    execution = sandbox.run(
        code,
        [case for case in cases if case.counts],
        modules=modules,
        files=files,
        cancel=cancel,
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


def finished_execution(candidate: str, result: Mapping[str, Json]) -> ExecutionFinished:
    """The event of what `run_cases` returned."""
    rest = {name: value for name, value in result.items() if name != "cases"}
    cases = tuple(CaseResult(**case) for case in result["cases"])
    return ExecutionFinished(candidate=candidate, cases=cases, **rest)

"""What a prompt is made of: plain projections of a run's state, short enough for small models."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from core.events import Case, ExecutionFinished
from core.failures import kind
from core.inputs import told
from core.prompts import render
from core.reading.pysource import DEFINITIONS, parse
from core.state import CandidateState, RunState

MAX_FAILURES = 3
MAX_STRATEGY = 2500
MAX_ERROR = 3000
MAX_STDOUT = 1000
HINTS = {
    "slow": "It takes too long: look for an endless loop, then for a faster way.",
    "name": "A name is missing: import or define everything that the code uses.",
}
"""What a model is told besides, by kind of failure."""


def head(text: str, limit: int) -> str:
    """At most `limit` characters of the beginning, with a mark where text was left out."""
    return text if len(text) <= limit else text[:limit] + "\n[... cut]"


def tail(text: str, limit: int) -> str:
    """At most `limit` characters of the end, with a mark where text was left out."""
    return text if len(text) <= limit else "[cut ...]\n" + text[-limit:]


def error_output(execution: ExecutionFinished, cases: Sequence[Case]) -> str:
    """What went wrong, most telling first: status, up to three failing cases, the traceback."""
    sources = {case.id: case.source for case in cases}
    lines = [execution.message] if execution.message else []
    # What the user rejected meanwhile is nobody's task.
    wrong = {case.id for case in cases if not case.counts}
    bad = ("failed", "error", "timeout")
    failures = [r for r in execution.cases if r.result in bad and r.id not in wrong]
    for result in failures[:MAX_FAILURES]:
        lines.append(f"This case {result.result}:\n{sources.get(result.id, result.id)}")
        lines.append(f"  {result.message}")
    if len(failures) > MAX_FAILURES:
        lines.append(f"({len(failures) - MAX_FAILURES} more cases fail)")
    if execution.stderr.strip():
        lines.append(tail(execution.stderr.strip(), MAX_ERROR // 2))
    return head("\n".join(lines), MAX_ERROR)


def judged_code(code: str, goal: str) -> str:
    """The code, with a word in place of each docstring that only repeats the goal.

    The goal stands beside it, and a small model takes seconds to read it twice.
    """
    tree = parse(code)
    if tree is None or "\r" in code:  # a line of its own to the parser only
        return code
    lines = code.split("\n")
    gone: set[int] = set()
    known = " ".join(goal.split())
    for node in ast.walk(tree):
        if not isinstance(node, DEFINITIONS) or len(node.body) < 2:
            continue
        text = " ".join((ast.get_docstring(node) or "").split())
        first = node.body[0]
        end = first.end_lineno or first.lineno
        alone = first.lineno > node.lineno and node.body[1].lineno > end
        if text and text in known and alone:
            lines[first.lineno - 1] = " " * first.col_offset + '"""As the goal says."""'
            gone.update(range(first.lineno, end))
    return "\n".join(line for number, line in enumerate(lines) if number not in gone)


def judged_output(candidate: CandidateState, cases: Sequence[Case]) -> str:
    """The executed suite in a few lines, for the models that judge."""
    execution = candidate.execution
    if execution is None:
        return "The code was not executed."
    counted = f"{candidate.passed} of {candidate.total} cases passed."
    if execution.status == "passed":
        return counted
    return f"{counted}\n{head(error_output(execution, cases), 1200)}"


def surroundings(state: RunState) -> dict[str, str]:
    """What the code will find where it runs, as the prompts' values `packages` and `files`."""
    offered = state.packages.packages if state.packages else ()
    return {"packages": ", ".join(offered), "files": told(state.files)}


def escalation_prompt(state: RunState, candidate: CandidateState, tools: str) -> str:
    """The full context of a failure: goal, strategy, tools, code, error, output, past attempts."""
    execution = candidate.execution
    return render(
        "escalate",
        goal=state.goal,
        strategy=head(state.strategy, MAX_STRATEGY),
        tools=tools,
        code=candidate.code.strip("\n"),
        error=error_output(execution, state.cases) if execution else "The code was not executed.",
        hint=HINTS.get(kind(execution), "") if execution else "",
        stdout=tail(execution.stdout.strip(), MAX_STDOUT) if execution else "",
        earlier=_earlier(state, candidate),
        name=state.name,
        signature=state.signature,
        **surroundings(state),
    )


def _earlier(state: RunState, current: CandidateState) -> str:
    """One line per attempt so far: what came of it."""
    lines = []
    for candidate in state.candidates:
        if candidate.attempt == 0 or candidate.execution is None:
            continue
        what = "the code above" if candidate is current else "dropped"
        line = f"- attempt {candidate.attempt} ({what}): {candidate.passed} of {candidate.total} "
        lines.append(line + f"cases passed; {head(first_error(candidate.execution), 160)}")
    return "\n".join(lines)


def first_error(execution: ExecutionFinished) -> str:
    """One line that says why the execution was not a pass; '' if it was."""
    if execution.status == "passed":
        return ""
    failures = [r for r in execution.cases if r.result in ("failed", "error", "timeout")]
    text = execution.message or (failures[0].message if failures else execution.status)
    return " ".join(text.split())


def error_signature(execution: ExecutionFinished) -> tuple[str, ...]:
    """Two executions with the same signature went wrong in the same way."""
    failing = tuple(f"{r.id}:{r.result}:{r.message}" for r in execution.cases if r.message)
    return (execution.status, execution.message, *failing)

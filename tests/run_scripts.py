"""Runs as the engine writes them, event by event, so that a page can be shown at any moment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from core import events as ev
from core.log import EventLog

GOAL = """Parse a duration like "1h30m" into seconds.
parse_duration("1h30m") == 5400"""
ENDPOINT = "http://127.0.0.1:11434"
SPARE = "http://192.168.0.56:11434"
FIRST_CODE = '''"""Durations."""

import re


def parse_duration(text: str) -> int:
    """Seconds in a duration like "1h30m"."""
    units = {"h": 3600, "m": 60}
    total = 0
    for amount, unit in re.findall(r"(\\d+)([hms])", text):
        total += int(amount) * units[unit]
    return total
'''
FIXED_CODE = FIRST_CODE.replace('"m": 60}', '"m": 60, "s": 1}')
WORSE_CODE = FIRST_CODE.replace("int(amount)", "len(amount)")
CASES = (
    ev.Case(id="yours-1", source='assert parse_duration("1h30m") == 5400', origin="yours"),
    ev.Case(id="g-1", source='assert parse_duration("45s") == 45', origin="generated"),
    ev.Case(id="g-2", source='assert parse_duration("2h") == 7200', origin="generated"),
    ev.Case(id="g-3", source='assert parse_duration("") == 0', origin="generated", disputed=True),
)
PLAN = (
    "Find each number with its unit by a regular expression and add them up.\n"
    "Edge cases: the empty text is 0; seconds count too; order does not matter."
)
TRACEBACK = """Traceback (most recent call last):
  File "case g-1", line 1, in <module>
  File "candidate.py", line 11, in parse_duration
    total += int(amount) * units[unit]
KeyError: 's'
"""


def started(goal: str = GOAL) -> ev.RunStarted:
    """The first event."""
    return ev.RunStarted(goal=goal, config_digest="0123456789ab", rung="bubblewrap")


def call(
    name: str,
    role: ev.Role,
    purpose: str,
    text: str,
    *,
    prompt: str = "",
    failover: bool = False,
    model: str = "qwen2.5-coder:14b",
) -> Iterator[ev.Payload]:
    """A question and its whole answer, token by token."""
    asked = prompt or f"ORIGINAL GOAL:\n{GOAL}\n\nYOUR TASK: {purpose}\n"
    yield ev.PromptWritten(call=name, role=role, purpose=purpose, text=asked)

    def sent(endpoint: str) -> ev.RequestSent:
        return ev.RequestSent(
            call=name,
            role=role,
            model=model,
            endpoint=endpoint,
            characters=len(asked),
            prompt_tokens_estimated=len(asked) // 4,
            context_size=8192,
        )

    if failover:
        yield sent(SPARE)
        yield ev.EndpointFailed(
            call=name,
            role=role,
            endpoint=SPARE,
            error="refused",
            message="Connection refused. Is the server running?",
            cooldown_s=5.0,
        )
    yield sent(ENDPOINT)
    for start in range(0, len(text), 60):
        yield ev.TokensArrived(call=name, text=text[start : start + 60])
    yield ev.ReplyReceived(
        call=name,
        tokens_in=len(asked) // 4,
        tokens_out=len(text) // 4,
        first_token_s=0.42,
        seconds=0.42 + len(text) / 160,
        finish_reason="stop",
    )


def executed(candidate: str, failing: dict[str, str], stdout: str = "") -> ev.ExecutionFinished:
    """A candidate's execution in which the cases of `failing` end with these messages."""
    message = next(iter(failing.values()), "")
    return ev.ExecutionFinished(
        candidate=candidate,
        status="failed" if failing else "passed",
        message=message,
        cases=tuple(
            ev.CaseResult(
                id=case.id,
                result="error" if case.id in failing else "passed",
                message=failing.get(case.id, ""),
                seconds=0.01,
            )
            for case in CASES
        ),
        stdout=stdout,
        stderr=TRACEBACK if failing else "",
        seconds=0.21,
        peak_bytes=11_300_000,
        cpu_s=0.08,
    )


def written(attempt: int, code: str) -> ev.CandidateWritten:
    """A version of the code."""
    return ev.CandidateWritten(
        candidate=f"c{attempt}",
        attempt=attempt,
        code=code,
        model="codellama" if attempt == 0 else "qwen2.5-coder:14b",
        endpoint=ENDPOINT,
    )


def planned(goal: str = GOAL) -> Iterator[ev.Payload]:
    """From the start to the plan."""
    yield started(goal)
    yield ev.StageStarted(stage="tools")
    yield ev.ToolsFound(names=("split_units",), why="It reads numbers with units.")
    yield ev.StageFinished(stage="tools", seconds=0.02)
    yield ev.StageStarted(stage="strategy")
    yield from call("strategy.1.1", "overseer", "strategy", PLAN, model="llama3")
    signature = "def parse_duration(text: str) -> int:"
    yield ev.StrategyWritten(text=PLAN, name="parse_duration", signature=signature)
    yield ev.StageFinished(stage="strategy", seconds=3.1)


def drafted(goal: str = GOAL) -> Iterator[ev.Payload]:
    """From the start to a first draft that fails one case."""
    yield from planned(goal)
    yield ev.StageStarted(stage="code")
    yield ev.StageStarted(stage="tests")
    yield from call(
        "code.1.1",
        "generator",
        "code",
        f"```python\n{FIRST_CODE}```\n",
        failover=True,
        model="codellama",
    )
    yield written(0, FIRST_CODE)
    yield ev.StageFinished(stage="code", seconds=5.2)
    cases = "\n".join(case.source for case in CASES[1:])
    yield from call("tests.1.1", "generator", "tests", cases, model="codellama")
    yield ev.TestsWritten(cases=CASES)
    yield ev.StageFinished(stage="tests", seconds=4.4)
    yield ev.StageStarted(stage="execute")
    yield executed("c0", {"g-1": "KeyError: 's'"}, stdout="parsing\n")
    yield ev.StageFinished(stage="execute", seconds=0.3)


def attempt(number: int, code: str, failing: dict[str, str]) -> Iterator[ev.Payload]:
    """One escalation attempt and its execution."""
    yield ev.StageStarted(stage="escalate")
    yield ev.EscalationStarted(
        attempt=number, of=3, model="qwen2.5-coder:14b", reason="KeyError: 's'"
    )
    prompt = (
        f"ORIGINAL GOAL:\n{GOAL}\n\nOVERSEER STRATEGY:\n{PLAN}\n\nCURRENT CODE:\n{FIRST_CODE}\n"
        f"ERROR OUTPUT:\n{TRACEBACK}\nSTDOUT:\nparsing\n\nYOUR TASK:\n1. Mend the error.\n"
    )
    text = f"The unit is missing.\n```python\n{code}```\n"
    yield from call(f"escalate-{number}.1.1", "escalation", "escalate", text, prompt=prompt)
    yield written(number, code)
    yield ev.StageFinished(stage="escalate", seconds=6.0)
    yield ev.StageStarted(stage="execute")
    yield executed(f"c{number}", failing)
    yield ev.StageFinished(stage="execute", seconds=0.5)


def judged() -> Iterator[ev.Payload]:
    """Triage and the evaluator's opinion."""
    yield ev.StageStarted(stage="triage")
    yield from call("triage.1.1", "triage", "triage", "PASS: it works", model="tinyllama")
    yield ev.TriageGiven(passed=True, reason="All cases pass and the code reads each unit.")
    yield ev.StageFinished(stage="triage", seconds=0.7)
    yield ev.StageStarted(stage="evaluate")
    yield from call("evaluate.1.1", "evaluator", "evaluate", "9 8 6", model="llama3")
    scores = (
        ev.Score(name="correctness", value=9, reason="Every unit is read."),
        ev.Score(name="clarity", value=8, reason="Short, with a docstring."),
        ev.Score(name="robustness", value=3, reason="Text without units gives 0 silently."),
    )
    yield ev.ScoreGiven(scores=scores, reason="Good for everyday use.")
    yield ev.StageFinished(stage="evaluate", seconds=2.2)


def passed_run(goal: str = GOAL) -> Iterator[ev.Payload]:
    """A failing first draft, attempt 1 of 3, success."""
    yield from drafted(goal)
    yield from attempt(1, FIXED_CODE, {})
    yield from judged()
    yield ev.SkillSaved(name="parse_duration")
    yield ev.RunFinished(
        outcome="passed",
        reason="Passed after 1 attempt to mend it.",
        candidate="c1",
        code=FIXED_CODE,
        passed=4,
        total=4,
    )


def failed_run() -> Iterator[ev.Payload]:
    """Two attempts in vain, the first of them rolled back."""
    yield from drafted()
    failing = {"yours-1": "AssertionError: 3660 != 5400", "g-1": "KeyError: 's'"}
    yield from attempt(1, WORSE_CODE, failing)
    yield ev.CandidateRolledBack(candidate="c1", kept="c0", reason="It passes less than c0 does.")
    yield from attempt(2, FIRST_CODE, {"g-1": "KeyError: 's'"})
    yield ev.EscalationEnded(reason="Attempt 2 gave the same code as attempt 0 again.")
    yield ev.RunFinished(
        outcome="failed",
        reason="1 of 4 cases still fails: KeyError: 's'",
        candidate="c0",
        code=FIRST_CODE,
        passed=3,
        total=4,
    )


def unconfirmed_run() -> Iterator[ev.Payload]:
    """It passes, and that is all that is known."""
    *before, end = passed_run()
    yield from (one for one in before if not isinstance(one, ev.SkillSaved))
    assert isinstance(end, ev.RunFinished)
    yield replace(
        end, outcome="unconfirmed", reason="Passes all 4 cases. But no second program confirms it."
    )


def cancelled_run() -> Iterator[ev.Payload]:
    """Cancelled while the code was being written."""
    yield from planned()
    yield ev.StageStarted(stage="code")
    yield from list(call("code.1.1", "generator", "code", FIRST_CODE))[:5]
    yield ev.CancelRequested()
    yield ev.CallFailed(call="code.1.1", error="Cancelled", message="Cancelled")
    yield ev.RunFinished(outcome="cancelled", reason="You stopped it during the stage code.")


def resumed_run() -> Iterator[ev.Payload]:
    """The process was killed while the code was being written; another took the run up."""
    yield from planned()
    yield ev.StageStarted(stage="code")
    yield from list(call("code.1.1", "generator", "code", FIRST_CODE))[:5]
    yield ev.RunResumed(times=1)
    yield from call("code.2.1", "generator", "code", FIXED_CODE)
    yield written(0, FIXED_CODE)
    yield ev.StageFinished(stage="code", seconds=5.2)
    yield ev.StageStarted(stage="tests")
    yield ev.TestsWritten(cases=CASES)
    yield ev.StageFinished(stage="tests", seconds=0.1)
    yield ev.StageStarted(stage="execute")
    yield executed("c0", {})
    yield ev.StageFinished(stage="execute", seconds=0.3)
    yield ev.RunFinished(
        outcome="passed",
        reason="Passed at the first draft.",
        candidate="c0",
        code=FIXED_CODE,
        passed=4,
        total=4,
    )


def error_run() -> Iterator[ev.Payload]:
    """Nobody could answer."""
    yield started()
    yield ev.StageStarted(stage="strategy")
    asked = ev.PromptWritten(call="strategy.1.1", role="overseer", purpose="strategy", text="Plan")
    yield asked
    message = "overseer: 1 endpoint tried - refused. Start Ollama or set embedded: auto."
    yield ev.CallFailed(call="strategy.1.1", error="NoEndpointLeft", message=message)
    yield ev.RunFinished(outcome="error", reason=message)


RUNS = {
    "passed": passed_run,
    "failed": failed_run,
    "unconfirmed": unconfirmed_run,
    "cancelled": cancelled_run,
    "resumed": resumed_run,
    "error": error_run,
}


def write(log: EventLog, run_id: str, payloads: Iterable[ev.Payload]) -> None:
    """Begin the run and append the rest of `payloads`."""
    rest = iter(payloads)
    first = next(rest)
    assert isinstance(first, ev.RunStarted)
    log.create(run_id, first)
    log.claim(run_id)
    for payload in rest:
        log.append(run_id, payload)

"""The flow that CodeEvolver grew from, for comparison: plan, code, tests, up to three escalations.

The plan is the overseer's, the code is written from it, the tests are the model's own, really run,
and each failure goes to the stronger model with the full context. Nothing that came later: no cases
out of the goal's examples, no further drafts, no disputes, no return to a better candidate. Prompts
and the reading of replies are the product's, so that only the flow differs.
"""

from __future__ import annotations

from dataclasses import replace

from bench.humaneval_calls import Asking, code_in
from bench.humaneval_records import Answer
from core.cancel import Cancel
from core.events import Case, ExecutionFinished
from core.packet import MAX_STRATEGY, escalation_prompt, first_error, head
from core.prompts import render
from core.replies import Plan, extract_plan
from core.services import Services
from core.state import CandidateState, RunState
from core.stub import code_stub
from core.suite import cases_from_replies, counts

ATTEMPTS = 3
CASES = 6
PLAN_TOKENS, TEST_TOKENS = 500, 700
WARM = 0.2  # the temperature of plans and tests, and one step up for each escalation
NOTHING = {"tools": "", "files": "", "packages": ""}


def seed(services: Services, goal: str) -> Answer:
    """Called passed when the final code passes the model's own tests; without any, failed."""
    asking = Asking(services.client)
    plan = _plan(asking, goal)
    shown = {"goal": goal, "strategy": head(plan.text, MAX_STRATEGY)}
    room = services.config.current.run.max_tokens
    stub = code_stub(goal, plan.name, plan.signature)
    prompt = render("code", stub=stub, strategy=shown["strategy"], in_other_words=False, **NOTHING)
    reply = asking.ask("generator", prompt, temperature=0.0, max_tokens=room)
    cases = _cases(asking, plan, shown)
    run = RunState(
        run_id="", goal=goal, strategy=plan.text, name=plan.name, signature=plan.signature
    )
    run = replace(run, cases=cases)
    now = _executed(services, run, 0, code_in(reply, plan.name))
    for attempt in range(1, ATTEMPTS + 1 if cases else 1):
        if now.passes:
            break
        prompt = escalation_prompt(run, now, "")
        reply = asking.ask("escalation", prompt, temperature=WARM * attempt, max_tokens=room)
        now = _executed(services, run, attempt, code_in(reply, plan.name))
    return _answer(asking, run, now)


def _plan(asking: Asking, goal: str) -> Plan:
    given = extract_plan("", goal).name
    name = given if given in goal else ""
    prompt = render("strategy", goal=goal, name=name, **NOTHING)
    reply = asking.ask("overseer", prompt, temperature=WARM, max_tokens=PLAN_TOKENS)
    return extract_plan(reply.text, goal)


def _cases(asking: Asking, plan: Plan, shown: dict[str, str]) -> tuple[Case, ...]:
    prompt = render(
        "tests",
        name=plan.name,
        signature=plan.signature,
        call=f"{plan.name}(...)",
        examples="",
        count=CASES,
        files="",
        packages="",
        **shown,
    )
    reply = asking.ask("generator", prompt, temperature=WARM, max_tokens=TEST_TOKENS)
    return cases_from_replies([reply.text], plan, limit=CASES)


def _executed(services: Services, run: RunState, attempt: int, code: str) -> CandidateState:
    execution = services.sandbox.run(code, run.cases, cancel=Cancel())
    finished = ExecutionFinished(
        candidate=f"c{attempt}",
        status=execution.status,
        message=execution.message,
        cases=execution.cases,
        stdout=execution.stdout,
        stderr=execution.stderr,
        seconds=execution.seconds,
        peak_bytes=execution.peak_bytes,
        cpu_s=execution.cpu_s,
    )
    return CandidateState(
        candidate=f"c{attempt}",
        attempt=attempt,
        code=code,
        model="",
        endpoint="",
        execution=finished,
    )


def _answer(asking: Asking, run: RunState, final: CandidateState) -> Answer:
    assert final.execution is not None
    suite = counts(run.cases, final.execution.cases)
    reason = "" if run.cases else "No usable test case was written."
    return Answer(
        code=final.code,
        outcome="passed" if final.passes else "failed",
        reason=reason or first_error(final.execution)[:300],
        generated=(suite.generated_passed, suite.generated_total),
        candidates=final.attempt + 1,
        **asking.costs(),
    )

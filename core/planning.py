"""The stages before anything runs: tools, strategy, code and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial

from core.ask import StepFailed
from core.context import Context
from core.errors import Cancelled
from core.events import (
    Case,
    PackagesAwaited,
    PackagesOffered,
    Role,
    StrategyWritten,
    TestsWritten,
    ToolsFound,
)
from core.packet import MAX_STRATEGY, code_stub, head, surroundings
from core.prompts import render
from core.replies import Plan, extract_plan
from core.steps import Json
from core.suite import cases_from_goal, cases_from_reply
from core.tools import Skill, offer

GENERATED_CASES = 6
ENOUGH_CASES = 2
# Who is asked for test cases, and how warm, until there are enough: step, role, temperature.
TEST_WRITERS: tuple[tuple[str, Role, float], ...] = (
    ("tests", "generator", 0.2),
    ("tests-stronger", "escalation", 0.2),
    ("tests-again", "generator", 0.7),
)


def take_packages(context: Context) -> None:
    """Wait until the configured packages are installed, and note which the code may import.

    Where they can't be had the run goes on without them, and the models are told so.
    """
    packages = context.ports.packages
    before = packages.state
    if before.phase == "none":
        return
    if before.phase in ("missing", "installing"):
        context.writer.write(PackagesAwaited(wanted=before.wanted), key="packages-awaited")
    now = packages.ensure(context.writer.cancel)
    offered = PackagesOffered(packages=now.asked, problem=now.message)
    context.writer.write(offered, key="packages-offered")


def find_tools(context: Context) -> tuple[Skill, ...]:
    """Search the skill library for the goal; what is found is offered to every later prompt."""
    goal = context.state().goal
    with context.writer.stage("tools"):
        names = context.recorded(
            "tools", lambda: [skill.name for skill in context.ports.skills.search(goal)]
        )
        why = "goals like this one were solved before" if names else "no earlier goal is alike"
        context.writer.write(ToolsFound(names=tuple(names), why=why), key="tools")
    return context.ports.skills.get(names)


def write_strategy(context: Context, skills: Sequence[Skill]) -> None:
    """Ask the overseer for a short plan, and settle the name that the code must define."""
    goal = context.state().goal
    given = extract_plan("", goal)
    with context.writer.stage("strategy"):
        answer = context.ask(
            "strategy",
            "overseer",
            lambda: render(
                "strategy",
                goal=goal,
                tools=offer(skills),
                # A name made up from the goal's words is no reason to forbid a better one.
                name=given.name if given.name in goal else "",
                **surroundings(context.state()),
            ),
            temperature=0.2,
            max_tokens=500,
        )
        plan = extract_plan(answer.text, goal)
        context.writer.write(
            StrategyWritten(text=plan.text, name=plan.name, signature=plan.signature),
            key="strategy",
        )


def write_code(context: Context, skills: Sequence[Skill]) -> str:
    """Ask the generator for candidate c0; its id."""
    plan, goal = context.plan(), context.state().goal
    with context.writer.stage("code"):
        answer, code = context.ask_code(
            "code",
            "generator",
            lambda: render(
                "code",
                stub=code_stub(goal, plan.name, plan.signature),
                strategy=_plan_for(context, "generator", plan),
                tools=offer(skills),
                **surroundings(context.state()),
            ),
            temperature=0.0,
        )
        return context.write_candidate(0, answer, code)


def write_tests(context: Context) -> Json:
    """The part that runs beside the code: test cases from goal and plan, never from the code.

    Returns {"cases": [...]}, or {"failed", "message"} in place of an error.
    """
    try:
        with context.writer.stage("tests"):
            return {"cases": [asdict(case) for case in _cases(context, context.plan())]}
    except Cancelled as error:
        return {"failed": Cancelled.__name__, "message": error.message}
    except StepFailed as error:
        return {"failed": error.kind, "message": error.message}


def _cases(context: Context, plan: Plan) -> tuple[Case, ...]:
    """Your cases, then those that the models write; a second and third call only if needed."""
    yours = cases = cases_from_goal(context.state().goal, plan)
    for step, role, temperature in TEST_WRITERS:
        answer = context.ask(
            step,
            role,
            partial(_tests_prompt, context, role, plan, yours),
            temperature=temperature,
            max_tokens=700,
            purpose="tests",
        )
        room = GENERATED_CASES - (len(cases) - len(yours))
        cases = (*cases, *cases_from_reply(answer.text, plan, limit=room, taken=cases))
        if len(cases) - len(yours) >= ENOUGH_CASES:
            break
    return cases


def _tests_prompt(context: Context, role: Role, plan: Plan, yours: Sequence[Case]) -> str:
    return render(
        "tests",
        goal=context.state().goal,
        strategy=_plan_for(context, role, plan),
        name=plan.name,
        signature=plan.signature,
        call=_example_call(plan),
        examples="\n".join(case.source for case in yours),
        count=GENERATED_CASES,
        **surroundings(context.state()),
    )


def take_tests(context: Context, written: Mapping[str, Json]) -> None:
    """Put what the part returned into the log; Cancelled or StepFailed where it failed."""
    if "failed" in written:
        if written["failed"] == Cancelled.__name__:
            raise Cancelled
        raise StepFailed(written["failed"], written["message"])
    cases = tuple(Case(**case) for case in written["cases"])
    context.writer.write(TestsWritten(cases=cases), key="tests")


def _plan_for(context: Context, role: Role, plan: Plan) -> str:
    """The plan's text for this role's prompts.

    Measured: one by the built-in model makes what its smaller sister writes worse, so none then.
    """
    return "" if context.is_builtin(role) else head(plan.text, MAX_STRATEGY)


def _example_call(plan: Plan) -> str:
    """How the tests prompt writes a call: a class needs an instance first."""
    if plan.signature.lstrip().startswith("class"):
        return f"{plan.name}(...).method(...)"
    return f"{plan.name}(...)"

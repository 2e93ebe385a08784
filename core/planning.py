"""The stages before anything runs: packages, tools, strategy and the first code."""

from __future__ import annotations

import re
from collections.abc import Sequence

from core.context import Context
from core.errors import Cancelled
from core.events import PackagesAwaited, PackagesOffered, StrategyWritten, ToolsFound
from core.packet import surroundings
from core.prompts import render
from core.reading.parameters import parameters
from core.replies import Plan, extract_plan
from core.steps import Leaving
from core.stub import code_prompt
from core.suite import cases_from_goal
from core.tools import Skill, offer


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
    """Ask the overseer for a short plan, and settle the name that the code must define.

    A goal that says it all needs no plan by the built-in model: measured, none of its calls would
    be the better for it.
    """
    goal = context.state().goal
    given = extract_plan("", goal)
    with context.writer.stage("strategy"):
        enough = context.recorded("goal-is-enough", lambda: _is_enough(context, goal, given))
        if enough:
            written = StrategyWritten(text=enough, name=given.name, signature=given.signature)
            context.writer.write(written, key="strategy")
            return
        answer = context.ask(
            "strategy",
            "overseer",
            lambda: render(
                "strategy",
                goal=goal,
                tools=offer(skills),
                name=given.name if is_named(goal, given.name) else "",
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


def is_named(goal: str, name: str) -> bool:
    """Whether the goal itself gives the name, and it was not made up from the goal's words."""
    return bool(re.search(rf"\b{re.escape(name)}\b", goal))


def _is_enough(context: Context, goal: str, given: Plan) -> str:
    """In place of a plan, what the goal gives; '' where a plan is wanted."""
    if not context.is_builtin("overseer"):
        return ""
    if not is_named(goal, given.name):
        return ""
    examples = cases_from_goal(goal, given)
    whole = bool(given.signature) and f"{given.signature}:" in goal
    if not examples or not (whole or parameters([one.source for one in examples], given.name)):
        return ""
    count = "an example" if len(examples) == 1 else f"{len(examples)} examples"
    what = "the signature" if whole else "the name"
    return f"The goal itself gives {what} and {count}: do what it says."


def write_code(context: Context, skills: Sequence[Skill]) -> str:
    """Ask the generator for candidate c0; its id, '' when another was verified first."""
    with context.writer.stage("code"):
        try:
            answer, code = context.ask_code(
                "code",
                "generator",
                lambda: code_prompt(context.state(), offer(skills), context.plan_for("generator")),
                temperature=0.0,
                cancel=context.writer.race,
            )
        except Cancelled:
            if context.writer.leaving:
                raise Leaving from None
            if context.writer.cancel.is_set():
                raise
            return ""
        return context.write_candidate(0, answer, code)

"""The part that writes the test cases, from goal and plan and never from the code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.ask import StepFailed
from core.context import Context
from core.errors import Cancelled
from core.events import Case, Role, TestsWritten
from core.packet import MAX_STRATEGY, head, surroundings
from core.prompts import render
from core.replies import Plan
from core.steps import Json, Leaving
from core.suite import cases_from_goal, cases_from_replies

GENERATED_CASES = 6
# The built-in models' are often wrong, and beside cases of the user's they decide nothing: what
# passes the user's disputes them. A second program tells more (core/confirm.py).
GENERATED_BY_BUILTIN = 3
ENOUGH_CASES = 2
# A longer reply repeats itself; what is cut off loses only its last case.
TOKENS_PER_CASE = 60
TOKENS_PER_CASE_BY_BUILTIN = 40
# Who is asked for test cases, and how warm, until there are enough: step, role, temperature.
TEST_WRITERS: tuple[tuple[str, Role, float], ...] = (
    ("tests", "generator", 0.2),
    ("tests-stronger", "escalation", 0.2),
    ("tests-again", "generator", 0.7),
)
TESTS = "tests"
MORE = "more-tests"
MORE_TEMPERATURE = 0.7


def write_tests(context: Context, helper: Role | None = None) -> Json:
    """The part that runs beside the code: test cases from goal and plan, never from the code.

    `helper` is asked for a second draw at the same time. Returns {}, or {"failed", "message"} in
    place of an error.
    """
    try:
        with context.writer.stage("tests"):
            cases = _cases(context, context.plan(), helper)
            context.writer.write(TestsWritten(cases=cases), key="tests")
            return {}
    except Cancelled as error:
        return {"failed": Cancelled.__name__, "message": error.message}
    except StepFailed as error:
        return {"failed": error.kind, "message": error.message}


def _cases(context: Context, plan: Plan, helper: Role | None) -> tuple[Case, ...]:
    """Your cases, then those that the models write; a second and third call only if needed.

    Never where the built-in model would be asked and the goal has cases enough.
    """
    yours = cases_from_goal(context.state().goal, plan)
    wanted = context.recorded("tests-wanted", lambda: _wanted(context, yours))
    if not wanted:
        return yours
    more = context.steps.part(f"{MORE}-{helper}") if helper else None
    generated: tuple[Case, ...] = ()
    texts: list[str] = []
    for step, writer, temperature in TEST_WRITERS:
        try:
            texts.append(_ask(context, step, writer, temperature, yours, wanted))
        except StepFailed:
            if not (yours or generated):
                raise
            break  # what there is is a suite
        if more is not None:
            texts.append(more())
            more = None
        generated = cases_from_replies(texts, plan, limit=wanted, yours=yours)
        usable = sum(not case.disputed for case in generated)
        if usable >= ENOUGH_CASES or wanted == GENERATED_BY_BUILTIN:
            break
    return (*yours, *generated)


def write_more_tests(context: Context, role: Role) -> Json:
    """Another draw by an endpoint that has nothing to do: its text, '' where it failed."""
    yours = cases_from_goal(context.state().goal, context.plan())
    wanted = context.recorded(f"{MORE}-wanted", lambda: _wanted(context, yours))
    try:
        return _ask(context, MORE, role, MORE_TEMPERATURE, yours, wanted) if wanted else ""
    except (Cancelled, StepFailed):
        if context.writer.leaving:
            raise Leaving from None
        return ""


def _ask(
    context: Context,
    step: str,
    role: Role,
    temperature: float,
    yours: Sequence[Case],
    wanted: int,
) -> str:
    plan = context.plan()
    answer = context.ask(
        step,
        role,
        lambda: _tests_prompt(context, role, plan, yours, wanted),
        temperature=temperature,
        max_tokens=_room(wanted),
        purpose="tests",
    )
    return answer.text


def _wanted(context: Context, yours: Sequence[Case]) -> int:
    if not yours or not context.is_builtin("generator"):
        return GENERATED_CASES
    return GENERATED_BY_BUILTIN if len(yours) < ENOUGH_CASES else 0


def _room(wanted: int) -> int:
    """In tokens, for this many cases."""
    few = wanted == GENERATED_BY_BUILTIN
    return wanted * (TOKENS_PER_CASE_BY_BUILTIN if few else TOKENS_PER_CASE)


def _tests_prompt(
    context: Context, role: Role, plan: Plan, yours: Sequence[Case], wanted: int
) -> str:
    return render(
        "tests",
        goal=context.state().goal,
        strategy=head(context.plan_for(role), MAX_STRATEGY),
        name=plan.name,
        signature=plan.signature,
        call=_example_call(plan),
        examples="\n".join(case.source for case in yours),
        count=wanted,
        **surroundings(context.state()),
    )


def check_tests(written: Mapping[str, Json]) -> None:
    """Raise Cancelled or StepFailed where the part that writes the tests failed."""
    if "failed" in written:
        if written["failed"] == Cancelled.__name__:
            raise Cancelled
        raise StepFailed(written["failed"], written["message"])


def _example_call(plan: Plan) -> str:
    """How the tests prompt writes a call: a class needs an instance first."""
    if plan.signature.lstrip().startswith("class"):
        return f"{plan.name}(...).method(...)"
    return f"{plan.name}(...)"

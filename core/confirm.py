"""A second opinion in code, where the built-in models do the work.

Cases that a small model writes tell little: of the 1.5B model's 75 of 146 were right, and of six
wrong programs that passed the user's cases they contradicted one. Its own program tells more: held
against the 0.5B's on inputs like those of the cases, it did otherwise for two of three wrong
programs and for none of twelve right ones (differential testing, McKeeman 1998).
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from core.ask import StepFailed
from core.context import Context
from core.dispute import voters
from core.drafts import write_draft
from core.embedded import LARGE
from core.events import Case, TestsWritten
from core.reading.asserts import comparison
from core.reading.floats import exact, tolerant
from core.reading.pysource import NOT_PYTHON, parse
from core.reading.variations import variations
from core.testing import execute, run_cases
from core.tools import Skill

FIRST = "c0"
FURTHER = 2
INPUTS = 60
# The cases made where programs differ: one would do, more show the user what it is about.
SPLIT_CASES = 3
AGREEING = 2
_GOT = re.compile(r": got (.+), expected '\?'$", re.DOTALL)


def confirm(context: Context, skills: Sequence[Skill]) -> None:
    """Hold a first draft that passes against one by the larger model.

    Where the two differ a third votes. What two of them give becomes a generated case; where no two
    agree the case is disputed, and the first draft stands.
    """
    calls = context.recorded("confirm", lambda: _calls(context))
    if not calls:
        return
    given = {FIRST: _values(context, FIRST, calls, skills)}
    for number in range(FURTHER):
        try:
            name = write_draft(context, number, skills)
        except StepFailed:
            return  # the call that failed is on the page, and the first draft passes
        execute(context, name, skills)
        if _has_vote(context, name):
            given[name] = _values(context, name, calls, skills)
        if not any(_differ(given, call) for call in calls):
            return
    _add_cases(context, given, calls, skills)


def _calls(context: Context) -> list[str]:
    """The inputs to compare on; none where nobody is asked for a second opinion."""
    state = context.state()
    first = state.candidate(FIRST)
    if first is None or not first.passes or first.model == LARGE.name:
        return []
    if not (context.is_builtin("generator") and context.is_builtin("escalation")):
        return []
    if not context.ports.config().run.builtin_drafts:
        return []
    sources = [case.source for case in state.cases if case.counts]
    return list(variations(sources, state.name, INPUTS))


def _has_vote(context: Context, name: str) -> bool:
    """Whether the candidate passes all of the user's cases."""

    def work() -> bool:
        return any(one.candidate == name for one in voters(context.state()))

    return bool(context.recorded(f"votes-{name}", work))


def _values(
    context: Context, name: str, calls: Sequence[str], skills: Sequence[Skill]
) -> dict[str, str]:
    """What the candidate gives for each call, as a literal's source; nothing for any other end."""

    def work() -> dict[str, str]:
        written = context.state().candidate(name)
        assert written is not None
        result = run_cases(
            context.ports.sandbox,
            written.code,
            [
                Case(id=str(number), source=f"assert {call} == '?'", origin="generated")
                for number, call in enumerate(calls)
            ],
            modules={skill.name: skill.source for skill in skills},
            files=context.writer.files(),
            cancel=context.writer.cancel,
        )
        values: dict[str, str] = {}
        for case in result["cases"]:
            got = _GOT.search(case["message"]) if case["result"] == "failed" else None
            if got is not None and _is_literal(got[1]):
                values[calls[int(case["id"])]] = got[1]
        return values

    values: dict[str, str] = context.recorded(f"values-{name}", work)
    return values


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text)
    except (*NOT_PYTHON, TypeError):
        return False
    return True


def _differ(given: Mapping[str, Mapping[str, str]], call: str) -> bool:
    """Whether two of them give something else; floats as test cases compare them."""
    values = [_key(values[call]) for values in given.values() if call in values]
    return len(set(values)) > 1


def _key(value: str) -> object:
    number = ast.literal_eval(value)
    return float(f"{number:.6g}") if isinstance(number, float) else value


def _add_cases(
    context: Context,
    given: Mapping[str, Mapping[str, str]],
    calls: Sequence[str],
    skills: Sequence[Skill],
) -> None:
    added = context.recorded("split", lambda: split(given, calls))
    if not added:
        return
    cases = context.state().cases
    wrong = {case["call"]: case["value"] for case in added if not case["disputed"]}
    new = tuple(
        Case(
            id=f"g{number}",
            source=tolerant(f"assert {case['call']} == {case['value']}"),
            origin="generated",
            disputed=case["disputed"],
        )
        for number, case in enumerate(added, 1 + sum(c.origin == "generated" for c in cases))
    )
    before = tuple(
        replace(case, disputed=True) if _is_contradicted(case, wrong) else case for case in cases
    )
    context.writer.write(TestsWritten(cases=(*before, *new)), key="split")
    for name in given:
        execute(context, name, skills, again="split")


def split(given: Mapping[str, Mapping[str, str]], calls: Sequence[str]) -> list[dict[str, object]]:
    """The calls on which programs differ, at most SPLIT_CASES, each with the value of the most.

    First those on which two agree; without any, what the second program gives is `disputed`.
    """
    found: list[dict[str, object]] = []
    for call in calls:
        if _differ(given, call):
            values = [values[call] for values in given.values() if call in values]
            value, votes = Counter(values).most_common(1)[0]
            clear = votes >= AGREEING
            shown = value if clear else values[1]
            found.append({"call": call, "value": shown, "disputed": not clear})
    found.sort(key=lambda case: bool(case["disputed"]))
    return found[:SPLIT_CASES]


def _is_contradicted(case: Case, values: Mapping[str, str]) -> bool:
    """Whether a model's case expects another value than the programs give."""
    sides = _sides(case.source)
    if case.origin != "generated" or sides is None:
        return False
    made = [_sides(f"assert {call} == {value}") for call, value in values.items()]
    return any(one is not None and one[0] == sides[0] and one[1] != sides[1] for one in made)


def _sides(source: str) -> tuple[str, str] | None:
    tree = parse(source)
    return comparison(exact(tree).body[-1]) if tree is not None and tree.body else None

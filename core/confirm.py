"""A second opinion in code, where the built-in models do the work.

Cases that a small model writes tell little: of the 1.5B model's 75 of 146 were right, and they
contradicted 2 of 6 wrong programs and 17 of 23 right ones (docs/benchmark.md). Its own program
tells more: held against the 0.5B's on inputs like those of the cases, it did otherwise for wrong
ones and for none of eleven right ones (differential testing, McKeeman 1998).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

from core.ask import StepFailed
from core.context import Context
from core.dispute import voters
from core.drafts import draft_name, write_draft
from core.embedded import LARGE, SMALL
from core.events import Case, TestsWritten
from core.programs import independent
from core.reading.pysource import NOT_PYTHON
from core.reading.variations import variations
from core.splits import Given, Values, findings, is_settled, telling, with_findings
from core.testing import execute, run_cases
from core.tools import Skill

FIRST = "c0"
FURTHER = 2
# Without a case of the user's: three of one model count as two of different ones do.
FURTHER_ALONE = 3
INPUTS = 60
# What a program gives is read out of the message of a case that fails. Messages lose runs of
# spaces, so each piece between two spaces comes alone.
PROBE = "assert repr({call}).split(' ') == '?'"
_GOT = re.compile(r": got (.+), expected '\?'$", re.DOTALL)


def confirm(context: Context, skills: Sequence[Skill]) -> int:
    """Hold a first draft that passes against one by the larger model: how many were asked for.

    Where the two differ a third program, by the larger one again, votes. What two of them give
    becomes a generated case; where no two agree the case is disputed, and the first draft stands by
    the user's cases. The larger model may outvote the smaller by saying the same twice.

    Without a case of the user's all others are the models' own guesses. So a first draft that fails
    them is compared as well, what enough programs agree on becomes a case too, and enough are two
    by different models, or three by one (core.programs.enough).
    """
    wanted = context.recorded("confirm", lambda: _wanted(context))
    calls, alone = wanted["calls"], wanted["alone"]
    given = {FIRST: _values(context, FIRST, calls, skills)} if calls else {}
    if not any(given.values()) and not (calls and alone):
        return 0
    asked = 0
    for number in range(wanted["further"]):
        asked, name = number + 1, draft_name(number)
        model = _write(context, number, skills)
        if model:
            execute(context, name, skills)
        if model != LARGE.name:
            break
        if _has_vote(context, name, alone):
            given[name] = _values(context, name, calls, skills)
        if is_settled(_findings(given, calls, alone), alone=alone):
            break
    _add_cases(context, _findings(given, calls, alone), skills, alone)
    return asked


def _wanted(context: Context) -> dict[str, Any]:
    """The calls to compare on, none where nobody is asked, and how many further programs.

    `alone` where no case is the user's.
    """
    state = context.state()
    first = state.candidate(FIRST)
    alone = not any(case.is_yours for case in state.counted)
    further = min(FURTHER_ALONE if alone else FURTHER, context.ports.config().run.builtin_drafts)
    calls: tuple[str, ...] = ()
    by_small = first is not None and first.model == SMALL.name and (first.passes or alone)
    if by_small and further and context.is_builtin("escalation"):
        cases = state.cases if alone else state.counted
        calls = variations([case.source for case in cases], state.name, INPUTS)
    return {"calls": list(calls), "further": further, "alone": alone}


def _write(context: Context, number: int, skills: Sequence[Skill]) -> str:
    """The model that wrote a draft, or '': a failure is shown, and leaves the first as it is."""
    with context.writer.stage("code", draft_name(number)):
        try:
            # Where the larger model can't be had, the small one answers for it.
            return write_draft(context, number, skills)
        except StepFailed:
            return ""


def _has_vote(context: Context, name: str, alone: bool) -> bool:
    """Whether the candidate passes all of the user's cases; `alone`, if it is one of its own."""

    def work() -> bool:
        found = voters(context.state())
        return any(one.candidate == name for one in (independent(found) if alone else found))

    return bool(context.recorded(f"votes-{name}", work))


def _findings(
    given: Mapping[str, Values], calls: Sequence[str], alone: bool
) -> list[dict[str, Any]]:
    by = [
        Given(model=SMALL.name if name == FIRST else LARGE.name, values=values)
        for name, values in given.items()
    ]
    return findings(by, calls, alone=alone)


def _values(context: Context, name: str, calls: Sequence[str], skills: Sequence[Skill]) -> Values:
    def work() -> dict[str, str]:
        written = context.state().candidate(name)
        assert written is not None
        result = run_cases(
            context.ports.sandbox,
            written.code,
            [
                Case(id=str(number), source=PROBE.format(call=call), origin="generated")
                for number, call in enumerate(calls)
            ],
            modules={skill.name: skill.source for skill in skills},
            files=context.writer.files(),
            cancel=context.writer.cancel,
        )
        values = {calls[int(case["id"])]: _value(case) for case in result["cases"]}
        return {call: value for call, value in values.items() if value}

    values: Values = context.recorded(f"values-{name}", work)
    return values


def _value(case: Mapping[str, Any]) -> str:
    got = _GOT.search(case["message"]) if case["result"] == "failed" else None
    try:
        text = " ".join(ast.literal_eval(got[1])) if got else ""
        ast.literal_eval(text)
    except (*NOT_PYTHON, TypeError):
        return ""  # cut short, or an object of its own kind
    return text


def _add_cases(
    context: Context, found: Sequence[Mapping[str, Any]], skills: Sequence[Skill], alone: bool
) -> None:
    """Add what is telling to the suite, and execute again whatever ran without it."""

    def work() -> dict[str, Any]:
        ran = [one.candidate for one in context.state().candidates if one.execution is not None]
        return {"found": telling(found, alone=alone), "again": ran}

    wanted = context.recorded("split", work)
    if not wanted["found"]:
        return
    state = context.state()
    written = TestsWritten(cases=with_findings(state.cases, state.name, wanted["found"]))
    context.writer.write(written, key="split")
    for name in wanted["again"]:
        execute(context, name, skills, again="split")

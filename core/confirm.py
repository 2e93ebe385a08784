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
from core.reading.pysource import NOT_PYTHON
from core.reading.variations import variations
from core.splits import Values, agreed, differ, split, with_splits
from core.testing import execute, run_cases
from core.tools import Skill

FIRST = "c0"
FURTHER = 2
INPUTS = 60
# What a program gives is read out of the message of a case that fails. Messages lose runs of
# spaces, so each piece between two spaces comes alone.
PROBE = "assert repr({call}).split(' ') == '?'"
_GOT = re.compile(r": got (.+), expected '\?'$", re.DOTALL)


def confirm(context: Context, skills: Sequence[Skill]) -> None:
    """Hold a first draft that passes against one by the larger model.

    Where the two differ a third program, by the larger one again, votes. What two of them give
    becomes a generated case; where no two agree the case is disputed, and the first draft stands.
    The larger model may outvote the smaller by saying the same twice.

    Without a case of the user's all others are the small model's, so a first draft that fails them
    is compared as well, and what all agree on becomes a case too.
    """
    wanted = context.recorded("confirm", lambda: _wanted(context))
    calls = wanted["calls"]
    given = {FIRST: _values(context, FIRST, calls, skills)} if calls else {}
    if not any(given.values()) and not (calls and wanted["alone"]):
        return
    for number in range(wanted["further"]):
        if not _write(context, number, skills):
            return
        name = draft_name(number)
        execute(context, name, skills)
        if _has_vote(context, name):
            given[name] = _values(context, name, calls, skills)
        splits = any(differ(given, call) for call in calls)
        if not splits and (agreed(given, calls) or not wanted["alone"]):
            break
    _add_cases(context, given, calls, skills, alone=wanted["alone"])


def _wanted(context: Context) -> dict[str, Any]:
    """The calls to compare on, none where nobody is asked, and how many further programs.

    `alone` where no case is the user's.
    """
    state = context.state()
    first = state.candidate(FIRST)
    calls: tuple[str, ...] = ()
    alone = not any(case.is_yours and case.counts for case in state.cases)
    by_small = first is not None and first.model == SMALL.name and (first.passes or alone)
    if by_small and context.is_builtin("escalation"):
        sources = [case.source for case in state.cases if case.counts or alone]
        calls = variations(sources, state.name, INPUTS)
    further = min(FURTHER, context.ports.config().run.builtin_drafts)
    return {"calls": list(calls), "further": further, "alone": alone}


def _write(context: Context, number: int, skills: Sequence[Skill]) -> bool:
    """Whether the larger model wrote a draft; its failure is shown, and leaves the first as is."""
    name = draft_name(number)
    with context.writer.stage("code", name):
        try:
            # Where the larger model can't be had, the small one answers for it.
            return write_draft(context, number, skills) == LARGE.name
        except StepFailed:
            return False


def _has_vote(context: Context, name: str) -> bool:
    """Whether the candidate passes all of the user's cases."""

    def work() -> bool:
        return any(one.candidate == name for one in voters(context.state()))

    return bool(context.recorded(f"votes-{name}", work))


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
    context: Context,
    given: Mapping[str, Values],
    calls: Sequence[str],
    skills: Sequence[Skill],
    *,
    alone: bool,
) -> None:
    def work() -> list[dict[str, Any]]:
        return [*split(given, calls), *(agreed(given, calls) if alone else ())]

    found = context.recorded("split", work)
    if not found:
        return
    state = context.state()
    written = TestsWritten(cases=with_splits(state.cases, state.name, found))
    context.writer.write(written, key="split")
    for name in given:
        execute(context, name, skills, again="split")

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
from dataclasses import asdict, dataclass, replace
from itertools import chain
from typing import Any, Literal

from core.ask import StepFailed
from core.context import Context
from core.dispute import voters
from core.drafts import draft_name, write_draft
from core.embedded import LARGE, SMALL
from core.events import CandidateBroke, Case, CaseResult, TestsWritten
from core.programs import AGREEING_OF_ONE_MODEL, independent
from core.reading.breaks import broke_off, fair
from core.reading.pysource import NOT_PYTHON
from core.reading.variations import variations
from core.splits import (
    BROKE,
    Given,
    Values,
    findings,
    in_dispute,
    is_constant,
    is_settled,
    telling,
    with_findings,
)
from core.testing import execute, run_cases
from core.tools import Skill
from core.verdict import best_candidate, by_larger

FIRST = "c0"
FURTHER = 2
INPUTS = 60
# What a program gives is read out of the message of a case that fails. Messages lose runs of
# spaces, so each piece between two spaces comes alone.
PROBE = "assert repr({call}).split(' ') == '?'"
_RAISING = re.compile(r"Error\b|Exception\b|\braises?\b")
_GOT = re.compile(r": got (.+), expected '\?'$", re.DOTALL)


End = Literal["none", "settled", "differ", "constant", "open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What came of it: `differ` where no program outvotes the others, `open`: else undecided.

    `constant`: settled, but the result is the same for every call. `none`: the first draft had
    nothing to show, or nobody was asked. `asked`: how many drafts.
    `voices`: the candidates that were compared.
    """

    asked: int
    end: End
    voices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """On which calls programs are compared, and whether without a case of the user's.

    `fair`: those on which none may break off.
    """

    calls: Sequence[str]
    alone: bool
    fair: Sequence[str] = ()
    key: str = "split"

    def findings(self, given: Mapping[str, Values]) -> list[dict[str, Any]]:
        return findings(_by_model(given), self.calls, alone=self.alone)

    def is_settled(self, given: Mapping[str, Values]) -> bool:
        sound = not given or any(BROKE not in values.values() for values in given.values())
        return sound and is_settled(self.findings(given), alone=self.alone)

    def is_constant(self, given: Mapping[str, Values]) -> bool:
        return is_constant(_by_model(given), self.findings(given))


def _by_model(given: Mapping[str, Values]) -> list[Given]:
    return [
        Given(model=SMALL.name if name == FIRST else LARGE.name, values=values)
        for name, values in given.items()
    ]


def confirm(context: Context, skills: Sequence[Skill]) -> Opinion:
    """Hold a first draft that passes against one by the larger model.

    Where the two differ a third program, by the larger one again, votes. What two of them give
    becomes a generated case; where no two agree the case is disputed, and the first draft stands by
    the user's cases, unconfirmed. The larger model may outvote the smaller by saying the same
    twice. Where all break off on a call like the user's, or give the same for every call, further
    ones are asked for as well.

    A draft that passes the user's cases where the larger model's don't stands if these are several:
    7 of 7 such were right, but 2 of 4 with a single case (docs/benchmark.md), so there a second
    program must do the same.

    Without a case of the user's all others are the models' own guesses. So a first draft that fails
    them is compared as well, what enough programs agree on becomes a case too, and enough are two
    by different models, or three different ones by one (core.programs.enough). Where that decides
    nothing no case counts.
    """
    wanted = context.recorded("confirm", lambda: _wanted(context))
    question = _Question(calls=wanted["calls"], alone=wanted["alone"], fair=wanted["fair"])
    if not question.calls:
        return Opinion(asked=0, end="open" if wanted["sought"] and question.alone else "none")
    given = {FIRST: _values(context, FIRST, question, skills)}
    if not given[FIRST]:
        del given[FIRST]
        if not question.alone:
            return Opinion(asked=0, end="none")
    voices = wanted.get("voices", 1)  # a run from before has none
    return _compare(context, skills, question, given, range(wanted["further"]), voices=voices)


def confirm_draft(context: Context, skills: Sequence[Skill], asked: int) -> Opinion:
    """Hold a draft by the larger model that passes against its further ones, up to the last.

    Measured where the smaller one's fails: of drafts that a different one confirms 10 of 11 were
    right, of the others 5 of 8 (docs/benchmark.md).
    """
    wanted = context.recorded("confirm-draft", lambda: _wanted_of_draft(context))
    if not wanted["name"]:
        return Opinion(asked=asked, end="none")
    question = _Question(calls=wanted["calls"], alone=False, fair=wanted["fair"], key="split-draft")
    given = {wanted["name"]: _values(context, wanted["name"], question, skills)}
    if not given[wanted["name"]]:
        # Results that can't be read: then a different program that passes is all there can be.
        question = replace(question, calls=())
    return _compare(context, skills, question, given, range(asked, wanted["end"]), voices=2)


def _compare(
    context: Context,
    skills: Sequence[Skill],
    question: _Question,
    given: dict[str, Values],
    numbers: range,
    *,
    voices: int,
) -> Opinion:
    """Ask for these drafts until enough programs agree, and add to the suite what is telling."""
    asked, settled = numbers.start, False
    for number in numbers:
        asked, name = number + 1, draft_name(number)
        model = _write(context, number, skills)
        if model:
            execute(context, name, skills)
        if model != LARGE.name:
            settled = FIRST in given and question.is_settled(given)
            break
        if _has_vote(context, name, question.alone or voices > 1):
            values = _values(context, name, question, skills)
            given |= {name: values} if values or not question.calls else {}
        settled = len(given) >= voices and question.is_settled(given)
        further = number - numbers.start
        unreadable = bool(further and question.calls and not given)
        told = settled and not question.is_constant(given)
        if told or unreadable or len(given) - (FIRST in given) >= AGREEING_OF_ONE_MODEL:
            break  # more of the same would tell no more
    _add_cases(context, skills, question, given, settled)
    return Opinion(asked=asked, end=_end(question, given, settled), voices=tuple(given))


def _end(question: _Question, given: Mapping[str, Values], settled: bool) -> End:
    if settled:
        return "constant" if question.is_constant(given) else "settled"
    return "differ" if in_dispute(question.findings(given)) else "open"


def _wanted(context: Context) -> dict[str, Any]:
    """The calls to compare on, none where nobody is asked, and how many further programs.

    `alone` where no case is the user's; `sought`: whether there is a second opinion at all;
    `voices`: how many programs must have been compared.
    """
    state = context.state()
    first = state.candidate(FIRST)
    yours = sum(case.is_yours for case in state.counted)
    alone = not yours
    drafts = context.ports.config().run.builtin_drafts
    by_small = first is not None and first.model == SMALL.name and (first.passes or alone)
    sought = by_small and drafts > 0 and context.is_builtin("escalation")
    calls = _calls(state.name, (state.cases if alone else state.counted) if sought else ())
    further = drafts if alone else min(FURTHER, drafts)
    voices = 2 if yours == 1 else 1
    return {**calls, "further": further, "alone": alone, "sought": sought, "voices": voices}


def _wanted_of_draft(context: Context) -> dict[str, Any]:
    """The draft that only the larger model's further ones could confirm, '' where there is none."""
    state = context.state()
    best = best_candidate(state)
    yours = any(case.is_yours for case in state.counted)
    wanted = best.passes and by_larger(best) and yours and context.is_builtin("escalation")
    name = best.candidate if wanted else ""
    calls = _calls(state.name, state.counted if wanted else ())
    end = context.ports.config().run.builtin_drafts
    return {**calls, "name": name, "end": end}


def _calls(name: str, cases: Sequence[Case]) -> dict[str, list[str]]:
    """What programs are compared on, and on which of it none may break off."""
    calls = variations([case.source for case in cases], name, INPUTS)
    yours = [case.source for case in cases if case.is_yours and case.counts]
    if any(_RAISING.search(source) for source in yours):
        yours = []  # breaking off may be what is wanted
    known = list(chain.from_iterable(variations([source], name, 1) for source in yours))
    alike = set(variations(yours, name, INPUTS))
    return {"calls": list(calls), "fair": list(fair([c for c in calls if c in alike], known))}


def _write(context: Context, number: int, skills: Sequence[Skill]) -> str:
    """The model that wrote a draft, or '': a failure is shown, and leaves the first as it is."""
    with context.writer.stage("code", draft_name(number)):
        try:
            # Where the larger model can't be had, the small one answers for it.
            return write_draft(context, number, skills)
        except StepFailed:
            return ""


def _has_vote(context: Context, name: str, distinct: bool) -> bool:
    """Whether the candidate passes all of the user's cases; if `distinct`, as one of its own."""

    def work() -> bool:
        found = voters(context.state())
        return any(one.candidate == name for one in (independent(found) if distinct else found))

    return bool(context.recorded(f"votes-{name}", work))


def _values(context: Context, name: str, question: _Question, skills: Sequence[Skill]) -> Values:
    calls = question.calls

    def work() -> dict[str, Any]:
        if not calls:
            return {"values": {}, "broke": None}
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
        given = {calls[int(case["id"])]: CaseResult(**case) for case in result["cases"]}
        broke = {call: broke_off(given[call]) for call in question.fair if call in given}
        values = {call: BROKE if broke.get(call) else _value(one) for call, one in given.items()}
        first = next(([call, error] for call, error in broke.items() if error), None)
        return {"values": {call: one for call, one in values.items() if one}, "broke": first}

    did = context.recorded(f"values-{name}", work)
    if did["broke"]:
        call, error = did["broke"]
        event = CandidateBroke(candidate=name, call=call, error=error)
        context.writer.write(event, key=f"broke:{name}")
    values: Values = did["values"]
    return values


def _value(result: CaseResult) -> str:
    got = _GOT.search(result.message) if result.result == "failed" else None
    try:
        text = " ".join(ast.literal_eval(got[1])) if got else ""
        value = ast.literal_eval(text)
    except (*NOT_PYTHON, TypeError):
        return ""  # cut short, or an object of its own kind
    return "" if value is ... else text


def _add_cases(
    context: Context,
    skills: Sequence[Skill],
    question: _Question,
    given: Mapping[str, Values],
    settled: bool,
) -> None:
    """Add what is telling to the suite, and execute again whatever ran without it.

    A new case in dispute is executed once as well: else nobody could be asked about it.
    """

    def work() -> dict[str, Any]:
        state = context.state()
        found = question.findings(given)
        told = telling(found, alone=question.alone)
        decided = settled or not (question.alone and found)
        if decided and not told:
            return {"cases": []}
        cases = with_findings(state.cases, state.name, told, decided=decided)
        ran = [one.candidate for one in state.candidates if one.execution is not None]
        return {"cases": [asdict(case) for case in cases], "new": len(state.cases), "again": ran}

    wanted = context.recorded(question.key, work)
    cases = tuple(Case(**one) for one in wanted["cases"])
    if not cases:
        return
    before, new = cases[: wanted["new"]], cases[wanted["new"] :]
    if any(case.disputed for case in new):
        tried = (*before, *(replace(case, disputed=False) for case in new))
        _judge(context, skills, tried, wanted["again"], f"{question.key}-tried")
    _judge(context, skills, cases, wanted["again"], question.key)


def _judge(
    context: Context,
    skills: Sequence[Skill],
    cases: tuple[Case, ...],
    names: Sequence[str],
    key: str,
) -> None:
    context.writer.write(TestsWritten(cases=cases), key=key)
    for name in names:
        execute(context, name, skills, again=key)

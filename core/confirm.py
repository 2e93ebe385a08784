"""A second opinion in code, where the built-in models do the work.

Cases that a small model writes tell little: of the 1.5B model's 75 of 146 were right, and they
contradicted 2 of 6 wrong programs and 17 of 23 right ones (docs/benchmark.md). Its own program
tells more: held against the 0.5B's on inputs like those of the cases, it did otherwise for wrong
ones and for none of eleven right ones (differential testing, McKeeman 1998).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from core.ask import StepFailed
from core.comparison import FIRST, Comparison, compared_calls, values_of
from core.context import Context
from core.dispute import voters
from core.drafts import draft_name, write_draft
from core.embedded import LARGE, SMALL
from core.found_cases import add_cases
from core.programs import AGREEING_OF_ONE_MODEL, independent
from core.splits import Values, in_dispute
from core.testing import execute
from core.tools import Skill
from core.verdict import best_candidate, by_larger

FURTHER = 2

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


def confirm(context: Context, skills: Sequence[Skill]) -> Opinion:
    """Hold a first draft that passes against one by the larger model.

    Where the two differ a third program, by the larger one again, votes. What two of them give
    becomes a generated case; where no two agree the case is disputed, and the first draft stands by
    the user's cases, unconfirmed. The larger model may outvote the smaller by saying the same
    twice. Where all break off on a call like the user's, or give the same for every call, further
    ones are asked for as well.

    A draft that passes the user's cases where the larger model's don't stands if these are several:
    7 of 7 such were right, but 2 of 4 with a single case (docs/benchmark.md), so there a second
    program must do the same, or pass where results can't be compared.

    Without a case of the user's all others are the models' own guesses. So a first draft that fails
    them is compared as well, what enough programs agree on becomes a case too, and enough are two
    by different models, or three different ones by one (core.programs.enough). Where that decides
    nothing no case counts.
    """
    wanted = context.recorded("confirm", lambda: _wanted(context))
    comparison = Comparison(calls=wanted["calls"], alone=wanted["alone"], fair=wanted["fair"])
    voices = wanted["voices"]
    if not wanted["sought"] or (comparison.alone and not comparison.calls):
        return Opinion(asked=0, end="open" if wanted["sought"] else "none")
    given = {FIRST: values_of(context, FIRST, comparison, skills)}
    if not given[FIRST]:
        if comparison.alone:
            del given[FIRST]
        elif voices == 1:
            return Opinion(asked=0, end="none")
        else:
            comparison = _unreadable(comparison)
    return _compare(context, skills, comparison, given, range(wanted["further"]), voices=voices)


def confirm_draft(context: Context, skills: Sequence[Skill], asked: int) -> Opinion:
    """Hold a draft by the larger model that passes against its further ones, up to the last.

    Measured where the smaller one's fails: of drafts that a different one confirms 10 of 11 were
    right, of the others 5 of 8 (docs/benchmark.md).
    """
    wanted = context.recorded("confirm-draft", lambda: _wanted_of_draft(context))
    if not wanted["name"]:
        return Opinion(asked=asked, end="none")
    comparison = Comparison(
        calls=wanted["calls"], alone=False, fair=wanted["fair"], key="split-draft"
    )
    given = {wanted["name"]: values_of(context, wanted["name"], comparison, skills)}
    if not given[wanted["name"]]:
        comparison = _unreadable(comparison)
    return _compare(context, skills, comparison, given, range(asked, wanted["end"]), voices=2)


def _unreadable(comparison: Comparison) -> Comparison:
    """For results that can't be read: a different program that passes is all there can be."""
    return replace(comparison, calls=())


def _compare(
    context: Context,
    skills: Sequence[Skill],
    comparison: Comparison,
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
            # Where the larger model was never heard there is no second opinion; else it goes on to
            # be asked for.
            enough = 1 if number == numbers.start else voices
            settled = FIRST in given and len(given) >= enough and comparison.is_settled(given)
            break
        if _has_vote(context, name, comparison.alone or voices > 1):
            found = values_of(context, name, comparison, skills)
            given |= {name: found} if found or not comparison.calls else {}
        settled = len(given) >= voices and comparison.is_settled(given)
        further = number - numbers.start
        unreadable = bool(further and comparison.calls and not given)
        told = settled and not comparison.gives_one_result(given)
        if told or unreadable or len(given) - (FIRST in given) >= AGREEING_OF_ONE_MODEL:
            break  # more of the same would tell no more
    add_cases(context, skills, comparison, given, settled)
    return Opinion(asked=asked, end=_end(comparison, given, settled), voices=tuple(given))


def _end(comparison: Comparison, given: Mapping[str, Values], settled: bool) -> End:
    if settled:
        return "constant" if comparison.gives_one_result(given) else "settled"
    return "differ" if in_dispute(comparison.findings(given)) else "open"


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
    cases = state.cases if alone else state.counted
    calls = compared_calls(state.name, cases if sought else ())
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
    calls = compared_calls(state.name, state.counted if wanted else ())
    end = context.ports.config().run.builtin_drafts
    return {**calls, "name": name, "end": end}


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

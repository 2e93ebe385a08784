"""Tokens and savings in words, the same on the page and on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from core.savings import Savings, Use, Why
from core.savings_book import Totals

HOW = (
    "The strongest model is the one that answers in the escalation role, or would have, had the "
    "run needed it; what it did in other roles counts as its own too.",
    "Alone it would have been asked once for each thing that the run needed (plan, code, tests, "
    "the two opinions), at the tokens that the first such call took here, whoever made it: without "
    "the further drafts and mends.",
    "Saved is that less what the strongest model really read and wrote here. It is below zero "
    "where it took more than it alone would have.",
    "It is an estimate: models count tokens differently, and whether the strongest model alone "
    "would have passed is not known. What the other models read and wrote is not set against it.",
    "Requests that failed or were stopped count with what their server told. Where it told nothing "
    "their tokens are unknown: they are in no sum, and a + marks the sums that lack them.",
)
NO_ESTIMATE: Mapping[Why, str] = {
    "": "",
    "under_way": "What this saves is reckoned when the run has ended.",
    "nothing_answered": "No model answered, so there is nothing to compare.",
    "one_model": "One model did all of it, so there is nothing to compare.",
    "strongest_unknown": "This run did not note which model was the strongest, so there is no "
    "estimate.",
    "tokens_unknown": "Calls that matter have no token counts from their servers, so there is no "
    "estimate.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """A model in all its roles; `use.role` is the first of them."""

    use: Use
    roles: tuple[str, ...]


def by_model(uses: Iterable[Use]) -> tuple[ModelRow, ...]:
    """One row for each model, in the order met."""
    rows: dict[str, ModelRow] = {}
    for use in uses:
        before = rows.get(use.model)
        if before is None:
            rows[use.model] = ModelRow(use=use, roles=(use.role,))
            continue
        both = replace(
            before.use,
            strong=before.use.strong or use.strong,
            calls=before.use.calls + use.calls,
            uncounted=before.use.uncounted + use.uncounted,
            tokens_in=before.use.tokens_in + use.tokens_in,
            tokens_out=before.use.tokens_out + use.tokens_out,
        )
        roles = before.roles if use.role in before.roles else (*before.roles, use.role)
        rows[use.model] = ModelRow(use=both, roles=roles)
    return tuple(rows.values())


def count(tokens: int, uncounted: int) -> str:
    """Like "1,234", "1,234+" where requests are missing in it, "unknown" where all are."""
    if not uncounted:
        return f"{tokens:,}"
    return f"{tokens:,}+" if tokens else "unknown"


def headline(estimate: int, used: int, *, at_most: bool, model: str) -> str:
    """How the strongest model's tokens compare with the estimate, in one sentence."""
    saved = estimate - used
    least = "at least " if at_most else ""
    if saved < 0:
        return (
            f"Used {least}{-saved:,} tokens more than {model} alone would have: {least}{used:,} "
            f"against about {estimate:,}."
        )
    if saved == 0:
        return f"Saved nothing: {model} alone would have used about {estimate:,} tokens too."
    most = "at most" if at_most else "about"
    took = (
        f"{least}{used:,}"
        if used or not at_most
        else "only what its stopped requests took, uncounted"
    )
    share = f"{100 * saved / estimate:.0f} %"
    return (
        f"Saved {most} {saved:,} tokens of {model} ({share}): it used {took}; alone it "
        f"would have used about {estimate:,}."
    )


def summary(savings: Savings) -> str:
    """The headline of a run, or why there is none."""
    if savings.estimate is None:
        return NO_ESTIMATE[savings.why]
    return headline(
        savings.estimate,
        savings.used,
        at_most=savings.at_most,
        model=" and ".join(savings.strongest),
    )


def totals_summary(totals: Totals) -> str:
    """The headline over all runs, and which runs it is about."""
    if not totals.estimated:
        return "No run has an estimate yet: it takes two models or more, and their token counts."
    found = headline(
        totals.estimate, totals.used, at_most=totals.at_most, model="the strongest model"
    )
    who = "1 run" if totals.estimated == 1 else f"{totals.estimated:,} runs"
    others = totals.runs - totals.estimated
    without = f"; {others:,} more gave no estimate" if others else ""
    return f"{found} In {who}, {totals.passed:,} of them passed{without}."


def missing(uses: Iterable[Use]) -> str:
    """That requests are in no sum; '' where none is missing."""
    uncounted = sum(use.uncounted for use in uses)
    if not uncounted:
        return ""
    who = "1 request" if uncounted == 1 else f"{uncounted:,} requests"
    return (
        f"{who} gave no full token count (failed, stopped, or a server that gives none), so "
        "sums marked + are too low by what is unknown."
    )


def report(savings: Savings) -> tuple[str, ...]:
    """A run's tokens as plain lines; none where no model was asked."""
    if not savings.uses:
        return ()
    lines = ["Tokens:"]
    for row in by_model(savings.uses):
        use = row.use
        mark = ", the strongest" if use.strong else ""
        read = count(use.tokens_in, use.uncounted)
        written = count(use.tokens_out, use.uncounted)
        who = f"{', '.join(row.roles)}{mark}"
        lines.append(f"  {use.model}: {read} read, {written} written ({who})")
    return tuple(filter(None, (*lines, missing(savings.uses), summary(savings))))

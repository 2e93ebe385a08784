"""What a run's tokens were spent on, and what the strongest model alone would have needed.

The strongest model is whichever answers in the escalation role: the models that did so in this
run, or where none was needed the one that the role had as the run ended. A name with or without
":latest" is the same model; other names are other models. What the strongest did in other roles
counts as its own too.

The rule of the estimate: the strongest alone would have been asked once for each thing that the
run needed (NEEDED: the plan, the code, the tests, the two opinions), at the tokens that the first
such call took here, whoever made it. It would have needed no further drafts and no mends, which is
kind to it. Saved is the estimate less what the strongest really used here, and may be negative.
Tokens of other models cost nothing in this sum, and whether the strongest alone would have passed
is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from core.endpoints.faults import FAULTS, Effect
from core.endpoints.names import canonical
from core.events import Role
from core.state import CallState, RunState

NEEDED = ("strategy", "code", "tests", "triage", "evaluate")
# Why there is no estimate; '' where there is one.
Why = Literal[
    "", "under_way", "nothing_answered", "one_model", "strongest_unknown", "tokens_unknown"
]
# Failures of servers that may have read the prompt before; the others never began.
_BEGUN = {name for name, fault in FAULTS.items() if fault.effect is Effect.STRIKE}
_BEGUN |= {"unfinished", "total_timeout"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a model read and wrote in a role, in tokens as its servers counted them.

    `calls` ended, answered or not. `uncounted`: requests among them whose tokens nobody gave; the
    sums are without them. `strong`: it was the strongest model.
    """

    model: str
    role: Role
    strong: bool = False
    calls: int = 0
    uncounted: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    @property
    def tokens(self) -> int:
        """Read and written."""
        return self.tokens_in + self.tokens_out


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    """A run's tokens. `estimate`: what the strongest alone would have taken; None: see `why`.

    `used`: what the strongest took here. `at_most`: requests to it were stopped or failed
    uncounted, so that it may have used more and saved less.
    """

    uses: tuple[Use, ...] = ()
    strongest: tuple[str, ...] = ()
    estimate: int | None = None
    used: int = 0
    at_most: bool = False
    why: Why = ""

    @property
    def saved(self) -> int | None:
        """Tokens of the strongest model; below 0 it used more than it alone would have."""
        return None if self.estimate is None else self.estimate - self.used


def of_run(state: RunState) -> Savings:
    """The run's, as of now; the estimate comes when it has finished."""
    finished = state.finished
    return reckon(state.calls, finished.strongest if finished else "", ended=finished is not None)


def reckon(calls: Sequence[CallState], strongest: str, *, ended: bool) -> Savings:
    """The tokens of `calls`, and the estimate if the run has `ended`.

    `strongest`: the escalation role's model as it ended, '' where nobody noted it.
    """
    # The others are under way, or have reached no model.
    calls = [call for call in calls if call.model and call.status != "running"]
    answering = [c.model for c in calls if c.role == "escalation" and c.status == "done"]
    names = _distinct(answering or [strongest])
    known = {canonical(name) for name in names}
    uses = _uses(calls, known)
    strong = [use for use in uses if use.strong]
    found = Savings(
        uses=uses,
        strongest=names,
        used=sum(use.tokens for use in strong),
        at_most=any(use.uncounted for use in strong),
    )
    why = _why(found, ended=ended)
    if why:
        return replace(found, why=why)
    needed = _needed(calls)
    if None in needed or any(
        call.status == "done" and canonical(call.model) in known and not _is_counted(call)
        for call in calls
    ):
        return replace(found, why="tokens_unknown")
    if not needed:
        return replace(found, why="nothing_answered")
    return replace(found, estimate=sum(filter(None, needed)))


def _why(found: Savings, *, ended: bool) -> Why:
    if not ended:
        return "under_way"
    if not found.uses:
        return "nothing_answered"
    if not found.strongest:
        return "strongest_unknown"
    return "one_model" if all(use.strong for use in found.uses) else ""


def _needed(calls: Sequence[CallState]) -> list[int | None]:
    """For each thing needed that was answered the tokens of its call; None: not counted.

    That is the first call that was answered whole, and not one that was cut off.
    """
    needed: list[int | None] = []
    for purpose in NEEDED:
        answered = [c for c in calls if c.purpose == purpose and c.status == "done"]
        counted = [c for c in answered if _is_counted(c)]
        whole = [c for c in counted if c.finish_reason != "length"]
        first = next(iter(whole or counted), None)
        if answered:
            needed.append(first.tokens_in + first.tokens_out if first else None)
    return needed


def _uses(calls: Sequence[CallState], strongest: set[str]) -> tuple[Use, ...]:
    """By model and role, in the order met."""
    uses: dict[tuple[str, Role], Use] = {}
    for call in calls:
        known = canonical(call.model)
        use = uses.get((known, call.role)) or Use(
            model=plain_name(call.model), role=call.role, strong=known in strongest
        )
        uses[known, call.role] = replace(
            use,
            calls=use.calls + 1,
            uncounted=use.uncounted + _uncounted(call),
            tokens_in=use.tokens_in + call.tokens_in,
            tokens_out=use.tokens_out + call.tokens_out,
        )
    return tuple(uses.values())


def _is_counted(call: CallState) -> bool:
    """A server that gives no counts leaves 0."""
    return call.tokens_in > 0 and call.tokens_out > 0


def _uncounted(call: CallState) -> int:
    """The call's requests that a server worked on without a count of its tokens."""
    failed = sum(failure.error in _BEGUN for failure in call.failures)
    if call.status == "done":
        return failed + (not _is_counted(call))
    ended = bool(call.failures) and call.failures[-1].endpoint == call.endpoint
    return failed + (not ended)


def plain_name(model: str) -> str:
    """The model's name as people write it."""
    return model.strip().removesuffix(":latest")


def _distinct(models: Iterable[str]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for model in models:
        if model.strip():
            found.setdefault(canonical(model), plain_name(model))
    return tuple(found.values())

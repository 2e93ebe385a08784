"""Why code that passes is not called passed. Pure: from a run's state to a word."""

from __future__ import annotations

from core.confirm import Opinion
from core.dispute import called_otherwise
from core.embedded import LARGE, SMALL
from core.events import Doubt
from core.state import CandidateState, RunState
from core.verdict import by_larger


def first_doubt(state: RunState, best: CandidateState, opinion: Opinion) -> Doubt:
    """What is in doubt when a run ends: a second opinion was sought and not had, or tells."""
    if best.broke is not None:
        return "breaks"
    compared = best.candidate in opinion.voices
    if opinion.end == "differ" or (opinion.end == "constant" and compared):
        return opinion.end
    mended = bool(best.attempt) and best.model == LARGE.name and opinion.asked > 0
    other = by_larger(best) and opinion.end == "settled" and not compared
    if opinion.end in ("open", "constant") or mended or other:
        return "alone"
    return _called(state, best)


def doubt_now(state: RunState, best: CandidateState) -> Doubt:
    """What is in doubt after an ended run's answers, which may have made another program the best.

    The user's word for a case settles it.
    """
    ended = state.finished
    assert ended is not None
    if state.vouched:
        return ""
    if best.broke is not None:
        return "breaks"
    # A run from before its doubt was noted has only its outcome.
    before: Doubt = ended.doubt or ("alone" if state.ended_as == "unconfirmed" else "")
    if before in ("", "called"):
        return _called(state, best)
    another = best.candidate != state.ended_on
    return "alone" if before == "breaks" or (before == "constant" and another) else before


def _called(state: RunState, best: CandidateState) -> Doubt:
    builtin = best.model in (SMALL.name, LARGE.name)
    return "called" if builtin and called_otherwise(state, best) is not None else ""

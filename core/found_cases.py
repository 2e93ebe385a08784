"""What programs were found to give, put into the suite of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from core.comparison import Comparison
from core.context import Context
from core.events import Case, TestsWritten
from core.splits import Values, telling, with_findings
from core.testing import execute
from core.tools import Skill


def add_cases(
    context: Context,
    skills: Sequence[Skill],
    comparison: Comparison,
    given: Mapping[str, Values],
    settled: bool,
) -> None:
    """Add what is telling to the suite, and execute again whatever ran without it.

    A new case in dispute is executed once as well: else nobody could be asked about it.
    """

    def work() -> dict[str, Any]:
        state = context.state()
        found = comparison.findings(given)
        told = telling(found, alone=comparison.alone)
        decided = settled or not (comparison.alone and found)
        if decided and not told:
            return {"cases": []}
        cases = with_findings(state.cases, state.name, told, decided=decided)
        ran = [one.candidate for one in state.candidates if one.execution is not None]
        return {"cases": [asdict(case) for case in cases], "new": len(state.cases), "again": ran}

    wanted = context.recorded(comparison.key, work)
    cases = tuple(Case(**one) for one in wanted["cases"])
    if not cases:
        return
    before, new = cases[: wanted["new"]], cases[wanted["new"] :]
    if any(case.disputed for case in new):
        tried = (*before, *(replace(case, disputed=False) for case in new))
        _judge(context, skills, tried, wanted["again"], f"{comparison.key}-tried")
    _judge(context, skills, cases, wanted["again"], comparison.key)


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

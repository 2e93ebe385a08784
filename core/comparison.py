"""What programs are compared on, and what each of them gives there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from core.context import Context
from core.embedded import LARGE, SMALL
from core.events import CandidateBroke, Case, CaseResult
from core.reading.breaks import broke_off, fair
from core.reading.variations import longer, variations
from core.splits import BROKE, Given, Values, findings, gives_one_result, is_settled
from core.testing import run_cases
from core.tools import Skill

FIRST = "c0"
INPUTS = 60
LONGER = 4
_RAISING = re.compile(r"Error\b|Exception\b|\braises?\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """On which calls programs are compared, and whether without a case of the user's.

    `fair`: those on which none may break off.
    """

    calls: Sequence[str]
    alone: bool
    fair: Sequence[str] = ()
    key: str = "split"

    def findings(self, given: Mapping[str, Values]) -> list[dict[str, Any]]:
        """What the programs `given`, by candidate, give together: see core.splits."""
        return findings(_by_model(given), self.calls, alone=self.alone)

    def is_settled(self, given: Mapping[str, Values]) -> bool:
        """Whether no further program is needed, and at least one doesn't break off."""
        sound = not given or any(BROKE not in values.values() for values in given.values())
        return sound and is_settled(self.findings(given), alone=self.alone)

    def gives_one_result(self, given: Mapping[str, Values]) -> bool:
        """Whether what they agree on is the same for every call."""
        return gives_one_result(_by_model(given), self.findings(given))


def _by_model(given: Mapping[str, Values]) -> list[Given]:
    return [
        Given(model=SMALL.name if name == FIRST else LARGE.name, values=values)
        for name, values in given.items()
    ]


def compared_calls(name: str, cases: Sequence[Case]) -> dict[str, list[str]]:
    """What programs are compared on, `calls`, and on which of it none may break off, `fair`.

    Longer numbers come last and are not fair: a slow program may not get beyond them, nor a
    recursive one to their end.
    """
    sources = [case.source for case in cases]
    calls = dict.fromkeys((*variations(sources, name, INPUTS), *longer(sources, name, LONGER)))
    yours = [case.source for case in cases if case.is_yours and case.counts]
    if any(_RAISING.search(source) for source in yours):
        yours = []  # breaking off may be what is wanted
    known = list(chain.from_iterable(variations([source], name, 1) for source in yours))
    alike = set(variations(yours, name, INPUTS))
    return {"calls": list(calls), "fair": list(fair([c for c in calls if c in alike], known))}


def values_of(
    context: Context, name: str, comparison: Comparison, skills: Sequence[Skill]
) -> Values:
    """What candidate `name` gives; where it breaks off, that is written down."""
    calls = comparison.calls

    def work() -> dict[str, Any]:
        if not calls:
            return {"values": {}, "broke": None}
        written = context.state().candidate(name)
        assert written is not None
        result = run_cases(
            context.ports.sandbox,
            written.code,
            [
                Case(id=str(number), source=call, origin="generated")
                for number, call in enumerate(calls)
            ],
            modules={skill.name: skill.source for skill in skills},
            files=context.writer.files(),
            cancel=context.writer.cancel,
        )
        given = {calls[int(case["id"])]: CaseResult(**case) for case in result["cases"]}
        broke = {call: broke_off(given[call]) for call in comparison.fair if call in given}
        told = {call: one.message for call, one in given.items() if one.result == "passed"}
        told |= {call: BROKE for call, error in broke.items() if error}
        first = next(([call, error] for call, error in broke.items() if error), None)
        return {"values": {call: one for call, one in told.items() if one}, "broke": first}

    did = context.recorded(f"values-{name}", work)
    if did["broke"]:
        call, error = did["broke"]
        event = CandidateBroke(candidate=name, call=call, error=error)
        context.writer.write(event, key=f"broke:{name}")
    found: Values = did["values"]
    return found

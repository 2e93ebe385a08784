"""What a verdict owes to the user's answers, in words."""

from __future__ import annotations

from collections.abc import Iterable

from core.events import Case


def rests_on(cases: Iterable[Case]) -> str:
    """Like " By your answers 1 case is confirmed and 2 are rejected."; '' without answers."""
    suite = list(cases)
    kinds = (
        ("confirmed", sum(case.confirmed for case in suite)),
        ("rejected", sum(case.rejected and case.origin == "generated" for case in suite)),
        ("your own now", sum(bool(case.instead_of) and case.counts for case in suite)),
    )
    parts: list[str] = []
    for word, count in kinds:
        if count:
            noun = "" if parts else " case" if count == 1 else " cases"
            parts.append(f"{count}{noun} {'is' if count == 1 else 'are'} {word}")
    return f" By your answers {' and '.join(parts)}." if parts else ""

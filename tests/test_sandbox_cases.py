"""Cases run apart from the candidate, and must not be able to tell."""

from __future__ import annotations

import pytest
from ordinary import CASES, SOLUTION

from core.cancel import Cancel
from core.events import Case, CaseResult
from core.sandbox import Limits, Sandbox


@pytest.fixture(scope="module")
def results() -> dict[str, CaseResult]:
    cases = [Case(id=str(n), source=source, origin="yours") for n, source in enumerate(CASES)]
    with Sandbox(Limits(wall_s=60.0)) as sandbox:
        execution = sandbox.run(SOLUTION, cases, cancel=Cancel())
    return {case.id: case for case in execution.cases}


@pytest.mark.parametrize("number", range(len(CASES)))
def test_case_passes_as_in_one_process(results: dict[str, CaseResult], number: int) -> None:
    found = results[str(number)]
    assert found.result == "passed", f"{found.message}\n{CASES[number]}"

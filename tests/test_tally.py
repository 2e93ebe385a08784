"""What the verdict rests on, in words, on the page and in its reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_ollama import FakeOllama
from play import Play, carry_out, services

from core.events import Case, Origin, RunFinished
from core.state import RunState
from webui.present import tally_text


@pytest.mark.parametrize(
    ("origins", "text"),
    [
        ([], "no case was executed"),
        (["yours"], "1 of 1 case, yours"),
        (["generated"], "1 of 1 case, generated"),
        (["yours"] * 2, "2 of 2 cases, all yours"),
        (["generated"] * 2, "2 of 2 cases, all generated"),
        (["yours", "generated", "yours"], "3 of 3 cases, 2 of them yours"),
    ],
)
def test_whose_the_cases_are_is_said_with_their_number(origins: list[Origin], text: str) -> None:
    cases = tuple(
        Case(id=f"t{number}", source="assert f()", origin=origin)
        for number, origin in enumerate(origins)
    )
    end = RunFinished(outcome="passed", reason="", passed=len(cases), total=len(cases))
    assert tally_text(RunState(run_id="r", cases=cases, finished=end)) == text


@pytest.mark.parametrize(
    ("goal", "reason"),
    [
        ("add two numbers", "Passes its only case: 1 generated."),
        ("add two numbers, add(2, 3) == 5", "Passes its only case: 1 of your own."),
    ],
)
def test_a_single_case_is_called_the_only_one(
    tmp_path: Path, server: FakeOllama, play: Play, goal: str, reason: str
) -> None:
    play.tests = "```python\nassert add(2, 3) == 5\n```"
    with services(tmp_path, server) as opened:
        state = carry_out(opened, goal)
    assert state.finished is not None
    assert state.finished.reason == reason

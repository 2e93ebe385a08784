"""Goals without an example: what programs agree on decides."""

from __future__ import annotations

from pathlib import Path

import pytest
from confirm_runs import ALIKE, BARE_GOAL, OTHERWISE, WRONG_TESTS, names, odd, run
from play import BROKEN, GOOD, Play, fenced


def test_without_examples_two_models_programs_outvote_the_models_cases(tmp_path: Path) -> None:
    small, large = Play(tests=WRONG_TESTS), Play(code=fenced(ALIKE))
    state = run(tmp_path, small, large, BARE_GOAL)
    assert state.finished is not None
    assert (state.outcome, state.finished.candidate) == ("passed", "c0")
    assert names(state) == ["c0", "d1"]
    assert state.counted[0].source == "assert add(1, 2) == 3"
    assert [case.source for case in state.cases if case.disputed] == [
        "assert add(1, 2) == 4",
        "assert add(0, 4) == 5",
    ]
    assert "Passes all 3 cases: 3 that several programs agree on." in state.finished.reason


def test_without_examples_a_case_as_wrong_as_the_code_proves_nothing(tmp_path: Path) -> None:
    tests = "```python\nassert add(3, 1) == 7\nassert add(1, 1) == 2\n```"
    large = Play(code=[fenced(GOOD), fenced(ALIKE), fenced(OTHERWISE)])
    state = run(tmp_path, Play(code=fenced(odd(7)), tests=tests), large, BARE_GOAL)
    assert state.finished is not None
    assert (state.outcome, state.finished.code) == ("passed", GOOD)
    assert names(state) == ["c0", "d1", "d2", "d3"]


@pytest.mark.parametrize("fourth", [GOOD, OTHERWISE])
def test_without_examples_three_programs_of_one_model_are_enough(
    tmp_path: Path, fourth: str
) -> None:
    small = Play(code=fenced(BROKEN), tests=WRONG_TESTS)
    # The same program again is no further opinion.
    large = Play(code=[fenced(code) for code in (GOOD, ALIKE, GOOD, fourth)])
    state = run(tmp_path, small, large, BARE_GOAL)
    assert state.outcome == ("passed" if fourth == OTHERWISE else "failed")
    assert state.code == GOOD


def test_without_examples_programs_that_agree_on_little_prove_nothing(tmp_path: Path) -> None:
    tests = "```python\nassert add(3, 1) == 7\nassert add(1, 1) == 2\n```"
    state = run(tmp_path, Play(code=fenced(odd(7)), tests=tests), Play(), BARE_GOAL)
    assert (state.outcome, state.code) == ("failed", GOOD)
    assert state.counted == ()


def test_without_examples_what_cannot_be_compared_is_unconfirmed(tmp_path: Path) -> None:
    tests = "```python\nassert sorted(add([2], [1])) == [1, 2]\nassert add([], []) in ([],)\n```"
    state = run(tmp_path, Play(tests=tests), Play(), BARE_GOAL)
    assert (state.outcome, names(state)) == ("unconfirmed", ["c0"])


def test_without_examples_nothing_passes_that_no_two_agree_on(tmp_path: Path) -> None:
    def off(by: int) -> str:
        return fenced(f"def add(a, b):\n    return a + b + {by}\n")

    others = Play(code=[off(by) for by in range(2, 9)], escalate=off(9))
    state = run(tmp_path, Play(code=off(1), tests=WRONG_TESTS), others, BARE_GOAL)
    assert state.finished is not None
    # The larger model's first draft is what it holds to be best.
    assert (state.outcome, state.finished.candidate) == ("failed", "d1")
    assert names(state) == ["c0", "d1", "d2", "d3"]
    assert "Add an example to the goal" in state.finished.reason
    assert not state.escalations


def test_without_examples_returning_nothing_alike_proves_nothing(tmp_path: Path) -> None:
    goal = 'def hello(name):\n    """Print a greeting."""\n'
    code = fenced("def hello(name):\n    print('Hi', name)\n")
    tests = "```python\nassert hello('Ann') == 'Hello, Ann'\nassert hello('') == 'Hello, '\n```"
    small, large = Play(code=code, tests=tests), Play(code=code, escalate=code)
    assert run(tmp_path, small, large, goal).outcome == "failed"

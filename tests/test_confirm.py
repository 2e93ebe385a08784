"""With the built-in models, programs are held against each other before a run is green."""

from __future__ import annotations

from pathlib import Path

import pytest
from builtin_play import builtin_services
from confirm_runs import (
    ALIKE,
    ALONE,
    BARE_GOAL,
    DIFFER,
    GOAL,
    MORE_GOAL,
    WRONG_TESTS,
    names,
    odd,
    run,
)
from fake_ollama import Reply
from play import BROKEN, GOOD, WRONG, Play, carry_out, fenced

from core.embedded import LARGE
from core.questions import questions
from core.state import RunState


def test_a_second_program_that_does_the_same_confirms_the_first(tmp_path: Path) -> None:
    small, large = Play(), Play(code=fenced(ALIKE))
    state = run(tmp_path, small, large)
    assert state.finished is not None
    assert (state.outcome, state.finished.candidate) == ("passed", "c0")
    assert names(state) == ["c0", "d1"]
    assert [case.origin for case in state.cases] == ["yours", "yours"]
    assert "2 candidates, written independently, pass them." in state.finished.reason
    assert "They are" not in state.finished.reason
    # Beside two cases of the user's a small model's would decide nothing.
    assert small.asked == ["code", "triage", "evaluate"]
    assert large.asked == ["code"]


def test_the_verdict_says_that_two_models_wrote_one_program(tmp_path: Path) -> None:
    reworded = 'def add(a, b):\n    """The sum."""\n    return a + b  # both\n'
    state = run(tmp_path, Play(), Play(code=fenced(reworded)))
    assert state.finished is not None
    assert (state.outcome, names(state)) == ("passed", ["c0", "d1"])
    assert (
        "2 candidates, written independently, pass them. They are one and the same program."
        in state.finished.reason
    )


def test_a_reply_that_goes_on_from_the_head_of_the_goal_is_a_whole_program(tmp_path: Path) -> None:
    other = GOOD.replace("a + b", "b + a")
    large = Play(code=["    return a - b\n```", fenced(GOOD), fenced(other)])
    state = run(tmp_path, Play(code=fenced(WRONG)), large)
    assert [one.code for one in state.candidates] == [
        WRONG,
        f"{GOAL}    return a - b\n",
        GOOD,
        other,
    ]
    assert state.outcome == "passed"
    drafts = [call.text for call in state.calls if call.call.startswith("code-draft-")]
    assert drafts == [f"```python\n{GOAL}    return a - b\n```", fenced(GOOD), fenced(other)]


@pytest.mark.parametrize(
    ("goal", "asked"),
    [
        ("Add two numbers.\n\nassert add(2, 3) == 5\n", False),
        ("Add two numbers: the sum\n", True),
        ("Make it add, as in:\nassert add.of(2, 3) == 5\n", True),
        ("Sums, so adding 2 to 3 gives 5\n", True),
        ("Reverse a word, so 'abc' becomes 'cba'\n", True),
    ],
)
def test_a_plan_is_asked_for_where_the_goal_does_not_say_what_to_call_and_how(
    tmp_path: Path, goal: str, asked: bool
) -> None:
    large = Play(code=fenced(ALIKE))
    run(tmp_path, Play(), large, goal)
    assert ("strategy" in large.asked) == asked


def test_where_they_differ_a_third_votes_and_what_two_give_is_a_case(tmp_path: Path) -> None:
    state = run(tmp_path, Play(code=fenced(odd(7))), Play(code=[fenced(GOOD), fenced(ALIKE)]))
    assert state.finished is not None
    assert (state.outcome, state.finished.code) == ("passed", GOOD)
    assert names(state) == ["c0", "d1", "d2"]
    made = [case for case in state.cases if case.origin == "generated"]
    assert made
    assert all(case.counts for case in made)
    first = state.candidate("c0")
    assert first is not None
    assert not first.passes
    assert f"2 of your own, {len(made)} that several programs agree" in state.finished.reason


def test_the_first_stands_where_the_third_agrees_with_it(tmp_path: Path) -> None:
    state = run(tmp_path, Play(), Play(code=[fenced(odd(7)), fenced(ALIKE)]))
    assert state.finished is not None
    assert (state.outcome, state.finished.candidate) == ("passed", "c0")
    assert any(case.origin == "generated" and case.counts for case in state.cases)


def test_where_no_two_agree_the_case_is_shown_and_the_first_stands(tmp_path: Path) -> None:
    state = run(tmp_path, Play(code=fenced(odd(7))), Play(code=[fenced(odd(8)), fenced(odd(9))]))
    assert state.finished is not None
    assert (state.outcome, state.finished.candidate) == ("unconfirmed", "c0")
    made = [case for case in state.cases if case.origin == "generated"]
    assert made
    assert all(case.disputed for case in made)
    assert f"{len(made)} generated are disputed" in state.finished.reason


def test_a_program_that_fails_the_users_cases_has_no_vote(tmp_path: Path) -> None:
    state = run(tmp_path, Play(code=fenced(odd(7))), Play(code=fenced(WRONG)))
    assert state.finished is not None
    assert (state.outcome, state.finished.candidate) == ("passed", "c0")
    assert names(state) == ["c0", "d1"]


def test_beside_a_single_case_of_the_users_another_program_must_do_the_same(tmp_path: Path) -> None:
    state = run(tmp_path, Play(), Play(code=fenced(WRONG)), MORE_GOAL)
    assert (state.outcome, names(state)) == ("unconfirmed", ["c0", "d1", "d2"])
    state = run(tmp_path, Play(), Play(code=[fenced(WRONG), fenced(ALIKE)]), MORE_GOAL)
    assert (state.outcome, names(state)) == ("passed", ["c0", "d1", "d2"])
    assert state.finished is not None
    assert state.finished.candidate == "c0"


def test_beside_a_single_case_a_larger_model_that_was_heard_once_leaves_it_open(
    tmp_path: Path,
) -> None:
    large = Play(code=[fenced(WRONG), Reply(status=500, error="out of memory")])
    state = run(tmp_path, Play(code=fenced(odd(7))), large, MORE_GOAL)
    assert (state.outcome, state.finished and state.finished.doubt) == ("unconfirmed", "alone")


def test_beside_a_single_case_that_cannot_be_compared_another_must_pass(tmp_path: Path) -> None:
    goal = wrapped_goal().replace("    >>> len(add([1], []))\n    1\n", "")
    state = run(tmp_path, Play(), Play(code=fenced(WRONG)), goal)
    assert (state.outcome, names(state)) == ("unconfirmed", ["c0", "d1", "d2"])
    state = run(tmp_path, Play(), Play(code=[fenced(WRONG), fenced(ALIKE)]), goal)
    assert (state.outcome, names(state)) == ("passed", ["c0", "d1", "d2"])


def test_the_small_model_alone_passes_by_a_single_case(tmp_path: Path) -> None:
    assert run(tmp_path, Play(), None, MORE_GOAL).outcome == "passed"


def test_a_case_of_a_model_that_two_programs_contradict_is_disputed(tmp_path: Path) -> None:
    small = Play(
        code=fenced(odd(7)),
        tests="```python\nassert add(5, 0) == 7\nassert add(0, 4) == 4\n```",
    )
    state = run(tmp_path, small, Play(code=[fenced(GOOD), fenced(ALIKE)]), MORE_GOAL)
    assert state.finished is not None
    assert (state.outcome, state.finished.code) == ("passed", GOOD)
    wrong = next(case for case in state.cases if case.source == "assert add(5, 0) == 7")
    assert wrong.disputed


def test_the_small_model_is_no_second_opinion_on_itself(tmp_path: Path) -> None:
    small = Play(code=[fenced(odd(7)), fenced(GOOD), fenced(GOOD)])
    state = run(tmp_path, small, None)
    assert state.finished is not None
    assert (state.outcome, state.finished.candidate) == ("passed", "c0")
    assert small.asked.count("code") == 2


def test_a_larger_model_that_fails_leaves_the_first_as_it_is(tmp_path: Path) -> None:
    state = run(tmp_path, Play(), Play(code=Reply(status=500, error="out of memory")))
    assert (state.outcome, names(state)) == ("passed", ["c0"])
    assert all(stage.seconds is not None for stage in state.stages)


@pytest.mark.parametrize(("drafts", "written"), [(0, ["c0"]), (1, ["c0", "d1"])])
def test_no_more_opinions_than_drafts(tmp_path: Path, drafts: int, written: list[str]) -> None:
    small, large = Play(code=fenced(odd(7))), Play(code=fenced(GOOD))
    more = f"run: {{builtin_drafts: {drafts}}}"
    with builtin_services(tmp_path, small, large, more) as services:
        assert names(carry_out(services, GOAL)) == written


def wrapped_goal() -> str:
    """Its examples fix no value of a plain call."""
    goal = GOAL.replace(">>> add(2, 3)", ">>> sorted(add([2], [3]))").replace("    5", "    [2, 3]")
    return goal.replace(">>> add(1, 0)", ">>> len(add([1], []))")


def test_what_cannot_be_compared_asks_for_no_second_opinion(tmp_path: Path) -> None:
    assert names(run(tmp_path, Play(), Play(), wrapped_goal())) == ["c0"]


def test_spaces_count(tmp_path: Path) -> None:
    goal = """def pad(text):
    \"\"\" A space before the text and two behind.

    >>> pad("")
    '   '
    >>> pad("a")
    ' a  '
    \"\"\"
"""
    right = "def pad(text):\n    return f' {text}  '\n"
    wrong = "def pad(text):\n    return f' {text}  ' if len(text) < 2 else f' {text} '\n"
    state = run(tmp_path, Play(code=fenced(wrong)), Play(code=fenced(right)), goal)
    assert state.finished is not None
    assert (state.outcome, state.finished.candidate) == ("passed", "d1")


def after_a_failure(folder: Path, *drafts: str, mended: str = WRONG) -> RunState:
    """Of a first draft that fails the user's cases: the larger model's further ones."""
    large = Play(code=[fenced(code) for code in drafts], escalate=fenced(mended))
    return run(folder, Play(code=fenced(WRONG)), large)


def test_after_a_failure_two_drafts_must_agree(tmp_path: Path) -> None:
    state = after_a_failure(tmp_path, WRONG, GOOD, ALIKE)
    assert (state.outcome, names(state)) == ("passed", ["c0", "d1", "d2", "d3"])
    assert state.finished is not None
    assert state.finished.candidate == "d2"


def test_a_draft_that_two_others_contradict_is_outvoted(tmp_path: Path) -> None:
    state = after_a_failure(tmp_path, odd(7), GOOD, ALIKE)
    assert (state.outcome, state.code) == ("passed", GOOD)


@pytest.mark.parametrize(
    ("drafts", "reason"),
    [
        ([GOOD], ALONE),
        ([odd(7), odd(8), odd(9)], DIFFER),
        ([WRONG], f"{ALONE} Mended on attempt 1."),
    ],
    ids=["the same again", "all differ", "mended"],
)
def test_what_no_other_program_confirms_is_no_green_run(
    tmp_path: Path, drafts: list[str], reason: str
) -> None:
    state = after_a_failure(tmp_path, *drafts, mended=GOOD)
    assert state.finished is not None
    assert state.outcome == "unconfirmed"
    assert reason in state.finished.reason
    assert not state.skill


def test_the_users_word_makes_an_unconfirmed_run_green_and_a_no_does_not(tmp_path: Path) -> None:
    large = Play(code=[fenced(odd(7)), fenced(odd(8)), fenced(odd(9))])
    with builtin_services(tmp_path, Play(code=fenced(WRONG)), large) as services:
        state = carry_out(services, GOAL)
        assert state.outcome == "unconfirmed"
        first, second, *_ = questions(state)
        no = services.answers.give(state.run_id, first.case.id, "no")
        assert (no.outcome, no.skill) == ("unconfirmed", "")
        right = services.answers.give(state.run_id, second.case.id, "edit", source="7")
        assert (right.outcome, right.code) == ("passed", odd(7))
        assert right.skill
        back = services.answers.give(state.run_id, second.case.id, "no", was="edit")
        assert back.outcome == "unconfirmed"
        assert back.withdrawn is not None


def test_what_cannot_be_compared_is_confirmed_by_another_that_passes(tmp_path: Path) -> None:
    large = Play(code=[fenced(GOOD), fenced(GOOD), fenced(ALIKE)])
    state = run(tmp_path, Play(code=fenced(BROKEN)), large, wrapped_goal())
    assert (state.outcome, names(state)) == ("passed", ["c0", "d1", "d2", "d3"])


def test_a_draft_that_failed_is_not_asked_for_again(tmp_path: Path) -> None:
    small = Play(code=fenced(WRONG), tests=WRONG_TESTS)
    state = run(tmp_path, small, Play(code=Reply(status=500, error="out of memory")), BARE_GOAL)
    calls = [call.call for call in state.calls]
    assert len(set(calls)) == len(calls)
    assert state.outcome == "error"


def test_a_draft_of_the_small_model_in_the_larger_ones_place_is_executed(tmp_path: Path) -> None:
    small = Play(code=[fenced(WRONG), fenced(GOOD)], tests=WRONG_TESTS)
    state = run(tmp_path, small, None, BARE_GOAL)
    assert names(state)[:2] == ["c0", "d1"]
    assert all(candidate.execution is not None for candidate in state.candidates)


def test_every_second_draft_is_asked_for_in_other_words(tmp_path: Path) -> None:
    large = Play(code=[fenced(WRONG), fenced(GOOD), fenced(ALIKE)])
    run(tmp_path, Play(code=fenced(WRONG)), large)
    first, second, third = (large.prompt("code", turn).split("\n", 1) for turn in range(3))
    assert first == third
    assert first[0] != second[0]
    assert first[1] == second[1]


def test_an_attempt_names_the_model_that_makes_it(tmp_path: Path) -> None:
    state = after_a_failure(tmp_path, WRONG)
    assert [started.model for started in state.escalations] == [LARGE.name]

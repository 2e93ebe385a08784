"""With the built-in models, programs are held against each other before a run is green."""

from __future__ import annotations

from pathlib import Path

import pytest
from builtin_play import builtin_services
from fake_ollama import Reply
from play import BROKEN, GOOD, WRONG, Play, carry_out, fenced

from core.questions import questions
from core.state import RunState

GOAL = '''def add(a, b):
    """The sum.

    >>> add(2, 3)
    5
    >>> add(1, 0)
    1
    """
'''
BARE_GOAL = 'def add(a, b):\n    """The sum."""\n'
MORE_GOAL = GOAL.replace("    >>> add(1, 0)\n    1\n", "")
ALIKE = "def add(a, b):\n    return b + a\n"


def odd(otherwise: int) -> str:
    """Right for the user's cases, wrong from a = 3 on."""
    return f"def add(a, b):\n    return a + b if a < 3 else {otherwise}\n"


def run(folder: Path, small: Play, large: Play | None, goal: str = GOAL) -> RunState:
    with builtin_services(folder, small, large) as services:
        return carry_out(services, goal)


def names(state: RunState) -> list[str]:
    return [candidate.candidate for candidate in state.candidates]


def test_a_second_program_that_does_the_same_confirms_the_first(tmp_path: Path) -> None:
    small, large = Play(), Play(code=fenced(ALIKE))
    state = run(tmp_path, small, large)
    assert state.finished is not None
    assert (state.outcome, state.finished.candidate) == ("passed", "c0")
    assert names(state) == ["c0", "d1"]
    assert [case.origin for case in state.cases] == ["yours", "yours"]
    assert "2 candidates, written independently, pass them." in state.finished.reason
    # Beside two cases of the user's a small model's would decide nothing.
    assert small.asked == ["code", "triage", "evaluate"]
    assert large.asked == ["code"]


@pytest.mark.parametrize(
    ("goal", "asked"),
    [
        ("Add two numbers.\n\nassert add(2, 3) == 5\n", False),
        ("Add two numbers: the sum\n", True),
        ("Make it add, as in:\nassert add.of(2, 3) == 5\n", True),
    ],
)
def test_a_plan_is_asked_for_where_the_goal_does_not_say_how_to_call_it(
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


ALONE = "But no second program confirms it. More examples would tell."
DIFFER = "But programs differ where no case decides, so it is unconfirmed."


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


WRONG_TESTS = "```python\nassert add(1, 2) == 4\nassert add(0, 4) == 5\n```"
OTHERWISE = "def add(a, b):\n    return sum((a, b))\n"


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


LAST_GOAL = '''def last(text):
    """Whether the text ends in a letter that stands alone.

    >>> last("apple pi e")
    True
    >>> last("apple pie")
    False
    """
'''
BREAKS = "def last(text):\n    return text[-1].isalpha() and not text[-2].isalpha()\n"
BREAKS_TOO = "def last(text):\n    return not text[-2].isalpha() and text[-1].isalpha()\n"
SOUND = "def last(text):\n    return text[-1:].isalpha() and not text[-2:-1].isalpha()\n"
SOUND_TOO = "def last(text):\n    return text[-1:].isalpha() and text[-2:-1] in ('', ' ')\n"


def of_last(folder: Path, small: str, *large: str) -> RunState:
    drafts = [fenced(code) for code in large]
    return run(folder, Play(code=fenced(small)), Play(code=drafts), LAST_GOAL)


def test_two_sound_programs_come_before_one_that_breaks_off(tmp_path: Path) -> None:
    state = of_last(tmp_path, BREAKS, SOUND, SOUND_TOO)
    assert (state.outcome, state.code) == ("passed", SOUND)
    first = state.candidates[0]
    assert first.broke is not None
    assert first.broke.call == "last('a')"
    # What to give there is for nobody but the user to say.
    assert first.passes
    assert all(case.is_yours for case in state.cases)


def test_a_program_that_breaks_off_as_an_example_does_is_sound(tmp_path: Path) -> None:
    wants = (
        '    >>> last("x")\n    Traceback (most recent call last):\n    IndexError: no\n    """\n'
    )
    goal = LAST_GOAL.removesuffix('    """\n') + wants
    state = run(
        tmp_path, Play(code=fenced(BREAKS)), Play(code=[fenced(BREAKS), fenced(BREAKS_TOO)]), goal
    )
    assert all(one.broke is None for one in state.candidates)


def test_where_all_break_off_nothing_is_green(tmp_path: Path) -> None:
    state = of_last(tmp_path, BREAKS, BREAKS_TOO)
    assert state.finished is not None
    assert (state.outcome, state.finished.doubt) == ("unconfirmed", "breaks")
    assert names(state) == ["c0", "d1", "d2"]
    said = "But on last('a') it breaks off, so it is unconfirmed: IndexError: string index out of"
    assert said in state.finished.reason
    assert "An example of that call would tell." in state.finished.reason
    assert not state.skill


def test_a_sound_program_comes_before_those_that_break_off(tmp_path: Path) -> None:
    state = of_last(tmp_path, BREAKS, BREAKS_TOO, SOUND)
    assert (state.outcome, state.code) == ("unconfirmed", SOUND)
    assert state.finished is not None
    assert DIFFER in state.finished.reason


def test_a_draft_that_breaks_off_is_held_against_further_ones(tmp_path: Path) -> None:
    state = of_last(tmp_path, "def last(text):\n    return None\n", BREAKS, BREAKS_TOO, SOUND)
    assert names(state) == ["c0", "d1", "d2", "d3"]
    assert (state.outcome, state.code) == ("unconfirmed", SOUND)


PART_GOAL = '''def part(whole, items):
    """Whether the list holds the items one after the other.

    >>> part([2, 4, 3, 5, 7], [3, 7])
    False
    """
'''
NEVER = "def part(whole, items):\n    return items in whole\n"
NEVER_TOO = "def part(whole, items):\n    return whole.count(items) > 0\n"
PART = """def part(whole, items):
    return any(whole[i : i + len(items)] == items for i in range(len(whole)))
"""
PART_TOO = """def part(whole, items):
    places = range(len(whole) - len(items) + 1)
    return any(all(whole[i + j] == items[j] for j in range(len(items))) for i in places)
"""


def of_part(folder: Path, *large: str) -> RunState:
    drafts = [fenced(code) for code in large]
    small = Play(code=fenced(NEVER), tests="```python\nassert part([1, 2], [3]) == False\n```")
    return run(folder, small, Play(code=drafts), PART_GOAL)


def test_programs_that_give_the_same_for_every_call_confirm_nothing(tmp_path: Path) -> None:
    state = of_part(tmp_path, NEVER, NEVER_TOO)
    assert state.finished is not None
    assert (state.outcome, state.finished.candidate) == ("unconfirmed", "c0")
    assert state.finished.doubt == "constant"
    assert names(state) == ["c0", "d1", "d2"]
    assert "the same result for every call that was tried" in state.finished.reason


def test_two_that_tell_calls_apart_outvote_one_that_does_not(tmp_path: Path) -> None:
    state = of_part(tmp_path, PART, PART_TOO)
    assert (state.outcome, state.code) == ("passed", PART)


def test_one_against_two_that_give_the_same_for_every_call_makes_none_of_them_green(
    tmp_path: Path,
) -> None:
    state = of_part(tmp_path, NEVER_TOO, PART)
    assert (state.outcome, state.code) == ("unconfirmed", NEVER)


def test_every_second_draft_is_asked_for_in_other_words(tmp_path: Path) -> None:
    large = Play(code=[fenced(WRONG), fenced(GOOD), fenced(ALIKE)])
    run(tmp_path, Play(code=fenced(WRONG)), large)
    first, second, third = (large.prompt("code", turn).split("\n", 1) for turn in range(3))
    assert first == third
    assert first[0] != second[0]
    assert first[1] == second[1]

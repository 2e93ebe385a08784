"""Code that passes and breaks off all the same, or gives the same whatever it is given."""

from __future__ import annotations

from pathlib import Path

from builtin_play import builtin_services
from confirm_runs import DIFFER, names, run
from play import Play, carry_out, fenced

from core.state import RunState

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


def test_the_verdict_tells_candidates_from_different_programs(tmp_path: Path) -> None:
    state = of_part(tmp_path, NEVER, NEVER_TOO)
    assert state.finished is not None
    assert "3 candidates, written independently, pass them. They are 2 different programs." in (
        state.finished.reason
    )


def test_two_that_tell_calls_apart_outvote_one_that_does_not(tmp_path: Path) -> None:
    state = of_part(tmp_path, PART, PART_TOO)
    assert (state.outcome, state.code) == ("passed", PART)


def test_one_against_two_that_give_the_same_for_every_call_makes_none_of_them_green(
    tmp_path: Path,
) -> None:
    state = of_part(tmp_path, NEVER_TOO, PART)
    assert (state.outcome, state.code) == ("unconfirmed", NEVER)


PIECES_GOAL = (
    "Split a text into pieces of n letters, 2 unless it is given. pieces('abc') == ['ab', 'c']"
)
PIECES = "def pieces(text):\n    return [text[i : i + 2] for i in range(0, len(text), 2)]\n"
PIECES_TOO = PIECES.replace("range(0, len(text), 2)", "range(len(text))[::2]")
OF_N = "```python\nassert pieces('abcdef', 3) == ['abc', 'def']\n```"


def test_a_test_that_calls_it_in_a_way_that_only_the_goal_could_settle_is_a_doubt(
    tmp_path: Path,
) -> None:
    small = Play(code=fenced(PIECES), tests=OF_N)
    with builtin_services(tmp_path, small, Play(code=fenced(PIECES_TOO))) as services:
        state = carry_out(services, PIECES_GOAL)
        assert state.finished is not None
        assert (state.outcome, state.finished.doubt) == ("unconfirmed", "called")
        said = "pieces('abcdef', 3) == ['abc', 'def'] calls it in a way that it does not take"
        assert said in state.finished.reason
        assert not state.skill
        case = next(case for case in state.cases if case.disputed)
        wrong = services.answers.give(state.run_id, case.id, "no")
        assert (wrong.outcome, bool(wrong.skill)) == ("passed", True)
        right = services.answers.give(state.run_id, case.id, "yes", was="no")
        assert right.outcome == "failed"


def test_where_the_goal_has_a_head_a_test_that_calls_it_otherwise_is_just_wrong(
    tmp_path: Path,
) -> None:
    examples = ">>> pieces('abc')\n    ['ab', 'c']"
    goal = f'def pieces(text):\n    """Pieces of 2 letters.\n\n    {examples}\n    """\n'
    small = Play(code=fenced(PIECES), tests=OF_N)
    assert run(tmp_path, small, Play(code=fenced(PIECES_TOO)), goal).outcome == "passed"

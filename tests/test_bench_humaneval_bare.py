"""Tasks of the benchmark whose goals are without examples."""

from __future__ import annotations

from dataclasses import replace

import pytest
from test_bench_humaneval import PROMPT, TASK

from bench.humaneval_bare import bare

SAID = "Undo half: give what half was called with, for any number."


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        (f'    """ {SAID}\n    >>> twice(2)\n    4\n    """\n', f'    """ {SAID}\n    """\n'),
        (
            f'    """\n    {SAID}\n\n    Examples:\n    twice(2) => 4\n    It is not rounded."""\n',
            f'    """\n    {SAID}\n    It is not rounded."""\n',
        ),
        (f"    '''{SAID}\n    twice(2) == 4'''\n", f"    '''{SAID}\n    '''\n"),
        (f'    """ {SAID}\n    >>> twice(2)\n    4"""\n', f'    """ {SAID}\n    """\n'),
        (
            f'    """{SAID}\n    Input: a number.\n    Output: 4\n    """\n',
            f'    """{SAID}\n    Input: a number.\n    """\n',
        ),
        (f'    """{SAID}"""\n', f'    """{SAID}"""\n'),
        (f'    """{SAID} For x = 2 the output should be 4."""\n', None),
        ('    """ Undo half.\n    >>> twice(2)\n    4\n    """\n', None),
    ],
    ids=[
        "a session",
        "a heading",
        "in the last line",
        "ending",
        "what it takes",
        "none",
        "in a sentence",
        "nothing else",
    ],
)
def test_a_goal_without_its_examples(docstring: str, expected: str | None) -> None:
    head = PROMPT[: PROMPT.index('    """')]
    found = [task.goal for task in bare([replace(TASK, goal=head + docstring)])]
    assert found == ([head + expected] if expected else [])


@pytest.mark.parametrize(
    "goal",
    ["Write a function twice(x).\nassert twice(1) == 2", 'class Twice:\n    """Doubles."""\n'],
)
def test_a_goal_that_is_no_head_of_a_function_is_left_out(goal: str) -> None:
    worded = replace(TASK, goal=PROMPT.replace("Undo half.", "Undo what half did to a number."))
    other = replace(TASK, number=8, goal=goal, entry_point="Twice")
    assert [task.number for task in bare([other, worded])] == [TASK.number]

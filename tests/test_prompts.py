"""Prompts: nothing is left out silently, and small models get short ones."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from core.events import Case, CaseResult, ExecutionFinished
from core.packet import error_output, error_signature, head, judged_code, tail
from core.prompts import PURPOSES, digest, render


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_missing_value_is_an_error(purpose: str) -> None:
    with pytest.raises(UndefinedError):
        render(purpose)


def test_text_goes_in_unchanged() -> None:
    goal = "a < b && {{ goal }} {% raw %} \"quotes\" 'é'"
    assert goal in render("triage", goal=goal, code="x", output="y")


def test_the_digest_is_short_and_stable() -> None:
    assert digest() == digest()
    assert len(digest()) == 12


def finished(*messages: str) -> ExecutionFinished:
    return ExecutionFinished(
        candidate="c0",
        status="failed",
        message="",
        cases=tuple(
            CaseResult(id=f"g{n}", result="failed", message=m) for n, m in enumerate(messages)
        ),
        stdout="",
        stderr="x" * 50_000,
        seconds=0.1,
        peak_bytes=1,
        cpu_s=0.1,
    )


def test_at_most_three_failing_cases_are_shown_and_the_rest_counted() -> None:
    cases = [Case(id=f"g{n}", source=f"assert f({n})", origin="generated") for n in range(5)]
    text = error_output(finished(*"abcde"), cases)
    assert "assert f(2)" in text
    assert "assert f(3)" not in text
    assert "(2 more cases fail)" in text
    assert len(text) < 3100


def test_a_cut_is_marked() -> None:
    assert head("abcdef", 3) == "abc\n[... cut]"
    assert tail("abcdef", 3) == "[cut ...]\ndef"
    assert head("abc", 3) == tail("abc", 3) == "abc"


def test_signatures_tell_errors_apart() -> None:
    assert error_signature(finished("a")) == error_signature(finished("a"))
    assert error_signature(finished("a")) != error_signature(finished("b"))


GOAL_WITH_EXAMPLE = """def double(n):
    \"\"\" Twice the number.

    >>> double(2)
    4
    \"\"\"
"""


def test_those_who_judge_read_the_goal_once() -> None:
    code = f"import os\n\n{GOAL_WITH_EXAMPLE}    return 2 * n  # as asked\n"
    short = (
        'import os\n\ndef double(n):\n    """As the goal says."""\n    return 2 * n  # as asked\n'
    )
    assert judged_code(code, GOAL_WITH_EXAMPLE) == short


@pytest.mark.parametrize(
    "code",
    [
        'def double(n):\n    """Something else."""\n    return n\n',
        'def double(n):\n    """Twice the number."""\n',
        'def double(n): """Twice the number."""; return n\n',
        'def double(n):\n    """Twice the number."""; return n\n',
        'def double(n):\n    """Twice the number."""\r    return n\n',
        "def double(n:\n",
    ],
)
def test_all_else_of_the_code_stays_as_it_is(code: str) -> None:
    assert judged_code(code, GOAL_WITH_EXAMPLE) == code

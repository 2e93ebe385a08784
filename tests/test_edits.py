"""What a user may write in place of a generated case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pieces import replies

from core.edits import addition, replacement
from core.errors import BadInput
from core.events import Case
from core.reading.plans import Plan
from core.reading.pysource import compiles

PLAN = Plan(text="", name="add", signature="def add(xs):")
CASE = Case(id="g1", source="assert add([]) == 0", origin="generated")
OWN = Case(id="y1", source="assert add([1]) == 1", origin="yours")
GONE = Case(id="g3", source="assert add([2]) == 3", origin="generated", rejected=True)


def written(text: str, case: Case = CASE) -> str:
    return replacement(text, case, PLAN, [CASE, OWN, GONE])


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("None", "assert add([]) == None"),
        ("  assert add([]) is None\r\n", "assert add([]) is None"),
        ("add([]) is None", "assert add([]) is None"),
        ("assert add([2]) == 3", "assert add([2]) == 3"),
        ("import math\nassert add([]) == math.inf", "import math\nassert add([]) == math.inf"),
        (
            "0.5",
            'assert abs((got := add([])) - 0.5) < 1e-06, f"got {got!r}, expected 0.5"',
        ),
    ],
)
def test_a_line_or_a_value_is_taken(text: str, source: str) -> None:
    assert written(text) == source


def test_a_case_that_wants_an_error_is_taken() -> None:
    source = written("with pytest.raises(ValueError):\n    add('x')")
    assert "except ValueError" in source


def test_a_value_takes_its_place_behind_what_goes_before() -> None:
    case = Case(id="g2", source="xs = [3]\nassert add(xs) == 4", origin="generated")
    assert written("3", case) == "xs = [3]\nassert add(xs) == 3"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Write what is right"),
        ("   \n", "Write what is right"),
        ("x" * 5000, "at most 4,000"),
        ("assert add([]) ==", "Python can't read this"),
        ("add([]) == 0, add([3]) == 99", "several cases"),
        ("\0", "Python can't read this"),
        ("[1,\n2", r"Python can't read this \(line"),
        ("x = 3", "Nothing is asserted"),
        ("assert sub(3) == 1", "never reaches add"),
        ("assert True", "never reaches add"),
        ("assert add(nothing) == 1", "a name that is not there"),
        ("assert add([]) == add([])", "holds whatever the code does"),
        ("assert add([]) == 5 or True", "holds whatever the code does"),
        ("assert add([3]) == 3\nassert add([4]) == 4", "several cases"),
        ("import os\nos.remove('x')\nassert add([]) == 0", "no part in the assert"),
        ("add = print\nassert add([]) is None", "never reaches|no part|a name that"),
        ("assert add([1]) == 2", "own says otherwise: assert add"),
        ("assert add( [1] ) == 1", "has this case already"),
    ],
)
def test_what_is_no_case_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(BadInput, match=why) as caught:
        written(text)
    assert caught.value.field == "source"


@given(st.one_of(replies(), replies().map(lambda text: f"assert add({text}) == 1")))
def test_whatever_is_typed_it_is_a_case_or_a_word_about_it(text: str) -> None:
    try:
        source = written(text)
    except BadInput:
        return
    assert compiles(source)
    assert "add" in source


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("add([2]) == 2", "assert add([2]) == 2"),
        ("- add([2]) == 2", "assert add([2]) == 2"),
        ("assert add([2]) == 2\r\n", "assert add([2]) == 2"),
        ("add([2]) -> 2", "assert add([2]) == 2"),
        ("add([2])  # 2", "assert add([2]) == 2"),
        (">>> add([2])\n2", "assert add([2]) == 2"),
        ("xs = [2]\nassert add(xs) == 2", "xs = [2]\nassert add(xs) == 2"),
        ("assert add([2])", "assert add([2])"),
        ("not add([])", "assert not add([])"),
        ("add([]) == 0 or add([]) is None", "assert add([]) == 0 or add([]) is None"),
        (
            "add('x') raises TypeError",
            "try:\n    add('x')\nexcept TypeError:\n    pass\nelse:\n"
            "    raise AssertionError('no TypeError was raised')",
        ),
        ("isinstance(add([2]), int)", "assert isinstance(add([2]), int)"),
    ],
)
def test_a_further_case_is_taken_as_people_write_it(text: str, source: str) -> None:
    assert addition(text, PLAN) == source


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Write what is right"),
        ("2", "Write the call as well, like add"),
        ("add([2])", "Write what it gives as well"),
        ("str(add([2]))", "Write what it gives as well"),
        ("add([2]) == 2 if add else False", "Write what it gives as well"),
        ("add([-1]) raises ValueError or returns 0", "Python can't read this"),
        ("add([2]) returns -2 if negative", "Python can't read this"),
        ("add([2]) returns 3? No, it returns 2", "Python can't read this"),
        ("add([1]) == 1\nadd([2]) == 2", "several cases"),
        ("lambda: add([2]) == 2", "Write what it gives as well"),
        ("add([2]), 2", "Write what it gives as well"),
        ("add([2]) ==", "Python can't read this"),
        ("what it should do is add", "Python can't read this"),
        ("add([2]) -> 2\nbut no negative numbers", "Python can't read this"),
        ("assert add([2]) == 2\nassert add([3]) == 3", "several cases"),
        ("add([2]) == 2, add([3]) == 3", "several cases"),
        ("add([2]) -> 2\nadd([3]) -> 3", "several cases"),
    ],
)
def test_what_is_no_further_case_is_refused_in_words(text: str, why: str) -> None:
    with pytest.raises(BadInput, match=why) as caught:
        addition(text, PLAN)
    assert caught.value.field == "source"


@given(replies())
def test_whatever_is_typed_as_a_further_case_it_is_one_or_a_word_about_it(text: str) -> None:
    try:
        source = addition(text, PLAN)
    except BadInput:
        return
    assert compiles(source)
    assert "add" in source

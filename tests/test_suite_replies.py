"""core.suite: the cases in a model's reply."""

from __future__ import annotations

import textwrap
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.events import Case
from core.replies import Plan
from core.suite import cases_from_goal, cases_from_replies

PLAN = Plan(text="Raises Trouble when empty.", name="f", signature="def f(x)")
ACCOUNT = Plan(text="", name="Account", signature="class Account")
RAISES = (
    "try:\n    f(-1)\nexcept ValueError:\n    pass\nelse:\n"
    "    raise AssertionError('no ValueError was raised')"
)
TWO = ["assert f(2) == 4", "assert f(3) == 9"]


def sources(text: str, plan: Plan = PLAN, taken: tuple[Case, ...] = ()) -> list[str]:
    cases = cases_from_replies([textwrap.dedent(text)], plan, yours=taken)
    return [case.source for case in cases if not case.disputed]


@pytest.mark.parametrize(
    "text",
    [
        "assert f(2) == 4\nassert f(3) == 9",
        "```python\nassert f(2) == 4\nassert f(3) == 9\n```",
        "Here are the tests:\n\n```\nassert f(2) == 4\n```\nand\n```\nassert f(3) == 9\n```",
        "Sure, here it's:\nassert f(2) == 4\nassert f(3) == 9\nDone (I think",
        "1. `assert f(2) == 4`\n2. `assert f(3) == 9`",
        "- assert f(2) == 4\n- assert f(3) == 9",
        "<think>assert f(1) == 0</think>\nassert f(2) == 4\nassert f(3) == 9",
        "assert f(2) == 4\r\nassert f(3) == 9\r\n",
        "assert f(2) == 4\nassert f(3) == 9\nassert f(4) == ",
        "```python\nassert f(2) == 4\nassert f(3) == 9\nassert f(4",
        "assert f(2) == 4\nassert f(5) = 25\nassert f(3) == 9",
        "assert f(2) == 4\nassert f(2)==(4)\nassert f(3) == 9",
        "from solution import f\nimport pytest\nassert f(2) == 4\nassert f(3) == 9",
        "def f(x):\n    return x * x\n\nassert f(2) == 4\nassert f(3) == 9",
        "f = lambda x: 1\nassert f(2) == 4\nassert f(3) == 9",
        "def test_f():\n    assert f(2) == 4\n    assert f(3) == 9",
        "def test_f():\n    '''All.'''\n    from solution import f\n"
        "    assert f(2) == 4\n    assert f(3) == 9\n    assert f(4) ==",
        "def check(candidate):\n    pass\n\nassert f(2) == 4\nassert f(3) == 9\ncheck(f)",
        "import unittest\n\nclass TestF(unittest.TestCase):\n    def test_f(self):\n"
        "        self.assertEqual(f(2), 4)\n        self.assertEqual(f(3), 9)\n\n"
        "if __name__ == '__main__':\n    unittest.main()",
        "assert True\nassert f(1) == f(1)\nassert 1 == 1\nassert g(2) == 4\nassert (f(2), 'no')\n"
        "assert f(2) == 4\nassert f(x) == 1\nassert f(...) == 1\nassert f(3) == 9",
        "assert f(2) == 4\nprint(f(2))\nf(7)\nassert f(3) == 9",
    ],
)
def test_two_asserts_in_any_shape(text: str) -> None:
    assert sources(text) == TWO


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("assert f(\n    2,\n) == 4, 'two'", ["assert f(\n    2,\n) == 4, 'two'"]),
        ("assert 0.5 < f(2) < 4.5", ["assert 0.5 < f(2) < 4.5"]),
        ("assert not f('it\\'s')", ["assert not f('it\\'s')"]),
        ("assert isinstance(f(2), int)", ["assert isinstance(f(2), int)"]),
        ("xs = [1]\nys = 2\nassert f(xs) == 1", ["xs = [1]\nassert f(xs) == 1"]),
        ("y = f(2)\nassert y == 4", ["y = f(2)\nassert y == 4"]),
        ("import math\nassert f(1) == math.pi", ["import math\nassert f(1) == math.pi"]),
        ("assert f(1) == math.pi", ["import math\nassert f(1) == math.pi"]),
        ("for a in [1, 2]:\n    assert f(a) == a", ["for a in [1, 2]:\n    assert f(a) == a"]),
        ("def twice(x):\n    return f(f(x))\n\nassert twice(2) == 16",
         ["def twice(x):\n    return f(f(x))\nassert twice(2) == 16"]),
        ("def test_f():\n    x = [1]\n    f(x)\n    assert x == []",
         ["x = [1]\nf(x)\nassert x == []"]),
        ("import pytest\n\ndef test_f():\n    with pytest.raises(ValueError):\n        f(-1)",
         [RAISES]),
        ("with pytest.raises(ValueError, match='no'):\n    f(-1)", [RAISES]),
        ("pytest.raises(ValueError, f, -1)", [RAISES]),
        ("try:\n    f(-1)\n    assert False\nexcept ValueError:\n    pass",
         ["try:\n    f(-1)\n    assert False\nexcept ValueError:\n    pass"]),
        ("assert f(0.1) == 0.3",
         ['assert abs((got := f(0.1)) - 0.3) < 1e-06, f"got {got!r}, expected 0.3"']),
        ("def check(candidate):\n    assert candidate(2) == 4",
         ["candidate = f\nassert candidate(2) == 4"]),
        ("@pytest.mark.parametrize('a', [1])\ndef test_f(a):\n    assert f(a) == 1", []),
        ("def test_f(tmp_path):\n    assert f(tmp_path) == 1", []),
        ("def test_f():\n    f(2)", []),
        ("No tests today.", []),
        ("", []),
        ("assert f(" + "-" * 3000 + "1) == 1", []),
        ("assert f(" + "(" * 500, []),
    ],
)  # fmt: skip
def test_what_a_reply_tests(text: str, found: list[str]) -> None:
    assert sources(text) == found


def test_unittest_classes_become_plain_statements() -> None:
    text = """
        class TestF(unittest.TestCase):
            def setUp(self):
                self.x = 3

            def test_values(self):
                self.assertTrue(f(self.x))
                self.assertIsNone(f(0))
                self.assertIn(1, f(2))

            def test_errors(self):
                with self.assertRaises(Trouble):
                    f(-1)
                self.assertRaises(ValueError, f, -1)
    """
    start = "import types\nself = types.SimpleNamespace()\nself.x = 3\n"
    assert sources(text) == [
        start + "assert f(self.x)",
        "assert f(0) is None",
        "assert 1 in f(2)",
        RAISES.replace("ValueError", "Trouble"),
        RAISES,
    ]


def test_each_case_of_a_class_brings_its_own_object() -> None:
    text = """
        a = Account(10)
        a.deposit(5)
        assert a.balance == 15
        a.withdraw(3)
        assert a.balance == 12
        b = Account()
        assert b.balance == 0
    """
    start = "a = Account(10)\na.deposit(5)\n"
    assert sources(text, ACCOUNT) == [
        start + "assert a.balance == 15",
        start + "a.withdraw(3)\nassert a.balance == 12",
        "b = Account()\nassert b.balance == 0",
    ]


def test_a_broken_test_function_loses_only_itself() -> None:
    broken = "def test_a():\n    a = Account(\n    assert a.x == 1\n\n"
    text = broken + "def test_b():\n    assert Account(2).x"
    assert sources(text, ACCOUNT) == ["assert Account(2).x"]


def test_contradictions_are_disputed() -> None:
    cases = cases_from_replies(["assert f(2) == 4\nassert f(2) == 5\nassert f(3) == 9"], PLAN)
    assert [(case.id, case.source, case.disputed) for case in cases] == [
        ("g1", "assert f(3) == 9", False),
        ("g2", "assert f(2) == 4", True),
        ("g3", "assert f(2) == 5", True),
    ]
    assert sources("assert f(2) == 4\nassert f(2) == 5\nassert f(3) == 9") == ["assert f(3) == 9"]
    assert sources("assert f(2) == True\nassert not f(2)\nassert f(3) == 9") == ["assert f(3) == 9"]
    assert sources("x = 1\nassert f(x) == 1\nx = 2\nassert f(x) == 2") == [
        "x = 1\nassert f(x) == 1",
        "x = 1\nx = 2\nassert f(x) == 2",
    ]


def test_your_case_stands_against_a_generated_one() -> None:
    yours = cases_from_goal("f(2) == 4, f(0.5) == 0.25", PLAN)
    text = "assert f(2) == 5\nassert f(2) == 4\nassert f(0.5) == 0.2\nassert 9 == f(3)"
    assert sources(text, taken=yours) == ["assert 9 == f(3)"]
    assert sources("assert f(0.5) == 0.25\nassert f( 2) == 4", taken=yours) == []


def test_the_most_votes_stand_and_come_first() -> None:
    draws = [
        "assert f(1) == 1\nassert f(2) == 4\nassert f(3) == 8",
        "assert f(3) == 9\nassert f(4) == 16\nassert f(2) == 4\nassert f(2) == 4",
        "assert f(3) == 9",
    ]
    cases = cases_from_replies(draws, PLAN)
    assert [(case.source, case.disputed) for case in cases] == [
        ("assert f(2) == 4", False),
        ("assert f(3) == 9", False),
        ("assert f(1) == 1", False),
        ("assert f(4) == 16", False),
        ("assert f(3) == 8", True),
    ]
    assert [case.id for case in cases] == ["g1", "g2", "g3", "g4", "g5"]


@given(st.permutations([f"assert f({n}) == {n * n + n // 3}" for n in range(4)] * 2))
def test_votes_of_one_draw_count_once(lines: list[str]) -> None:
    said = ["assert f(2) == 4", *lines], ["assert f(2) == 4"], ["assert f(2) == 5"]
    cases = cases_from_replies(["\n".join(draw) for draw in said], PLAN, limit=20)
    by_source = {case.source: case.disputed for case in cases}
    assert by_source["assert f(2) == 4"] is False
    assert by_source["assert f(2) == 5"] is True


def test_the_limit_holds() -> None:
    text = "\n".join(f"assert f({n}) == {n * n}" for n in range(20))
    cases = cases_from_replies([text], PLAN, limit=3)
    assert [case.source for case in cases] == [f"assert f({n}) == {n * n}" for n in range(3)]
    assert {case.origin for case in cases} == {"generated"}
    assert cases_from_replies([text], PLAN, limit=0) == ()


@pytest.mark.parametrize(
    "text",
    [
        "assert f(2) == 4\n" * 20_000,
        "".join(f"assert f({n}) == 4\n" for n in range(10_000)),
        "assert f(2) ==\n" * 10_000,
        "def test_f():\n" * 10_000,
        "```\nassert f(1) == 1\n```\n" * 2000,
        "assert f(" * 10_000,
    ],
)
def test_a_huge_reply_takes_less_than_a_second(text: str) -> None:
    start = time.process_time()
    cases_from_replies([text], PLAN)
    assert time.process_time() - start < 1

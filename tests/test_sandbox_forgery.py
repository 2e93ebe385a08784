"""Wrong code that tries to look right: no trick of a candidate's makes a failing case pass.

Each trick comes with a right solution beside it, so that a case which fails everything shows.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tricks import ANYTHING, TRICKS

from core.cancel import Cancel
from core.events import Case
from core.sandbox import Execution, Limits, Sandbox


@pytest.fixture(scope="module", params=["warm", "cold"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(Limits(wall_s=6.0, case_s=2.0), warm=request.param == "warm") as found:
        yield found


def run(sandbox: Sandbox, code: str, *sources: str) -> Execution:
    cases = [
        Case(id=f"c{number}", source=source, origin="generated")
        for number, source in enumerate(sources, 1)
    ]
    return sandbox.run(code, cases, cancel=Cancel())


SUITE = (
    "assert f(2) == 4",
    "assert f(0) == 0",
    "assert abs(f(1.5) - 3.0) < 1e-9",
    "import math\nassert math.isclose(f(1.25), 2.5)",
    "assert f(3) in (6,)",
    "assert isinstance(f(1), int)",
    "from solution import f as g\nassert g(5) == 10",
    "import solution\nassert solution.f(6) == 12",
    "def check(candidate):\n    assert candidate(7) == 14\ncheck(f)",
    "import unittest\nunittest.TestCase().assertEqual(f(8), 16)",
)
RIGHT = "import math\ndef f(x):\n    return x * 2\n"


@pytest.mark.parametrize("trick", TRICKS)
def test_no_trick_makes_a_case_pass(sandbox: Sandbox, trick: str) -> None:
    suite = SUITE[:3] if trick == "never ends" else SUITE
    execution = run(sandbox, TRICKS[trick], *suite)
    assert execution.status != "passed"
    # An `isinstance` may be honestly true of a wrong answer.
    passed = {case.id for case in execution.cases if case.result == "passed"} - {"c6"}
    assert passed == set(), execution.cases


def test_right_code_passes_the_same_suite(sandbox: Sandbox) -> None:
    execution = run(sandbox, RIGHT, *SUITE)
    assert [case.result for case in execution.cases] == ["passed"] * len(SUITE), execution.cases
    assert execution.status == "passed"


NAMED = """
class Money:
    def __init__(self, value): self.value = value
    def __eq__(self, other): return %s
    def __lt__(self, other): return self.value < getattr(other, 'value', other)
"""


def test_class_under_test_may_compare_and_must_tell_apart(sandbox: Sandbox) -> None:
    suite = ("assert Money(5) == 5", "assert Money(5) == Money(5)", "assert Money(5) < 6")
    right = NAMED % "self.value == getattr(other, 'value', other)"
    assert run(sandbox, right, *suite).status == "passed"
    execution = run(sandbox, NAMED % "True", *suite)
    assert [case.result for case in execution.cases] == ["failed", "failed", "passed"]


DIRECT = (
    "class Sub(Base):\n    pass\nassert Sub().get(2) == 4",
    "from unittest.mock import patch\nwith patch('time.sleep'):\n    assert Base().get(2) == 4",
)


@pytest.mark.parametrize(
    ("body", "passes"),
    [
        ("return x * 2", True),
        ("return x * 3", False),
        ("return Anything()", False),
        ("import builtins\n        builtins.AssertionError = SystemExit\n        return 0", False),
        ("import os\n        os._exit(0)", False),
        ("raise SystemExit(0)", False),
    ],
)
def test_case_inside_the_candidate_is_decided_outside(
    sandbox: Sandbox, body: str, passes: bool
) -> None:
    code = f"{ANYTHING}\nimport time\nclass Base:\n    def get(self, x):\n        {body}\n"
    execution = run(sandbox, code, *DIRECT)
    assert (execution.status == "passed") == passes, execution
    assert all((case.result == "passed") == passes for case in execution.cases)


def test_case_inside_the_candidate_must_be_run(sandbox: Sandbox) -> None:
    code = (
        "import inside.direct as d\nd.compile_case = lambda *a, **k: compile('0', 'x', 'exec')\n"
        "class Base:\n    def get(self, x): return 0\n"
    )
    execution = run(sandbox, code, DIRECT[0])
    assert execution.status == "crash"
    assert "interferes" in execution.message


def test_no_cases_are_no_success(sandbox: Sandbox) -> None:
    assert run(sandbox, RIGHT).status == "failed"


def test_case_is_never_in_the_candidates_memory(sandbox: Sandbox) -> None:
    code = """
import gc, sys
def f():
    found = []
    frame = sys._getframe()
    while frame:
        found.append(repr(frame.f_locals))
        frame = frame.f_back
    for thing in gc.get_objects():
        try: found.append(repr(thing))
        except Exception: pass
    return sum(''.join(['xyzzy', 'plugh']) in text for text in found)
"""
    execution = run(sandbox, code, "word = 'xyzzyplugh'\nassert f() == 0")
    assert execution.status == "passed", execution.message


@pytest.mark.parametrize(
    ("code", "source"),
    [
        (
            "from collections import OrderedDict\ndef f(s):\n    return OrderedDict(a=99)",
            "for key, value in f('a').items():\n    assert value == 1",
        ),
        (
            "def abs(x):\n    return 0\ndef f(x):\n    return 999",
            "import solution\nassert abs(solution.f(2) - 4) < 1",
        ),
        (
            "def range(*a):\n    return []\ndef f(x):\n    return 999",
            "import solution\nfor n in range(3):\n    assert solution.f(n) == n * 2",
        ),
        (
            "class Timer:\n    on = False\n    def __enter__(self):\n        return self\n"
            "    def __exit__(self, *error):\n        return True",
            "with Timer() as timer:\n    assert timer.on",
        ),
        (
            "BankError = AssertionError\ndef f():\n    return 0",
            "try:\n    f()\n    assert False\nexcept BankError:\n    pass",
        ),
        (
            "import unittest\ndef f(x):\n    raise unittest.SkipTest",
            "import io, unittest\nclass T(unittest.TestCase):\n    def test(self):\n"
            "        self.assertEqual(f(2), 4)\n"
            "suite = unittest.defaultTestLoader.loadTestsFromTestCase(T)\n"
            "assert unittest.TextTestRunner(io.StringIO()).run(suite).wasSuccessful()",
        ),
        (
            "class Stack:\n    def push(self, x): pass\n    def pop(self): return self\n"
            "    def __eq__(self, other): return True",
            "stack = Stack()\nstack.push('hello')\nassert stack.pop() == 'hello'",
        ),
        (
            "class N:\n    def __init__(self, kept): self.kept = kept\n"
            "    def __eq__(self, other):\n        self.kept.clear()\n        return True\n"
            "    __hash__ = None\n"
            "def f(s):\n    kept = {}\n    kept.update(a=N(kept), b=999)\n    return kept",
            "assert f('ab') == {'a': 1, 'b': 1}",
        ),
        ("from io import FileIO as f", "assert f(3) == 4"),
        (
            "import os\nos.remove('solution.py')\nos.mkfifo('solution.py')\n"
            "def f(x):\n    while True: pass",
            "assert f(2) == 4",
        ),
    ],
)
def test_no_trick_of_one_case(sandbox: Sandbox, code: str, source: str) -> None:
    execution = run(sandbox, code, source, "assert True")
    assert [case.result for case in execution.cases][0] != "passed"
    assert execution.cases[1].result == "passed", execution

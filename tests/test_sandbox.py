"""What the sandbox says about code that is right, wrong, or looks right."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.cancel import Cancel
from core.errors import BadInput
from core.events import Case
from core.sandbox import Execution, Limits, Sandbox
from core.sandbox.model import MIB

Run = Callable[..., Execution]


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    return Sandbox(Limits(wall_s=8.0, case_s=2.0, memory_bytes=256 * MIB))


@pytest.fixture(scope="module")
def run(sandbox: Sandbox) -> Run:
    def run(code: str, *sources: str, **modules: str) -> Execution:
        return sandbox.run(code, cases(*sources), modules=modules, cancel=Cancel())

    return run


def cases(*sources: str) -> list[Case]:
    return [
        Case(id=f"c{number}", source=source, origin="generated")
        for number, source in enumerate(sources, 1)
    ]


DOUBLE = "def f(x):\n    return x * 2\n"
WRONG = "def f(x):\n    return x * 2 + 1\n"


def test_right_code_passes(run: Run) -> None:
    execution = run(DOUBLE, "assert f(2) == 4", "from solution import f as g\nassert g(0) == 0")
    assert execution.status == "passed"
    assert execution.message == ""
    assert [case.result for case in execution.cases] == ["passed", "passed"]
    assert execution.stderr == ""
    assert 0 < execution.seconds < 8
    assert execution.peak_bytes > 1_000_000
    assert execution.cpu_s > 0


@pytest.mark.parametrize(
    ("code", "case", "result", "message"),
    [
        (WRONG, "assert f(2) == 4", "failed", "AssertionError: f(2) == 4: got 5, expected 4"),
        (WRONG, "assert 4 == f(2)", "failed", "AssertionError: 4 == f(2): got 5, expected 4"),
        (WRONG, "assert f(2) in [4]", "failed", "f(2) in [4]: got 5, which is not in [4]"),
        (WRONG, "assert f(2) is None", "failed", "f(2) is None: got 5, expected None"),
        (WRONG, "assert f(2) < 3", "failed", "AssertionError: f(2) < 3: got 5 and 3"),
        (WRONG, "assert not f(2)", "failed", "AssertionError: not f(2): got 5"),
        (WRONG, "assert f(0) == 1 and f(2) == 4", "failed", ": f(2) == 4: got 5, expected 4"),
        (WRONG, "assert f(2) == 4, 'twice'", "failed", "twice (f(2) == 4: got 5, expected 4)"),
        (WRONG, "assert f(2) == 4, f(1 / 0)", "error", "ZeroDivisionError"),
        (DOUBLE, "f(None)", "error", "TypeError: unsupported operand type(s) for *"),
        (DOUBLE, "f(None)", "error", "(solution.py line 2: return x * 2)"),
        (DOUBLE, "g(1)", "error", "NameError: name 'g' is not defined (the case line 1: g(1))"),
        (DOUBLE, "assert f(2 == 4", "error", "SyntaxError"),
        ("def f():\n    assert False", "f()", "failed", "(solution.py line 2: assert False)"),
        ("class E(Exception): ...\ndef f():\n    raise E", "f()", "error", "E (solution.py line 3"),
        ("def f(): input()", "f()", "error", "EOFError"),
        ("def f(): f()", "f()", "error", "RecursionError"),
        ("class A:\n  def __repr__(self): 1/0", "assert A() == 1", "failed", "repr raises Zero"),
        ("def f(): return 'x' * 10000", "assert f() == ''", "failed", "…, expected ''"),
    ],
)
def test_message_says_what_is_wrong(
    run: Run, code: str, case: str, result: str, message: str
) -> None:
    execution = run(code, case)
    assert execution.status == "failed"
    assert execution.cases[0].result == result
    assert message in execution.cases[0].message
    assert "\n" not in execution.cases[0].message
    assert execution.cases[0].message in execution.message


def test_stderr_ends_with_the_first_traceback(run: Run) -> None:
    code = "import sys\ndef f():\n    print('here', file=sys.stderr)\n    return 1 / 0\n"
    execution = run(code, "f()", "f() + 1")
    assert execution.stderr.startswith("here\n")
    assert 'File "solution.py", line 4, in f\n    return 1 / 0' in execution.stderr
    assert execution.stderr.endswith("ZeroDivisionError: division by zero")
    assert "/opt" not in execution.stderr
    assert "inside" not in execution.stderr


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        ("def f(:\n    pass", "failed", "SyntaxError: invalid syntax (line 1: def f(:)"),
        ("x = '\0'", "failed", "null bytes"),
        ("x = '\ud800'", "failed", "UnicodeEncodeError"),
        ("import nonsense", "failed", "ModuleNotFoundError: No module named 'nonsense'"),
        ("x = 1\ny = x / 0", "failed", "ZeroDivisionError: division by zero (solution.py line 2"),
        ("import sys\nsys.exit(0)", "failed", "the code called sys.exit(0)"),
        ("import os\nos._exit(0)", "crash", "the code ended its process (exit status 0)"),
        ("while True: pass", "timeout", "not finished after 2 s (solution.py line 1: while True"),
        ("x = bytearray(10**10)", "memory", "MemoryError"),
    ],
)
def test_code_that_can_not_be_imported(run: Run, code: str, status: str, message: str) -> None:
    execution = run(code, "assert True", "assert True")
    assert execution.status == status
    assert message in execution.message
    assert [case.result for case in execution.cases] == ["not_run", "not_run"]


@pytest.mark.parametrize(
    "code",
    [
        "import os\ndef f(x): os._exit(0)",
        "import sys\ndef f(x): sys.exit(0)",
        "import os, signal\ndef f(x): os.kill(os.getpid(), signal.SIGKILL)",
        "import atexit, os\natexit.register(os._exit, 0)\ndef f(x): return 5",
        "import os\ndef f(x): os.kill(os.getppid(), 9)",
        "import os\ndef f(x): os.kill(-1, 9)",
        "import os\ndef f(x):\n  if os.fork() == 0: return 4\n  os._exit(0)",
        "def f(x):\n  print('1 passed'); print('OK'); return 5",
        "class Same:\n  def __eq__(self, other): return False\n  def __bool__(self): return True\n"
        "def f(x): return Same()",
        # Every descriptor that is open, with something that looks like a report and a record.
        "import os\ndef f(x):\n"
        '  for fd in range(1, 256):\n    for text in (b\'{"kind": "end", "nonce": ""}\\n\', '
        'b\'{"result": "passed"}\\n\'):\n      try: os.write(fd, text)\n'
        "      except OSError: pass\n  os._exit(0)",
    ],
)
def test_only_a_finished_case_is_a_pass(run: Run, code: str) -> None:
    execution = run(code, "assert f(2) == 4")
    assert execution.status in ("failed", "crash")
    assert execution.cases[0].result in ("failed", "error")
    assert execution.message


def test_no_case_is_no_pass(run: Run) -> None:
    execution = run(DOUBLE)
    assert (execution.status, execution.message) == ("failed", "no test case ran")


def test_main_block_is_not_run_and_import_output_shown_once(run: Run) -> None:
    code = "print('loaded')\nif __name__ == '__main__':\n    raise SystemExit('ran')\n" + DOUBLE
    execution = run(code, "print(f(1))\nassert f(1) == 2", "assert f(2) == 4")
    assert execution.status == "passed"
    assert execution.stdout == "loaded\n2\n"


def test_cases_do_not_share_state(run: Run) -> None:
    code = "seen = []\ndef f(x):\n    seen.append(x)\n    open('out', 'a').write('x')\n"
    code += "    return len(seen), open('out').read()\n"
    execution = run(code, "assert f(1) == (1, 'x')", "assert f(2) == (1, 'x')")
    assert execution.status == "passed", execution.message


def test_class_with_state_and_dataclass(run: Run) -> None:
    code = """
from __future__ import annotations
from dataclasses import dataclass, field
import pickle

@dataclass
class Account:
    balance: int = 0
    log: list[int] = field(default_factory=list)

    def deposit(self, amount: int) -> None:
        if amount <= 0:
            raise ValueError("amount must be positive")
        self.balance += amount
        self.log.append(amount)
"""
    execution = run(
        code,
        "a = Account()\na.deposit(5)\nassert a.balance == 5\nassert a.log == [5]",
        "import pytest\nwith pytest.raises(ValueError, match='positive'): Account().deposit(0)",
        "assert pickle.loads(pickle.dumps(Account(3))).balance == 3",
    )
    assert execution.status == "passed", execution.message


def test_pytest_raises_that_nothing_raises(run: Run) -> None:
    execution = run(DOUBLE, "import pytest\nwith pytest.raises(ValueError):\n    f(1)")
    assert execution.cases[0].result == "failed"
    assert "DID NOT RAISE" in execution.cases[0].message


def test_modules_can_be_imported(run: Run) -> None:
    code = "from helper import twice\ndef f(x): return twice(x)"
    execution = run(code, "assert f(2) == 4", helper="def twice(x): return 2 * x")
    assert execution.status == "passed", execution.message
    with pytest.raises(BadInput):
        run(code, helper="", **{"not-a-name": ""})


def test_standard_library_works(run: Run) -> None:
    code = """
import asyncio, concurrent.futures, multiprocessing, sqlite3, tempfile, threading, zoneinfo, decimal
def f():
    async def g(): return 4
    assert asyncio.run(g()) == 4
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(abs, [-1])) == [1]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(abs, [-1]) == [1]
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
    return sqlite3.connect(":memory:").execute("select 4").fetchone()[0]
"""
    execution = run(code, "assert f() == 4")
    assert execution.status == "passed", execution.message


def test_four_at_once_from_threads(run: Run) -> None:
    def one(number: int) -> Execution:
        return run(f"def f(): print({number}); return {number}", f"assert f() == {number}")

    with ThreadPoolExecutor(4) as pool:
        executions = list(pool.map(one, range(8)))
    assert [execution.status for execution in executions] == ["passed"] * 8
    assert [execution.stdout for execution in executions] == [f"{n}\n" for n in range(8)]


GIVES = """
class Odd:
    def __repr__(self):
        return "5"

class Number(int):
    pass

seen = []

def give(kind):
    seen.append(kind)
    if kind == "break":
        return [][1]
    if kind == "end":
        raise SystemExit
    values = {"text": "a  b", "long": "x" * 400, "odd": Odd(), "within": [Odd(), 3]}
    values |= {"infinite": [float("inf")], "subclass": Number(5), "none yet": set()}
    values |= {"itself": [], "digits": 10**5000}
    values["itself"].append(values["itself"])
    values |= {"mixed": {"k": (1, -2.5, None, {True}, b"x")}, "count": len(seen)}
    return values.get(kind)
"""


def test_an_expression_in_place_of_a_case_tells_its_value(run: Run) -> None:
    expected = {
        "text": "'a  b'",
        "mixed": "{'k': (1, -2.5, None, {True}, b'x')}",
        "none": "None",
        "count": "1",  # each call is the first
        "long": "",
        "odd": "",
        "within": "",
        "infinite": "",
        "subclass": "",
        "none yet": "set()",
        "itself": "",
        "digits": "",
    }
    calls = [f"give({kind!r})" for kind in expected]
    execution = run(GIVES, *calls, "give('text');")
    told = [(case.result, case.message) for case in execution.cases]
    assert told == [("passed", value) for value in (*expected.values(), "'a  b'")]


def test_an_expression_that_breaks_off_says_where(run: Run) -> None:
    execution = run(GIVES, "give('break')", "give('end')", "give('text')", "nobody()", "2 +")
    assert [case.result for case in execution.cases] == [*["error"] * 2, "passed", *["error"] * 2]
    message = execution.cases[0].message
    assert message.startswith("IndexError: list index out of range (solution.py line 14: ")
    assert execution.status != "passed"

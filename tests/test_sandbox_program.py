"""Code that runs once as a program: its input, what it says, and the files that it leaves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.cancel import Cancel
from core.errors import BadInput
from core.events import Case
from core.sandbox import Limits, ProgramResult, Sandbox


@pytest.fixture(scope="module", params=["warm", "cold"])
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    limits = Limits(wall_s=2.0, files_bytes=100_000, files=5, output_bytes=100_000)
    with Sandbox(limits, warm=request.param == "warm") as found:
        yield found


def execute(sandbox: Sandbox, code: str, **given: object) -> ProgramResult:
    return sandbox.execute(code, cancel=Cancel(), **given)  # type: ignore[arg-type]


def test_arguments_input_and_exit_code(sandbox: Sandbox) -> None:
    code = "import sys\nprint(sys.argv[1:], __name__, input('? '), sys.stdin.read())\nsys.exit(3)"
    found = execute(sandbox, code, arguments=["a", "b c"], stdin="one\ntwo é\n".encode())
    assert (found.status, found.exit_code, found.message) == ("finished", 3, "")
    assert found.stdout == "? ['a', 'b c'] __main__ one two é\n\n"
    assert found.stderr == ""
    assert found.seconds > 0
    assert found.cpu_s > 0
    assert found.peak_bytes > 1_000_000


@pytest.mark.parametrize(
    ("code", "status", "exit_code", "said"),
    [
        ("print('hi')", "finished", 0, "hi\n"),
        ("import sys\nsys.exit('gone wrong')", "finished", 1, "gone wrong\n"),
        ("raise SystemExit", "finished", 0, ""),
        ("1 / 0", "finished", 1, "ZeroDivisionError: division by zero"),
        ("def f(:", "finished", 1, "SyntaxError"),
        ("import os\nos._exit(7)", "finished", 7, ""),
        ("import os\nos.kill(os.getpid(), 9)", "crash", -9, ""),
        ("import atexit\natexit.register(print, 'bye')\nprint('hi')", "finished", 0, "hi\nbye\n"),
        ("import threading as t\nt.Timer(0.1, print, ['late']).start()", "finished", 0, "late"),
        ("while True: pass", "timeout", None, ""),
        ("while True: print('x' * 99)", "output", None, "x"),
        ("x = [0] * 10**10", "finished", 1, "MemoryError"),
    ],
)
def test_every_end(
    sandbox: Sandbox, code: str, status: str, exit_code: int | None, said: str
) -> None:
    found = execute(sandbox, code)
    assert (found.status, found.exit_code) == (status, exit_code)
    assert said in found.stdout + found.stderr
    assert "inside" not in found.stderr


def test_files_go_in_and_come_out(sandbox: Sandbox) -> None:
    code = (
        "import os\ndata = open('in.csv').read()\nos.makedirs('out/deep')\n"
        "open('out/deep/result.csv', 'w').write(data.upper())\n"
        "open('empty', 'w')\nopen('helper.py', 'a').write('# changed')\n"
        "import helper\nprint(helper.VALUE)\n"
    )
    found = execute(
        sandbox,
        code,
        files={"in.csv": b"a,b\n", "same.bin": b"\0\1"},
        modules={"helper": "VALUE = 4\n"},
    )
    assert found.stdout == "4\n"
    assert {file.name: file.data for file in found.files} == {
        "out/deep/result.csv": b"A,B\n",
        "empty": b"",
        "helper.py": b"VALUE = 4\n# changed",
    }
    assert found.refused == ()


def test_files_that_are_none_are_refused(sandbox: Sandbox) -> None:
    code = (
        "import os\nos.symlink('/etc/passwd', 'link')\nos.mkfifo('pipe')\n"
        "open('big', 'wb').write(bytes(200_000))\nopen('good', 'w').write('x')\n"
        "os.link('good', 'second')\nopen('new\\nline', 'w')\nos.chmod('good', 0o4777)\n"
    )
    found = execute(sandbox, code)
    assert found.status == "finished"
    assert [file.name for file in found.files] == []
    text = "\n".join(found.refused)
    for name in ("link", "pipe", "big", "good", "second"):
        assert name in text


def test_files_left_by_a_program_that_is_stopped(sandbox: Sandbox) -> None:
    found = execute(sandbox, "open('x', 'w').write('1')\nwhile True: pass")
    assert found.status == "timeout"
    assert [file.name for file in found.files] == ["x"]


def test_daemon_can_not_change_what_is_collected(sandbox: Sandbox) -> None:
    code = (
        "import os, time\nopen('x', 'w').write('first')\n"
        "if os.fork() == 0:\n    os.setsid()\n    time.sleep(1)\n"
        "    open('x', 'w').write('later')\n"
    )
    found = execute(sandbox, code)
    assert [file.data for file in found.files] == [b"first"]


def test_cases_find_fresh_copies_of_the_input_files(sandbox: Sandbox) -> None:
    code = "def f():\n    with open('n.txt', 'r+') as file:\n        text = file.read()\n"
    code += "        file.write('!')\n    return text\n"
    cases = [Case(id=str(n), source="assert f() == 'abc'", origin="yours") for n in range(2)]
    execution = sandbox.run(code, cases, files={"n.txt": b"abc"}, cancel=Cancel())
    assert execution.status == "passed", execution.message


@pytest.mark.parametrize("name", ["../x", "solution.py", "a/b", "", ".hidden", "x\ny", "helper.py"])
def test_bad_names_of_files(sandbox: Sandbox, name: str) -> None:
    with pytest.raises(BadInput):
        execute(sandbox, "", files={name: b""}, modules={"helper": ""})

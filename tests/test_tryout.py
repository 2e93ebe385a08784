"""A run's code as the user's own program: what it is given, what comes of it, what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import run_scripts
from web_services import Web, web

from core import events as ev
from core.errors import BadInput, RunNotFound
from core.sandbox import Limits, Sandbox
from core.tools import SkillLibrary
from core.tryout import Trial, Tried, TryOut, callables_of, what_to_call

PROGRAM = """import sys
from pathlib import Path


def main(argv, text):
    print(argv, text.upper())
    for path in sorted(Path().glob("*.txt")):
        print(path.name, path.read_text())
    Path("out.csv").write_text("a,b\\n")
    Path("secret").symlink_to("/etc/passwd")
    return 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.stdin.read()))
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Web]:
    with web(tmp_path) as opened:
        yield opened


def written(site: Web, code: str, run_id: str = "r1", **files: bytes) -> str:
    """A run with this code, and with files of these names and `.txt`."""
    data = {f"{name}.txt": content for name, content in files.items()}
    site.services.log.create(run_id, run_scripts.started(), data)
    candidate = ev.CandidateWritten(
        candidate="c0", attempt=0, code=code, model="m", endpoint="http://e"
    )
    site.services.log.append(run_id, candidate)
    return run_id


def tried(site: Web, code: str, trial: Trial | None = None, **files: bytes) -> Tried:
    return site.services.tryout.run(written(site, code, **files), trial or Trial())


def test_a_program_gets_arguments_input_and_files_and_hands_files_over(site: Web) -> None:
    trial = Trial(arguments=("a b", "-x"), stdin=b"in\n", files={"mine.txt": b"M", "b.txt": b"new"})
    found = tried(site, PROGRAM, trial, a=b"A", b=b"old")
    result = found.result
    assert (result.status, result.exit_code) == ("finished", 3)
    assert result.stdout == "['a b', '-x'] IN\n\na.txt A\nb.txt new\nmine.txt M\n"
    assert [(file.name, file.data) for file in result.files] == [("out.csv", b"a,b\n")]
    assert len(result.refused) == 1
    assert "symbolic link" in result.refused[0]
    assert (found.candidate, found.hint) == ("c0", "")


def test_a_call_is_printed(site: Web) -> None:
    code = "from __future__ import annotations\n\ndef _add(a, b):\n    return a + b  # no newline"
    assert tried(site, code, Trial(call=" _add('a',\n 'b')")).result.stdout == "'ab'\n"


def test_a_call_does_not_run_the_program(site: Web) -> None:
    result = tried(site, PROGRAM, Trial(call="main(['x'], 'text')")).result
    assert result.stdout == "['x'] TEXT\n3\n"
    assert result.exit_code == 0


def test_a_call_that_fails_shows_where(site: Web) -> None:
    result = tried(site, "def half(n):\n    return 1 / n\n", Trial(call="half(0)")).result
    assert result.exit_code == 1
    assert 'candidate.py", line 2, in half' in result.stderr
    assert "ZeroDivisionError" in result.stderr


def test_functions_alone_print_nothing_and_that_is_explained(site: Web) -> None:
    found = tried(site, "def add(a, b):\n    return a + b\n")
    assert found.result.exit_code == 0
    assert found.hint == (
        "Nothing was printed: the code has no part for running it as a program. "
        "You can call add(a, b)."
    )


def test_limits_hold(site: Web, tmp_path: Path) -> None:
    code = "print('before', flush=True)\nwhile True:\n    pass\n"
    with Sandbox(Limits(wall_s=1.5)) as sandbox:
        tryout = TryOut(site.services.log, sandbox, SkillLibrary(tmp_path))
        result = tryout.run(written(site, code), Trial()).result
    assert (result.status, result.exit_code) == ("timeout", None)
    assert result.stdout == "before\n"
    assert result.message


@pytest.mark.parametrize(
    ("trial", "why"),
    [
        (Trial(call="add("), "no Python expression"),
        (Trial(call="x = 1"), "no Python expression"),
        (Trial(call="\0"), "no Python expression"),
        (Trial(arguments=("a\0",)), "NUL"),
        (Trial(arguments=("a",) * 101), "At most 100"),
        (Trial(stdin=b"x" * 1_048_577), "longer than 1 MiB"),
        (Trial(files={"solution.py": b""}), "is not taken"),
    ],
)
def test_what_no_program_can_be_given_is_refused(site: Web, trial: Trial, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        tried(site, "", trial)


def test_there_must_be_a_run_with_code(site: Web) -> None:
    with pytest.raises(RunNotFound):
        site.services.tryout.run("none", Trial())
    site.services.log.create("r1", run_scripts.started())
    with pytest.raises(BadInput, match="no code yet"):
        site.services.tryout.run("r1", Trial())


def test_what_there_is_to_call() -> None:
    code = (
        "class Counter:\n    def __init__(self, start=0, *, step=1): ...\n    def up(self): ...\n"
        "def _hidden(): ...\ndef f(a, /, b, *rest, key): ...\nclass Plain: ...\n"
    )
    assert callables_of(code) == ["Counter(start, step=)", "f(a, b, *rest, key=)", "Plain()"]
    assert callables_of("def (") == []
    assert what_to_call("def (") == ""
    assert what_to_call("x = 1") == (
        "Nothing was printed: the code has no part for running it as a program."
    )
    assert "without printing" in what_to_call("if __name__ == '__main__':\n    pass\n")

"""run.py with files, packages and `try`, as a user types it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import requests
from fake_ollama import FakeOllama
from play import Play, fenced, write_config
from test_run_command import RUN, answers, eventually, run, started
from test_sandbox_packages import wheels, write_wheel

__all__ = ["wheels"]  # a fixture

PROGRAM = """import sys
from pathlib import Path


def total(name):
    return sum(int(line) for line in open(name))


if __name__ == "__main__":
    print(sys.argv[1:], sys.stdin.read(), total("n.txt"))
    Path("out").mkdir()
    Path("out/sum.txt").write_text(str(total("n.txt")))
    sys.exit(int(sys.argv[1]) if sys.argv[1:] else 0)
"""


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    path = tmp_path / "n.txt"
    path.write_text("1\n2\n3\n")
    return path


def generated(config: str, numbers: Path, play: Play) -> str:
    """The id of a run that wrote PROGRAM for a file."""
    play.strategy = "SIGNATURE: def total(name):\n"
    play.code = fenced(PROGRAM)
    play.tests = "```python\nassert total('n.txt') == 6\nassert total('n.txt') > 5\n```"
    goal = "Add the numbers of a file."
    result = run("generate", goal, "--json", "--file", str(numbers), "--config", config)
    assert result.returncode == 0, result.stdout + result.stderr
    first = json.loads(result.stdout.splitlines()[0])
    assert [file["name"] for file in first["payload"]["files"]] == ["n.txt"]
    return str(first["run_id"])


def test_a_generated_program_can_be_tried(
    tmp_path: Path, play: Play, server: FakeOllama, numbers: Path
) -> None:
    config = str(write_config(tmp_path, server))
    run_id = generated(config, numbers, play)
    out = tmp_path / "kept"
    (tmp_path / "in").write_text("hello")
    words = ["--arg", "3", "--arg=-x y", "--stdin", str(tmp_path / "in"), "--out", str(out)]
    result = run("try", run_id, *words, "--config", config)
    assert result.stdout == "['3', '-x y'] hello 6\n"
    assert result.returncode == 3, result.stderr
    assert (out / "out" / "sum.txt").read_text() == "6"
    assert f"Written to {out}: out/sum.txt (1 bytes)" in result.stderr
    # Once more: what is there already is left alone, and that is no success.
    again = run("try", run_id, "--out", str(out), "--config", config)
    assert again.returncode == 2
    assert "out/sum.txt: it exists already and is left as it is" in again.stderr
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "n.txt").write_text("40\n2\n")
    mine = ["--call", "total('n.txt')", "--file", str(tmp_path / "other" / "n.txt")]
    assert run("try", run_id, *mine, "--config", config).stdout == "42\n"
    piped = subprocess.run(
        [*RUN, "--config", config, "try", run_id, "--stdin", "-"],
        input="piped",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert piped.stdout == "[] piped 6\n"
    assert "Left: out/sum.txt" in piped.stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["try", "nobody"], "There is no run"),
        (["try", "nobody", "--file", "/nowhere"], "/nowhere can't be read"),
        (["try", "nobody", "--stdin", "/nowhere"], "/nowhere can't be read"),
        (["generate", "add", "--file", "/nowhere"], "/nowhere can't be read"),
        (["generate", "add", "--file", "/etc/.pwd.lock"], "can't be read|not taken"),
    ],
)
def test_what_cant_be_done_is_said(
    tmp_path: Path, server: FakeOllama, arguments: list[str], why: str
) -> None:
    result = run("--config", str(write_config(tmp_path, server)), *arguments)
    assert result.returncode in (2, 126)
    assert any(part in result.stderr for part in why.split("|"))
    assert "Traceback" not in result.stderr


def test_the_served_app_takes_files_and_tries_programs(
    tmp_path: Path, play: Play, server: FakeOllama, numbers: Path
) -> None:
    config = write_config(tmp_path, server)
    run_id = generated(str(config), numbers, play)
    with started(config) as (_, url), requests.Session() as session:
        eventually(lambda: answers(url))
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', session.get(url, timeout=20).text)
        assert found is not None
        form = {"csrf": found[1], "arguments": "3"}
        mine = {"files": ("n.txt", b"40\n2\n")}
        page = session.post(f"{url}/runs/{run_id}/try", data=form, files=mine, timeout=30)
        assert page.url == f"{url}/runs/{run_id}#tryout"
        assert "exit code 3" in page.text
        assert "[&#39;3&#39;]  42" in page.text
        left = re.search(rf'href="(/runs/{run_id}/try/[0-9a-f]+/0)"', page.text)
        assert left is not None
        assert session.get(url + left[1], timeout=20).content == b"42"
        huge = {"files": ("big", b"x" * (30 * 1024 * 1024))}
        refused = session.post(f"{url}/runs", data=form, files=huge, timeout=30)
        assert refused.status_code == 413
        assert "At most 17 MiB can be sent at once" in refused.text


def test_packages_are_installed_by_name(tmp_path: Path, server: FakeOllama, wheels: Path) -> None:
    config = str(write_config(tmp_path, server, more='sandbox: {packages: ["tiny-one<2"]}'))
    failed = run("packages", "--config", config)
    assert failed.returncode == 1
    assert "No matching distribution found for tiny-one<2" in failed.stderr
    looked = run("check", "--config", config)
    assert "✗ Packages are not installed yet: tiny-one<2." in looked.stdout
    assert "No matching distribution" in looked.stdout
    assert "python run.py packages" in looked.stdout
    write_wheel(wheels, "tiny_one", "1.5", needs="tiny_two")
    write_wheel(wheels, "tiny_two", "2.0")
    done = run("packages", "--config", config)
    assert done.returncode == 0, done.stderr
    assert "✓ tiny_one 1.5\n✓ tiny_two 2.0 (needed by another)" in done.stdout
    looked = run("check", "--config", config)
    wanted = "✓ Packages that code may import: tiny_one 1.5, and 1 more that they need."
    assert wanted in looked.stdout


def test_without_a_list_there_is_nothing_to_install(tmp_path: Path, server: FakeOllama) -> None:
    result = run("packages", "--config", str(write_config(tmp_path, server)))
    assert result.returncode == 0
    assert "sandbox.packages is empty" in result.stdout


def test_a_bad_package_is_a_bad_config(tmp_path: Path, server: FakeOllama) -> None:
    config = str(write_config(tmp_path, server, more="sandbox: {packages: [../x]}"))
    result = run("packages", "--config", config)
    assert result.returncode == 2
    assert "sandbox.packages[0]: this is a path" in result.stderr

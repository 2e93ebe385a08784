"""Files and packages on their way from a goal to the code and the models."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_ollama import FakeOllama
from hypothesis import given
from hypothesis import strategies as st
from play import Play, carry_out, fenced, follow, services
from test_sandbox_packages import wheels, write_wheel

from core.errors import BadInput
from core.events import InputFile, PackagesAwaited, PackagesOffered
from core.inputs import HEAD_CHARACTERS, beginning, described, read_paths, told
from core.prompts import render

__all__ = ["wheels"]  # a fixture

READS = "def total(name):\n    return sum(int(line) for line in open(name))\n"
IMPORTS = "import tiny_one\n\n\ndef add(a, b):\n    assert tiny_one.VERSION\n    return a + b\n"


@pytest.mark.parametrize(
    ("data", "head"),
    [
        (b"", ""),
        (b"a,b\r\n1,2\r\n", "a,b\n1,2"),
        (b"\xef\xbb\xbfa", "a"),
        (b"\n".join(b"%d" % n for n in range(99)), "\n".join(map(str, range(10)))),
        (b"x" * 5000, "x" * HEAD_CHARACTERS),
        (b"\x89PNG\r\n\x1a\n", ""),
        (b"text\0with nul", ""),
        ("caf\xe9".encode("latin-1"), ""),
    ],
)
def test_the_beginning_of_a_text(data: bytes, head: str) -> None:
    assert beginning(data) == head


def test_a_character_that_is_cut_in_two_is_no_fault() -> None:
    assert beginning(("x" + "é" * 5000).encode()) == "x" + "é" * (HEAD_CHARACTERS - 1)
    assert beginning(("xy" + "😀" * 5000).encode()).startswith("xy😀")


@given(st.binary(max_size=4000))
def test_any_beginning_is_short_text(data: bytes) -> None:
    head = beginning(data)
    assert len(head) <= HEAD_CHARACTERS
    assert "\0" not in head
    head.encode("utf-8")


def test_models_are_told_names_sizes_and_beginnings() -> None:
    files = described({"b.png": b"\x89PNG\0", "a.csv": b"day,amount\n1,2\n", "empty": b""})
    assert [file.name for file in files] == ["a.csv", "b.png", "empty"]
    assert told(files) == (
        "- a.csv (15 bytes) begins:\n    day,amount\n    1,2\n"
        "- b.png (5 bytes, not text)\n"
        "- empty (0 bytes)"
    )
    many = [InputFile(name=f"{n}", size_bytes=9999, sha256="", head="x" * 600) for n in range(20)]
    assert len(told(many)) < 4000
    assert "- 19 (" in told(many)


@pytest.mark.parametrize("purpose", ["strategy", "code", "tests", "escalate"])
def test_prompts_change_only_where_there_are_files_or_packages(purpose: str) -> None:
    values = (
        {"in_other_words": ""}
        | dict.fromkeys(
            ("goal", "tools", "name", "stub", "strategy", "signature", "call", "examples", "count"),
            "x",
        )
        | dict.fromkeys(("code", "error", "hint", "stdout", "earlier"), "x")
    )
    plain = render(purpose, **values, packages="", files="")
    assert "INPUT FILES" not in plain
    assert "esides the standard library" not in plain
    assert ("Standard library only." in plain) == (purpose in ("code", "escalate"))
    full = render(purpose, **values, packages="numpy 2.1.0", files="- a.csv (2 bytes)")
    assert "- a.csv (2 bytes)" in full
    assert "numpy 2.1.0" in full
    assert "Standard library only" not in full
    assert "\n\n\n" not in full


def test_files_from_disk(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a").write_bytes(b"")
    assert read_paths([tmp_path / "a"], 5) == {"a": b"12345"}
    for paths, why in (
        ([tmp_path / "none"], "No such file"),
        ([tmp_path / "x"], "Is a directory"),
        ([tmp_path / "a", tmp_path / "x" / "a"], "Two files are called a"),
        ([Path("/dev/zero")], "at most 4 bytes"),
    ):
        with pytest.raises(BadInput, match=why):
            read_paths(paths, 4 if "zero" in str(paths) else 100)


def test_a_run_reads_its_files_and_the_models_know_of_them(
    tmp_path: Path, play: Play, server: FakeOllama
) -> None:
    play.strategy = "SIGNATURE: def total(name):\n"
    play.code = fenced(READS)
    play.tests = "```python\nassert total('n.txt') == 6\nassert total('n.txt') > 5\n```"
    with services(tmp_path, server) as opened:
        data = {"n.txt": b"1\n2\n3\n", "raw.bin": b"\0"}
        state = follow(opened, opened.runs.start("Add the numbers of a file.", data))
        assert state.outcome == "passed", state.finished
        assert [(file.name, file.size_bytes) for file in state.files] == [
            ("n.txt", 6),
            ("raw.bin", 1),
        ]
        assert opened.log.files(state.run_id) == data
        for purpose in ("strategy", "code", "tests"):
            assert "- n.txt (6 bytes) begins:\n    1\n    2\n    3" in play.prompt(purpose)
        with pytest.raises(BadInput, match="at most 4 MiB"):
            opened.runs.start("Add.", {"big": b"x" * (4 * 1024 * 1024 + 1)})
        with pytest.raises(BadInput, match="is not taken"):
            opened.runs.start("Add.", {"../x": b""})
        assert len(opened.log.history()) == 1


def test_a_run_waits_for_its_packages_and_may_import_them(
    tmp_path: Path, play: Play, server: FakeOllama, wheels: Path
) -> None:
    write_wheel(wheels, "tiny_one", "1.5")
    play.code = fenced(IMPORTS)
    with services(tmp_path, server, more='sandbox: {packages: ["tiny-one"]}') as opened:
        state = carry_out(opened, "add two numbers")
        assert state.outcome == "passed", state.finished
        assert state.packages == PackagesOffered(packages=("tiny_one 1.5",))
        line = "esides the standard library these packages may be imported: tiny_one 1.5"
        assert line in play.prompt("code")
        assert line in play.prompt("strategy")
        payloads = [event.payload for event in opened.log.since(state.run_id)]
        awaited = [p for p in payloads if isinstance(p, PackagesAwaited)]
        assert awaited in ([], [PackagesAwaited(wanted=("tiny-one",))])


def test_packages_that_cant_be_had_leave_the_standard_library(
    tmp_path: Path, play: Play, server: FakeOllama, wheels: Path
) -> None:
    with services(tmp_path, server, more="sandbox: {packages: [nowhere]}") as opened:
        state = carry_out(opened, "add two numbers")
    assert state.outcome == "passed"
    assert state.packages is not None
    assert "No matching distribution found for nowhere" in state.packages.problem
    assert "Standard library only." in play.prompt("code")

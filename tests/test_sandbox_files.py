"""Files in and out of the sandbox: hostile trees, hostile records, and where they are written."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import BadInput
from core.sandbox.files import OutputFile, check_inputs, read_files, write_out
from core.sandbox.inside.collect import MAX_ENTRIES, MAX_REFUSALS, collect

LIMITS = {"files_bytes": 1000, "files": 5}


def collected(
    folder: Path, limits: Mapping[str, Any] = LIMITS, known: Mapping[str, str] | None = None
) -> tuple[dict[str, bytes], dict[str, str]]:
    """What the app gets of a tree, by way of the record; and the refusals, reason by name."""
    lines = list(collect(str(folder), limits, known or {}))
    files, refused = read_files([json.dumps(line) for line in lines])
    assert len(refused) == sum(line["kind"] == "refused" for line in lines)
    reasons = {line["name"]: line["reason"] for line in lines if line["kind"] == "refused"}
    return {file.name: file.data for file in files}, reasons


def test_plain_files_come_with_their_directories(tmp_path: Path) -> None:
    (tmp_path / "sub" / "deep").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    (tmp_path / "b.txt").write_bytes(b"\x00\xff")
    (tmp_path / "sub" / "deep" / "a.csv").write_text("x,y\n")
    assert collected(tmp_path) == ({"b.txt": b"\x00\xff", "sub/deep/a.csv": b"x,y\n"}, {})


def test_inputs_count_only_once_changed(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("same")
    (tmp_path / "in2.txt").write_text("changed")
    known = {name: hashlib.sha256(b"same").hexdigest() for name in ("in.txt", "in2.txt")}
    assert collected(tmp_path, known=known) == ({"in2.txt": b"changed"}, {})


def test_what_is_no_plain_file_of_one_name_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("s3cret")
    job = tmp_path / "job"
    job.mkdir()
    (job / "link").symlink_to(secret / "key")
    (job / "folder-link").symlink_to(secret)
    (job / "one").write_text("1")
    os.link(job / "one", job / "two")
    os.mkfifo(job / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(job / "socket"))
        files, reasons = collected(job)
    assert files == {}
    assert reasons == {
        "folder-link": "a symbolic link, not a plain file",
        "link": "a symbolic link, not a plain file",
        "one": "it has several names (hard links)",
        "two": "it has several names (hard links)",
        "pipe": "a named pipe, not a plain file",
        "socket": "a socket, not a plain file",
    }


def test_limits_count_all_files_together(tmp_path: Path) -> None:
    with (tmp_path / "a-sparse").open("wb") as file:
        file.truncate(1 << 40)
    (tmp_path / "b").write_bytes(b"x" * 600)
    (tmp_path / "c").write_bytes(b"x" * 600)
    for number in range(6):
        (tmp_path / f"d{number}").write_bytes(b"")
    files, reasons = collected(tmp_path)
    assert list(files) == ["b", "d0", "d1", "d2", "d3"]
    assert "too large (1,099,511,627,776 bytes)" in reasons["a-sparse"]
    assert "too large (600 bytes): all files together may have 1,000 bytes" in reasons["c"]
    assert reasons["d5"] == "more than 5 files"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"\xff.txt", "\\xff.txt"),
        (b"a\nb", "a\\nb"),
        (b"a\x1b[31m", "a\\x1b[31m"),
        (b"\xe2\x80\xaegnp.exe", "\\u202egnp.exe"),
        (b".hidden", ".hidden"),
        (b"-rf", "-rf"),
        (b"back\\slash", "back\\slash"),
        (b"x" * 255, "x" * 100 + "..."),
    ],
)
def test_odd_names_are_refused_and_shown_safely(tmp_path: Path, name: bytes, shown: str) -> None:
    (tmp_path / os.fsdecode(name)).write_text("x")
    files, reasons = collected(tmp_path)
    assert files == {}
    assert list(reasons) == [shown]


def test_a_bottomless_tree_is_refused_by_its_top(tmp_path: Path) -> None:
    at = os.open(tmp_path, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=at)
        inner = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)
    (tmp_path / "here.txt").write_text("x")
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert collected(tmp_path) == ({"here.txt": b"x"}, {"d": "directories more than 8 deep"})
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    _remove_deep(tmp_path)


def _remove_deep(folder: Path) -> None:
    """Pytest's own clean-up would recurse too deeply."""
    while True:
        inner = folder / "d" / "d"
        if not inner.is_dir():
            break
        inner.rename(folder / "next")
        (folder / "d").rmdir()
        (folder / "next").rename(folder / "d")


def test_a_flood_of_entries_is_cut_and_counted(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f".{number}").touch()
    lines = list(collect(str(tmp_path), LIMITS))
    assert len(lines) == MAX_REFUSALS + 1
    assert lines[-1]["reason"] == "and 200 more"
    for folder in "ab":
        (tmp_path / folder).mkdir()
        at = os.open(tmp_path / folder, os.O_RDONLY)
        for number in range(MAX_ENTRIES // 2):
            os.mknod(f"{number}", 0o600 | stat.S_IFREG, dir_fd=at)
        os.close(at)
    lines = list(collect(str(tmp_path), {"files_bytes": 10**9, "files": 10**9}))
    files = [line for line in lines if line["kind"] == "file"]
    assert len(files) == MAX_ENTRIES - 302
    assert lines[-1]["reason"] == "and 201 more"


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    for path in (str(tmp_path / "none"), "a\0b"):
        (line,) = collect(path, LIMITS)
        assert line["kind"] == "refused"
        assert line["reason"].startswith("the working directory can't be read")


@pytest.mark.skipif(os.geteuid() == 0, reason="to root every file is readable")
def test_unreadable_ones_are_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "a").chmod(0)
    (tmp_path / "d").mkdir(0)
    files, reasons = collected(tmp_path)
    assert files == {}
    assert set(reasons) == {"a", "d"}
    (tmp_path / "d").chmod(0o700)


NAMES = st.binary(min_size=1, max_size=120).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)
TREES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.binary(max_size=400), st.sampled_from(["link", "pipe", "sparse"])),
    lambda inner: st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=25,
)


def build(at: int, tree: Mapping[bytes, Any]) -> None:
    for name, what in tree.items():
        try:
            if isinstance(what, bytes | Mapping):
                if isinstance(what, bytes):
                    fd = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o4777, dir_fd=at)
                    os.write(fd, what)
                else:
                    os.mkdir(name, dir_fd=at)
                    fd = os.open(name, os.O_RDONLY, dir_fd=at)
                    build(fd, what)
                os.close(fd)
            elif what == "link":
                os.symlink(b"/etc/passwd", name, dir_fd=at)
            elif what == "pipe":
                os.mkfifo(name, dir_fd=at)
            else:
                fd = os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=at)
                os.truncate(fd, 1 << 36)
                os.close(fd)
        except OSError:
            continue


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tree=st.dictionaries(NAMES, TREES, max_size=8))
def test_any_tree_is_read_without_harm(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[bytes, Any]
) -> None:
    job = tmp_path_factory.mktemp("job")
    at = os.open(job, os.O_RDONLY)
    build(at, tree)
    os.close(at)
    files, reasons = collected(job)
    assert sum(map(len, files.values())) <= 1000
    assert len(files) <= 5
    for name, data in files.items():
        assert name.isprintable()
        assert (job / name).read_bytes() == data
        assert not (job / name).is_symlink()
    assert all(text.isprintable() for pair in reasons.items() for text in pair)
    out = tmp_path_factory.mktemp("out")
    kept = tuple(OutputFile(name=name, data=data) for name, data in files.items())
    assert write_out(out, kept) == ()
    for path in out.rglob("*"):
        assert path.is_dir() or path.stat().st_mode & 0o7000 == 0


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
LINES = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=60),
    JSON,
    JSON.map(json.dumps),
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["file", "refused", "end"]) | JSON,
            "name": st.sampled_from(["a", "a/b", "../a", "/etc/x", "a//b", ".", "a\0", "\ud800"])
            | st.text(),
        },
        optional={
            "data": st.binary(max_size=80).map(lambda b: base64.b64encode(b).decode()) | JSON,
            "reason": st.text() | JSON,
        },
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES, max_size=12))
def test_any_record_is_read_without_harm(lines: list[Any]) -> None:
    files, refused = read_files(lines, limit_bytes=100, limit_files=3)
    assert len(files) <= 3
    assert sum(len(file.data) for file in files) <= 100
    assert len({file.name for file in files}) == len(files)
    for file in files:
        assert not file.name.startswith(("/", ".", "-"))
        assert ".." not in file.name.split("/")
    assert all(text.isprintable() and len(text) < 2000 for text in refused)
    assert len(files) + len(refused) == len(lines)


@pytest.mark.parametrize(
    "line", [b"[" * 100_000, b'{"name": ' + b"9" * 10_000 + b"}", b"\xff\xfe", "", None, 7]
)
def test_garbage_is_refused(line: Any) -> None:
    assert read_files([line]) == ((), ("a record of a file that can't be read",))


def test_a_file_and_a_directory_of_one_name_are_not_both_taken() -> None:
    lines = [{"kind": "file", "name": name, "data": ""} for name in ("a", "a/b", "c/d", "c", "a")]
    files, refused = read_files(lines)
    assert [file.name for file in files] == ["a", "c/d"]
    assert len(refused) == 3


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "new" / "out"
    yield folder
    assert not (tmp_path / "elsewhere" / "x").exists()


def test_writing_never_overwrites_or_leaves_the_folder(tmp_path: Path, out: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    out.mkdir(parents=True)
    (out / "there").write_text("mine")
    (out / "link").symlink_to(elsewhere)
    (out / "dangling").symlink_to(elsewhere / "x")
    names = ("a/b/c.txt", "there", "link/x", "dangling", "../x", "/x", "ok")
    refused = write_out(out, [OutputFile(name=name, data=b"new") for name in names])
    assert (out / "there").read_text() == "mine"
    assert (out / "a" / "b" / "c.txt").read_bytes() == b"new"
    assert stat.S_IMODE((out / "ok").stat().st_mode) & ~0o644 == 0
    assert [text.partition(":")[0] for text in refused] == list(names[1:-1])


def test_a_folder_that_cant_be_made_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="Nothing can be written"):
        write_out(tmp_path / "file", [])


@pytest.mark.parametrize(
    "name",
    ["../x", "a/b", "a\\b", "", " ", " a", "a\n", "\x1b", ".bashrc", "-rf", "é" * 51]
    + ["solution.py", "skill_add.py", "\ud800", "\u202egnp"],
)
def test_inputs_with_such_names_are_refused(name: str) -> None:
    with pytest.raises(BadInput, match="is not taken"):
        check_inputs({name: b""}, modules=["skill_add"])


def test_inputs_are_bounded() -> None:
    check_inputs({f"{n}.csv": b"x" for n in range(20)}, limit_bytes=20)
    check_inputs({"solution.csv": b"", "données é.txt": b""})
    with pytest.raises(BadInput, match="21 files are too many"):
        check_inputs({f"{n}.csv": b"" for n in range(21)})
    with pytest.raises(BadInput, match=r"have 21 bytes together; at most 20 bytes"):
        check_inputs({"a": b"x" * 21}, limit_bytes=20)


def test_the_collector_needs_nothing_but_the_standard_library() -> None:
    source = Path(sys.modules[collect.__module__].__file__ or "").read_text()
    assert "from core" not in source

"""The weight of a directory whose owner does what he likes in it."""

from __future__ import annotations

import gc
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.sandbox.launcher.quota import DEEPEST, ENDLESS, ENTRY_BYTES, unlinked_bytes, used_bytes

KIB = 1024
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=40)


def bytes_of(path: Path) -> int:
    return path.lstat().st_blocks * 512 + ENTRY_BYTES


def descend(folder: Path, levels: int) -> None:
    """Make a chain of directories that may be longer than any path can say."""
    code = "import os, sys\nfor _ in range(int(sys.argv[1])): os.mkdir('d'); os.chdir('d')"
    subprocess.run([sys.executable, "-c", code, str(levels)], cwd=folder, check=True)


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    subprocess.run(["rm", "-rf", str(tmp_path)], check=True)  # shutil's can't do these


def test_nothing_weighs_nothing(tmp_path: Path) -> None:
    assert used_bytes(str(tmp_path)) == used_bytes(str(tmp_path / "no")) == 0
    (tmp_path / "file").touch()
    assert used_bytes(str(tmp_path / "file")) == 0


def test_files_and_directories_weigh_what_they_take(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "full").write_bytes(bytes(300 * KIB))
    (folder / "empty").touch()
    with (folder / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    expected = sum(bytes_of(path) for path in tmp_path.rglob("*"))
    assert used_bytes(str(tmp_path)) == expected
    assert 300 * KIB <= expected < 400 * KIB


def test_empty_files_add_up(tmp_path: Path) -> None:
    for number in range(500):
        (tmp_path / str(number)).touch()
    assert used_bytes(str(tmp_path)) >= 500 * ENTRY_BYTES


def test_one_file_of_many_names_weighs_once(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(bytes(64 * KIB))
    alone = used_bytes(str(tmp_path))
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    assert used_bytes(str(tmp_path)) == alone


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "big").write_bytes(bytes(1 << 20))
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, target in (("a", outside), ("b", outside / "big"), ("c", folder), ("d", "/")):
        (folder / name).symlink_to(target)
    assert used_bytes(str(folder)) < 64 * KIB
    (tmp_path / "itself").symlink_to(outside)
    assert used_bytes(str(tmp_path / "itself")) == 0


def test_special_files_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert used_bytes(str(tmp_path)) == ENTRY_BYTES


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0


@pytest.fixture
def many_files() -> Iterator[None]:
    """Enough descriptors for one on each level, as supervisors have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * DEEPEST
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip("too few descriptors allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_deep_weighs_what_it_takes_and_too_deep_is_too_much(deep: Path) -> None:
    gc.collect()  # what other tests have left must not be closed in between
    before = open_files()
    descend(deep, 3000)
    weight = used_bytes(str(deep))
    assert 3000 * ENTRY_BYTES <= weight <= 3000 * (ENTRY_BYTES + 4 * KIB)
    (deep / "e").mkdir()
    descend(deep / "e", DEEPEST)
    assert used_bytes(str(deep)) >= ENDLESS
    assert open_files() == before


def test_deeper_than_there_are_descriptors_is_too_much(deep: Path) -> None:
    descend(deep, 200)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
    try:
        assert used_bytes(str(deep)) >= ENDLESS
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_counting_stops_at_enough(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / str(number)).write_bytes(bytes(4 * KIB))
    assert 16 * KIB < used_bytes(str(tmp_path), 16 * KIB) < 32 * KIB


@pytest.mark.skipif(os.getuid() == 0, reason="root can list every directory")
def test_a_closed_directory_that_can_be_filled_is_too_much(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(0o000)
    (tmp_path / "hole").mkdir(0o500)
    assert used_bytes(str(tmp_path)) < ENDLESS
    (tmp_path / "hiding").mkdir(0o300)
    assert used_bytes(str(tmp_path)) >= ENDLESS


@given(names=st.lists(NAMES, unique=True, max_size=8))
def test_any_names(names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in set(names) - {".", ".."}:
            Path(folder, name).touch()
        assert used_bytes(folder) == ENTRY_BYTES * len(set(names) - {".", ".."})


def test_changes_while_weighing_do_no_harm(tmp_path: Path) -> None:
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            (tmp_path / "a" / "b").mkdir(parents=True, exist_ok=True)
            (tmp_path / "a" / "b" / "x").touch()
            shutil.rmtree(tmp_path / "a", ignore_errors=True)
            (tmp_path / "a").symlink_to("/usr")
            (tmp_path / "a").unlink()

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        weights = [used_bytes(str(tmp_path)) for _ in range(500)]
    finally:
        stop.set()
        thread.join()
    assert max(weights) < 64 * KIB


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc")
def test_files_without_a_name_are_found_in_who_has_them_open() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(bytes(256 * KIB))
        file.flush()
        twice = os.dup(file.fileno())
        assert 256 * KIB <= unlinked_bytes([os.getpid(), 2**22 + 1]) < 512 * KIB
        os.close(twice)
    assert unlinked_bytes([os.getpid()]) < 256 * KIB

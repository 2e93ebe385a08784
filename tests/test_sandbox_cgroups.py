"""The kernel's limits for groups of processes, on hierarchies of plain files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.sandbox.launcher import cgroups
from core.sandbox.model import MIB


class Tree:
    """A version 2 hierarchy of plain files, and a procfs that says where it is."""

    def __init__(self, folder: Path, members: str, controllers: str = "cpu memory pids") -> None:
        self.own = folder / "cgroup" / "user" / "app"
        self.own.mkdir(parents=True)
        self.proc = folder / "proc"
        (self.proc / "self").mkdir(parents=True)
        (self.proc / "self" / "cgroup").write_text("0::/user/app\n")
        mount = f"31 23 0:28 / {folder}/cgroup rw,nosuid - cgroup2 cgroup2 rw\n"
        (self.proc / "self" / "mountinfo").write_text(mount)
        (self.own / "cgroup.controllers").write_text(controllers)
        (self.own / "cgroup.procs").write_text(members)
        (self.own / "cgroup.subtree_control").write_text("")

    def find(self, app_pid: int = 7) -> cgroups.Cgroups | None:
        return cgroups.find(app_pid, proc=str(self.proc))


@pytest.mark.parametrize("wrong", ["", "members", "pids", "memory", "oom"])
def test_version_1_group_is_used_again_only_when_it_is_empty(tmp_path: Path, wrong: str) -> None:
    good = {
        "cgroup.procs": "",
        "pids.current": "0\n",
        "memory.usage_in_bytes": str(MIB),
        "memory.oom_control": "oom_kill 0\n",
        "memory.max_usage_in_bytes": "77\n",
        "cpuacct.usage": "5000000\n",
    }
    bad = {
        "members": {"cgroup.procs": f"{os.getpid()}\n"},
        "pids": {"pids.current": "1\n"},
        "memory": {"memory.usage_in_bytes": str(16 * MIB)},
        "oom": {"memory.oom_control": "oom_kill 1\n"},
    }
    for name, text in {**good, **bad.get(wrong, {})}.items():
        (tmp_path / name).write_text(text)
    group = cgroups.Group(1, dict.fromkeys(("memory", "pids", "cpu"), str(tmp_path)))
    assert group.reset() == (not wrong)
    if not wrong:
        assert (tmp_path / "memory.max_usage_in_bytes").read_text()[0] == "0"
        assert (tmp_path / "cpuacct.usage").read_text()[0] == "0"


def test_version_2_group_is_not_used_again(tmp_path: Path) -> None:
    assert not cgroups.Group(2, {"memory": str(tmp_path)}).reset()


class Groups(cgroups.Cgroups):
    """Groups of directories that nobody limits."""

    def make(self, memory_bytes: int, processes: int) -> cgroups.Group:
        self._count += 1
        folder = Path(self.parents["pids"]) / str(self._count)
        folder.mkdir()
        return cgroups.Group(self.version, {})


def test_supervisor_keeps_a_group_for_the_same_limits_only(tmp_path: Path) -> None:
    made = Groups(1, {"pids": str(tmp_path)})
    groups = cgroups.Groups(made)
    first = groups.get(100, 10)
    assert groups.give_back(first)
    assert groups.get(100, 10) is first
    assert groups.give_back(first)
    other = groups.get(200, 10)
    assert other is not first
    assert groups.get(200, 10) is not other  # which is in use
    assert groups.remove()
    assert cgroups.Groups(None).get(1, 1) is None


def test_version_2_is_found_and_asked_for_its_controllers(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "7\n")
    found = tree.find()
    assert found is not None
    assert (found.version, set(found.parents.values())) == (2, {str(tree.own)})
    assert (tree.own / "cgroup.subtree_control").read_text() == "+memory +pids"


@pytest.mark.parametrize("controllers", ["", "cpu", "memory", "cpu pids"])
def test_version_2_without_the_controllers_is_left_alone(tmp_path: Path, controllers: str) -> None:
    tree = Tree(tmp_path, "7\n", controllers)
    assert tree.find() is None
    assert (tree.own / "cgroup.subtree_control").read_text() == ""


@pytest.mark.parametrize("members", ["7\n8\n", "8\n", ""])
def test_version_2_with_processes_of_others_is_left_alone(tmp_path: Path, members: str) -> None:
    tree = Tree(tmp_path, members)
    control = tree.own / "cgroup.subtree_control"
    control.unlink()
    control.mkdir()  # that it can't be written stands for the kernel's refusal
    assert tree.find() is None
    assert not (tree.own / "codeevolver-app").exists()


def test_version_2_moves_the_app_aside_and_back_when_it_is_refused(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "7\n")
    control = tree.own / "cgroup.subtree_control"
    control.unlink()
    control.mkdir()
    aside = tree.own / "codeevolver-app"
    aside.mkdir()
    (aside / "cgroup.procs").write_text("")
    assert tree.find() is None
    assert (aside / "cgroup.procs").read_text() == "7"
    assert (tree.own / "cgroup.procs").read_text()[:1] == "7"


def test_version_2_counts_from_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "group"
    folder.mkdir()
    group = cgroups.Group(2, dict.fromkeys(("memory", "pids", "cpu"), str(folder)))
    assert (group.out_of_memory(), group.peak_bytes(), group.cpu_s()) == (False, 0, None)
    (folder / "memory.events").write_text("low 0\nmax 3\noom 1\noom_kill 1\n")
    (folder / "memory.peak").write_text("1048576\n")
    (folder / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 1\n")
    assert (group.out_of_memory(), group.peak_bytes(), group.cpu_s()) == (True, MIB, 2.5)


def test_container_root_in_another_hierarchy_is_not_ours(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "7\n")
    mount = f"31 23 0:28 /other {tmp_path}/cgroup rw - cgroup2 cgroup2 rw\n"
    (tree.proc / "self" / "mountinfo").write_text(mount)
    assert tree.find() is None

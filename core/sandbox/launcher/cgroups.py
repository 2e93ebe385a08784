"""The kernel's own limits on the memory and the processes of one execution, where we may set them.

Groups are made below the app's own one, version 2 or 1, and only processes of ours are moved. On
any refusal there is no group, and the supervisor's watchdog looks after the limits instead.
"""

# Importing pathlib would cost each start several milliseconds.
# ruff: noqa: PTH102, PTH103, PTH106, PTH112, PTH118, PTH119, PTH120, PTH123, PTH208

from __future__ import annotations

import contextlib
import os
import time

_PREFIX = "codeevolver-"
_OWN = "codeevolver-app"  # where the app itself has to go in version 2
_REMOVE_PATIENCE_S = 1.0
_REST_BYTES = 2 * 1024 * 1024  # of memory that an empty group may still have, as the kernel counts


class Group:
    """One execution's group. `memory` and `processes` tell which limits the kernel keeps."""

    def __init__(self, version: int, folders: dict[str, str]) -> None:
        self._version = version
        self._folders = folders
        self.memory = "memory" in folders
        self.processes = "pids" in folders

    def join_fds(self) -> list[int]:
        """Descriptors to which a process writes "0" to become a member, with all it starts."""
        # By `tasks` a single thread moves itself at once; `cgroup.procs` waits 10 ms for all CPUs.
        name = "cgroup.procs" if self._version == 2 else "tasks"
        paths = {os.path.join(folder, name) for folder in self._folders.values()}
        return [os.open(path, os.O_WRONLY | os.O_CLOEXEC) for path in sorted(paths)]

    def out_of_memory(self) -> bool:
        """Whether the kernel has killed a member for want of memory."""
        name = "memory.events" if self._version == 2 else "memory.oom_control"
        return self.memory and _field(self._read("memory", name), "oom_kill") > 0

    def peak_bytes(self) -> int:
        """The most memory that all members had together; 0 where the kernel doesn't tell."""
        name = "memory.peak" if self._version == 2 else "memory.max_usage_in_bytes"
        return _number(self._read("memory", name)) if self.memory else 0

    def cpu_s(self) -> float | None:
        """The members' CPU time in seconds; None where the kernel doesn't tell."""
        if self._version == 2:
            used = _field(self._read("cpu", "cpu.stat"), "usage_usec")
            return used / 1e6 if used else None
        return _number(self._read("cpu", "cpuacct.usage")) / 1e9 if "cpu" in self._folders else None

    def reset(self) -> bool:
        """Make it as new; False when it can't be, or when it isn't certain that it is empty.

        Of version 2 the kernel doesn't forget the most memory that there was.
        """
        if self._version != 1 or self._members() or self.out_of_memory():
            return False
        if self.processes and self._read("pids", "pids.current").strip() != "0":
            return False
        try:
            if self.memory:
                if _number(self._read("memory", "memory.usage_in_bytes")) > _REST_BYTES:
                    return False
                _write(os.path.join(self._folders["memory"], "memory.max_usage_in_bytes"), "0")
            if "cpu" in self._folders:
                _write(os.path.join(self._folders["cpu"], "cpuacct.usage"), "0")
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """Kill every member, also one that hides from its parents."""
        for pid in self._members():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, 9)

    def _members(self) -> set[int]:
        found: set[int] = set()
        for folder in self._folders.values():
            words = _read(os.path.join(folder, "cgroup.procs")).split()
            found.update(int(word) for word in words)
        return found - {0}

    def remove(self) -> bool:
        """Remove the group; its processes are dead, but the kernel may need a moment."""
        give_up = time.monotonic() + _REMOVE_PATIENCE_S
        gone = True
        for folder in set(self._folders.values()):
            while True:
                try:
                    os.rmdir(folder)
                except FileNotFoundError:
                    pass
                except OSError:
                    if time.monotonic() < give_up:
                        self.kill()
                        time.sleep(0.002)
                        continue
                    gone = False
                break
        return gone

    def _read(self, kind: str, name: str) -> str:
        return _read(os.path.join(self._folders.get(kind, ""), name))


class Cgroups:
    """Where groups can be made; `make` makes one."""

    def __init__(self, version: int, parents: dict[str, str]) -> None:
        self.version = version
        self.parents = parents
        self._count = 0

    def make(self, memory_bytes: int, processes: int) -> Group | None:
        """A group with these limits; None when the kernel refuses any that it should keep."""
        self._count += 1
        name = f"{_PREFIX}{os.getpid()}-{self._count}"
        folders: dict[str, str] = {}
        for kind, parent in self.parents.items():
            folder = os.path.join(parent, name)
            with contextlib.suppress(OSError):
                if folder not in folders.values():
                    os.mkdir(folder)
                folders[kind] = folder
        group = Group(self.version, folders)
        try:
            if "memory" in folders:
                self._limit_memory(folders["memory"], memory_bytes)
            if "pids" in folders:
                _write(os.path.join(folders["pids"], "pids.max"), str(processes))
        except OSError:
            group.remove()
            return None
        return group if folders else None

    def _limit_memory(self, folder: str, memory_bytes: int) -> None:
        limit = str(memory_bytes)
        if self.version == 2:
            _write(os.path.join(folder, "memory.max"), limit)
            extras = [("memory.swap.max", "0"), ("memory.oom.group", "1")]
        else:
            _write(os.path.join(folder, "memory.limit_in_bytes"), limit)
            extras = [("memory.memsw.limit_in_bytes", limit)]
        for name, value in extras:
            with contextlib.suppress(OSError):  # a kernel that doesn't account for swap
                _write(os.path.join(folder, name), value)

    def sweep(self) -> bool:
        """Remove groups that killed supervisors left behind. False when some can't go yet."""
        done = True
        for parent in set(self.parents.values()):
            for name in os.listdir(parent) if os.path.isdir(parent) else []:
                owner = name[len(_PREFIX) :].partition("-")[0]
                if name.startswith(_PREFIX) and owner.isdigit() and not _living(int(owner)):
                    try:
                        os.rmdir(os.path.join(parent, name))
                    except OSError:  # its members are dying, or it is another container's
                        done = False
        return done


class Groups:
    """The groups of one supervisor: the one used last is kept, if it can be made as new."""

    def __init__(self, cgroups: Cgroups | None) -> None:
        self._cgroups = cgroups
        self._kept: Group | None = None
        self._limits = (0, 0)

    def get(self, memory_bytes: int, processes: int) -> Group | None:
        """An empty group with these limits; None where there can't be any."""
        if self._limits != (memory_bytes, processes):
            self.remove()
        group, self._kept = self._kept, None
        self._limits = (memory_bytes, processes)
        if group is None and self._cgroups:
            group = self._cgroups.make(memory_bytes, processes)
        return group

    def give_back(self, group: Group | None) -> bool:
        """Its execution has ended. False if something of it can't be removed."""
        if group is None:
            return True
        if not group.reset():
            return group.remove()
        self._kept = group
        return True

    def remove(self) -> bool:
        """Remove the one that is kept, if any. False if it can't be."""
        group, self._kept = self._kept, None
        return group is None or group.remove()


def find(app_pid: int, *, proc: str = "/proc") -> Cgroups | None:
    """Where groups can be made below the app's own one; None where they can't.

    `app_pid` and this process are the only ones that may be moved. `proc` is a procfs, whose
    mountinfo says where the hierarchies are.
    """
    own = _own_groups(_read(f"{proc}/self/cgroup"))
    mounts = _mounts(_read(f"{proc}/self/mountinfo"))
    unified = _folder(mounts, "cgroup2", own.get("", ""))
    if unified and (parent := _delegate(unified, {app_pid, os.getpid()})):
        return Cgroups(2, {"memory": parent, "pids": parent, "cpu": parent})
    parents = {}
    for kind, controller in (("memory", "memory"), ("pids", "pids"), ("cpu", "cpuacct")):
        folder = _folder(mounts, controller, own.get(controller, ""))
        if folder and os.access(folder, os.W_OK):
            parents[kind] = folder
    return Cgroups(1, parents) if {"memory", "pids"} & parents.keys() else None


def _own_groups(text: str) -> dict[str, str]:
    """From the lines of /proc/self/cgroup: group by controller, that of version 2 by ''."""
    found = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        found.update(dict.fromkeys(controllers.split(","), path))
    return found


def _mounts(text: str) -> dict[str, tuple[str, str]]:
    """From mountinfo: (root, mount point) by controller, that of version 2 by 'cgroup2'."""
    found = {}
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        words, kind = before.split(), after.split()
        if kind[0] == "cgroup2":
            found["cgroup2"] = (words[3], words[4])
        elif kind[0] == "cgroup":
            found.update(dict.fromkeys(kind[2].split(","), (words[3], words[4])))
    return found


def _folder(mounts: dict[str, tuple[str, str]], controller: str, path: str) -> str:
    """The directory of the group `path`; '' where it isn't mounted."""
    if not path or controller not in mounts:
        return ""
    root, place = mounts[controller]
    inner = os.path.relpath(path, root) if root != "/" else path.lstrip("/")
    if inner.startswith(".."):
        return ""
    folder = os.path.normpath(os.path.join(place, inner))
    return folder if os.path.isdir(folder) else ""


def _delegate(own: str, movable: set[int]) -> str:
    """The version 2 group below which limits work, after moving `movable` aside; '' if refused."""
    if os.path.basename(own) == _OWN:
        own = os.path.dirname(own)
    if not {"memory", "pids"} <= set(_read(os.path.join(own, "cgroup.controllers")).split()):
        return ""
    control = os.path.join(own, "cgroup.subtree_control")
    wanted = "+memory +pids"
    with contextlib.suppress(OSError):
        _write(control, wanted)
        return own
    # A group that has processes of its own can't limit groups below it: so they must go into one.
    members = {int(word) for word in _read(os.path.join(own, "cgroup.procs")).split()}
    if not members or not members <= movable:
        return ""
    aside = os.path.join(own, _OWN)
    try:
        os.makedirs(aside, exist_ok=True)
        for pid in members:
            _write(os.path.join(aside, "cgroup.procs"), str(pid))
        _write(control, wanted)
    except OSError:
        with contextlib.suppress(OSError):
            for pid in members:
                _write(os.path.join(own, "cgroup.procs"), str(pid))
            os.rmdir(aside)
        return ""
    return own


def _living(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _field(text: str, name: str) -> int:
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return _number(value)
    return 0


def _number(text: str) -> int:
    return int(text) if text.strip().isdigit() else 0


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)

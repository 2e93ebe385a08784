"""The ways to contain code on this machine, best first, and what to do to get a better one."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from core.sandbox.model import BEING_LOOKED_AT, Rung

# Belongs to nobody: above the ids of people and services, below nobody (65534).
_DROPPED_UID = 65521
_FIRST_OWN_UID = 65400  # and 99 more, for executions that must not share one
_NO_MEMORY_CGROUP = "a memory cgroup (a watchdog looks after the memory of all processes together)"
_NO_PIDS_CGROUP = "a pids cgroup (a watchdog counts the processes)"
_NO_BUBBLEWRAP = "bubblewrap is not installed"


LOOKING = Rung(
    number="?",
    name=BEING_LOOKED_AT,
    safe=False,
    lacks=("what this machine can do is being looked at",),
    mend="Wait a moment: the sandbox is being tried out.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What was wrong with a `way`; one that is `passing` may be gone at the next look."""

    text: str
    way: str = ""
    passing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One way to run.

    `way` is "bubblewrap", "landlock" or "bare". `uid` is what root becomes before it starts
    bubblewrap; `own_uids` the first of those that executions become inside, each one its own.
    `cgroup` is whether cgroups may be used.
    """

    rung: Rung
    way: str
    uid: int | None = None
    own_uids: int | None = None
    userns: bool = True
    cgroup: bool = True

    @property
    def may_be_warm(self) -> bool:
        """Whether a zygote is worth trying: never where the kernel takes the code for root."""
        if self.way != "bubblewrap" or not self.userns:
            return False
        return os.geteuid() != 0 or self.uid is not None


def plans(only: Collection[str], *, bubblewrap: bool) -> tuple[Plan, ...]:
    """What is worth trying here, best first; `only` has the rungs that may be taken, () for all."""
    if sys.platform != "linux":
        return ()
    root = os.geteuid() == 0
    uid = _DROPPED_UID if root else None
    found = []
    if bubblewrap:
        ordinary = Rung(number="1", name="bubblewrap", safe=True)
        found.append(Plan(rung=ordinary, way="bubblewrap", uid=uid))
        found.append(
            Plan(rung=replace(ordinary, number="1b"), way="bubblewrap", uid=uid, cgroup=False)
        )
    if bubblewrap and root:
        found += [_root_outside_userns(), _root_in_userns()]
    found.append(_landlock(root))
    wanted = [plan for plan in found if not only or plan.rung.number in only]
    # Without a choice, "1" becomes "1b" where there are no cgroups; no need to try it again.
    return tuple(plan for plan in wanted if only or plan.rung.number != "1b")


def _root_outside_userns() -> Plan:
    rung = Rung(
        number="2",
        name="bubblewrap without user namespaces",
        safe=True,
        lacks=("a user namespace (only the system call filter keeps code from asking for one)",),
        mend=_mend_userns() or "Allow user namespaces on this machine.",
    )
    return Plan(rung=rung, way="bubblewrap", own_uids=_FIRST_OWN_UID, userns=False)


def _root_in_userns() -> Plan:
    rung = Rung(
        number="2b",
        name="bubblewrap, root in a user namespace",
        safe=True,
        lacks=(
            "a user of its own for the code (to the kernel it is root, without any capability)",
        ),
        mend="Start the app as an ordinary user.",
    )
    return Plan(rung=rung, way="bubblewrap")


def _landlock(root: bool) -> Plan:
    rung = Rung(
        number="3",
        name="Landlock, reduced",
        safe=True,
        lacks=(
            "namespaces of its own: names, sizes and owners of all files can be seen, and how many "
            "processes there are",
            "a file system of its own for scratch (a watchdog looks after its size)",
            "a network of its own: code that opens a socket fails here",
        ),
    )
    return Plan(rung=rung, way="landlock", own_uids=_FIRST_OWN_UID if root else None)


def measured(plan: Plan, kept: Collection[str]) -> Plan:
    """`plan` as it turned out: `kept` has the limits that a cgroup keeps, memory and processes."""
    rung = plan.rung
    missing = []
    if "memory" not in kept:
        missing.append(_NO_MEMORY_CGROUP)
    if "processes" not in kept:
        missing.append(_NO_PIDS_CGROUP)
    number = "1b" if missing and rung.number == "1" else rung.number
    return replace(plan, rung=replace(rung, number=number, lacks=(*rung.lacks, *missing)))


def warmed(plan: Plan, problem: str) -> Plan:
    """`plan` with a zygote, or with the `problem` that one has here."""
    if not problem:
        return replace(plan, rung=replace(plan.rung, warm=True))
    lack = f"a warm start ({problem}): each execution takes some 50 ms longer"
    return replace(plan, rung=replace(plan.rung, lacks=(*plan.rung.lacks, lack)))


def unsandboxed(mend: str) -> Plan:
    """No containment at all, for those who allowed it by name; `mend` is how to get some."""
    lost = "everything but time, memory and output limits: the code can do all that you can"
    return Plan(
        rung=Rung(number="5", name="unsandboxed", safe=False, lacks=(lost,), mend=mend), way="bare"
    )


def refusal(problem: Problem | None, *, bubblewrap: bool) -> Rung:
    """The rung that runs nothing, with what to do about `problem`; `bubblewrap`: is it here?"""
    lacks: tuple[str, ...] = () if bubblewrap else (_NO_BUBBLEWRAP,)
    if problem is not None:
        lacks += (problem.text,)
    return Rung(
        number="5",
        name="none",
        safe=False,
        lacks=lacks or ("none of the ways to contain code that may be taken is there",),
        mend=mend(problem, bubblewrap=bubblewrap),
    )


def no_interpreter(problem: str) -> Rung:
    """The rung that runs nothing because there is no Python to run it with."""
    advice = "Repair this interpreter, or start the app with another one."
    return Rung(number="5", name="none", safe=False, lacks=(problem,), mend=advice)


def with_mend(plan: Plan, problem: Problem | None, *, bubblewrap: bool) -> Plan:
    """`plan`, reached because better ones failed with `problem` or `bubblewrap` isn't here."""
    text = plan.rung.mend or mend(problem, bubblewrap=bubblewrap)
    return replace(plan, rung=replace(plan.rung, mend=text))


def mend(problem: Problem | None, *, bubblewrap: bool) -> str:
    """What a user can do about `problem`, and about a missing `bubblewrap`."""
    if sys.platform != "linux":
        return (
            "Nothing on this system can contain code. Run the app on Linux: in Docker or Podman "
            "(also Docker Desktop, OrbStack or Colima on a Mac) or in a virtual machine."
        )
    found = [] if bubblewrap else [f"Install bubblewrap: {_install_command()}"]
    if problem is not None:
        found.append(_mend_problem(problem))
    return " Or: ".join(filter(None, found))


def _mend_problem(problem: Problem) -> str:
    if problem.passing:
        return "This may pass: the machine is looked at again every half a minute."
    if "TMPDIR" in problem.text:
        return "Set TMPDIR to a directory that every user can reach, such as /tmp."
    if problem.way != "bubblewrap" or "interpreter" in problem.text:
        return ""
    userns = _mend_userns()
    if userns:
        return userns
    if any(word in problem.text for word in ("namespace", "uid map", "Operation not permitted")):
        return (
            "User namespaces are denied here. In a container, start it with a seccomp profile "
            "that allows unshare, clone, mount, umount2 and pivot_root."
        )
    return f"Mend or replace bubblewrap: {_install_command()}"


def _mend_userns() -> str:
    if _reads("/proc/sys/user/max_user_namespaces", "0"):
        return "Allow user namespaces: sudo sysctl -w user.max_user_namespaces=15000"
    if _reads("/proc/sys/kernel/unprivileged_userns_clone", "0"):
        return "Allow user namespaces: sudo sysctl -w kernel.unprivileged_userns_clone=1"
    if _reads("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"):
        return (
            "AppArmor limits user namespaces here. Use the distribution's bubblewrap with the "
            "profile bwrap-userns-restrict: sudo apt install bubblewrap apparmor-profiles"
        )
    return ""


def _install_command() -> str:
    commands = {
        "apt-get": "apt install bubblewrap",
        "dnf": "dnf install bubblewrap",
        "pacman": "pacman -S bubblewrap",
        "zypper": "zypper install bubblewrap",
        "apk": "apk add bubblewrap",
    }
    found = next((text for program, text in commands.items() if shutil.which(program)), "")
    if os.geteuid() == 0:
        return found or "apt install bubblewrap (or your system's package manager)"
    return (
        f"sudo {found or 'apt install bubblewrap'}. Without administrator rights, ask whoever has "
        "them, or build it in your home directory (github.com/containers/bubblewrap: meson setup "
        "build && meson compile -C build) and put build/bwrap on PATH; it needs no privileges "
        "where user namespaces are allowed."
    )


def _reads(path: str, text: str) -> bool:
    try:
        return Path(path).read_text().strip() == text
    except OSError:
        return False

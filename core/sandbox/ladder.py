"""The ways to contain code on this machine, best first, and the attacks that each must stop."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from core.events import Case
from core.sandbox.bubblewrap import ENVIRONMENT, SOURCES
from core.sandbox.model import Rung

# Belongs to nobody: above the ids of people and services, below nobody (65534).
_DROPPED_UID = 65521
_NO_CGROUP = "a memory cgroup (a watchdog looks after the memory of all processes together)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One way to run: `bare` is without a sandbox; `uid` is what root becomes first."""

    rung: Rung
    bare: bool = False
    uid: int | None = None


CANARY_CODE = "def echo(value):\n    return value\n"


def plans() -> tuple[Plan, ...]:
    """What is worth trying here, best first."""
    if sys.platform != "linux":
        return ()
    ordinary = Rung(number="1b", name="bubblewrap", safe=True, lacks=(_NO_CGROUP,))
    if os.geteuid() != 0:
        return (Plan(rung=ordinary),)
    as_root = Rung(
        number="2b",
        name="bubblewrap, root in a user namespace",
        safe=True,
        lacks=(
            "a user of its own for the code (to the kernel it is root, without any capability)",
            "the kernel's limit on processes (a watchdog counts them)",
            _NO_CGROUP,
        ),
        mend="Start the app as an ordinary user.",
    )
    return (Plan(rung=ordinary, uid=_DROPPED_UID), Plan(rung=as_root))


def unsandboxed(mend: str) -> Plan:
    """No containment at all, for those who allowed it by name; `mend` is how to get some."""
    lost = "everything but time, memory and output limits: the code can do all that you can"
    return Plan(
        rung=Rung(number="5", name="unsandboxed", safe=False, lacks=(lost,), mend=mend), bare=True
    )


_TRY_EACH = (
    "    try:\n"
    "        attempt()\n"
    "    except OSError:\n"
    "        continue\n"
    "    raise AssertionError('what must be denied was allowed')\n"
)
_ALLOWED_NAMES = {*ENVIRONMENT, "LD_LIBRARY_PATH", "PWD"}
_ATTACKS = {
    "runs": "assert echo(4) == 4",
    "files": (
        "import os\n"
        "for path in ('/etc/passwd', '/etc/shadow', '/proc/self', '/sys/kernel'):\n"
        "    assert not os.path.exists(path), path\n"
    ),
    "environment": f"import os\nassert set(os.environ) <= {_ALLOWED_NAMES!r}\n",
    "writes": (
        "import functools, os\n"
        f"paths = ('/x', '/dev/x', {SOURCES!r} + '/solution.py', os.__file__ + '.x')\n"
        "for attempt in [functools.partial(open, path, 'w') for path in paths]:\n" + _TRY_EACH
    ),
    "network": (
        "import socket\n"
        "for attempt in (lambda: socket.create_connection(('127.0.0.1', PORT), 1),):\n" + _TRY_EACH
    ),
    "kernel": (
        "import ctypes, os\n"
        "assert ctypes.CDLL(None).unshare(0x10000000) == -1\n"
        "for attempt in (lambda: os.memfd_create('x'), lambda: os.setuid(0)):\n" + _TRY_EACH
    ),
}


def attacks(port: int) -> tuple[Case, ...]:
    """Cases that pass only in a sandbox that holds; `port` is a listening one of this machine."""
    return tuple(
        Case(id=name, source=source.replace("PORT", str(port)), origin="generated")
        for name, source in _ATTACKS.items()
    )


def refusal(problem: str) -> Rung:
    """The rung that runs nothing, with what to do about `problem` ('' for no bubblewrap)."""
    return Rung(
        number="5",
        name="none",
        safe=False,
        lacks=(problem or "bubblewrap is not installed",),
        mend=_mend(problem),
    )


def _mend(problem: str) -> str:
    if sys.platform != "linux":
        return "Run the app on Linux, for example in a virtual machine or a container."
    if not problem:
        return f"Install bubblewrap: {_install_command()}"
    if _reads("/proc/sys/user/max_user_namespaces", "0"):
        return "Allow user namespaces: sudo sysctl -w user.max_user_namespaces=15000"
    if _reads("/proc/sys/kernel/unprivileged_userns_clone", "0"):
        return "Allow user namespaces: sudo sysctl -w kernel.unprivileged_userns_clone=1"
    if _reads("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"):
        return (
            "AppArmor limits user namespaces here. Use the distribution's bubblewrap with the "
            "profile bwrap-userns-restrict: sudo apt install bubblewrap apparmor-profiles"
        )
    if any(word in problem for word in ("namespace", "uid map", "Operation not permitted")):
        return (
            "User namespaces are denied here. In a container, start it with a seccomp profile "
            "that allows unshare, clone, mount, umount2 and pivot_root."
        )
    return f"Mend or replace bubblewrap: {_install_command()}"


def _install_command() -> str:
    commands = {
        "apt-get": "apt install bubblewrap",
        "dnf": "dnf install bubblewrap",
        "pacman": "pacman -S bubblewrap",
        "zypper": "zypper install bubblewrap",
        "apk": "apk add bubblewrap",
    }
    for program, command in commands.items():
        if shutil.which(program):
            return command if os.geteuid() == 0 else f"sudo {command}"
    return "apt install bubblewrap (or your system's package manager)"


def _reads(path: str, text: str) -> bool:
    try:
        return Path(path).read_text().strip() == text
    except OSError:
        return False

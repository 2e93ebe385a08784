"""What an attack is, what a way to run it is, and what was found."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

# An execution may end in any of these when the attack hits its own run and nothing else; not in
# "failed", which here is an attack that does not work.
ANY = frozenset({"passed", "timeout", "memory", "output", "crash"})
# ... and in these when no case of it may pass.
ENDED = ANY - {"passed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """Candidate code that defines `attack()`, which returns what it managed, '' for nothing.

    `number` is that of the catalogue; those that begin with 'u' are not in it. An attack that is
    `alone` has an execution of its own, which must end with a status in `expect`; all others share
    theirs, and the case that calls `attack()` must pass. `exclusive` attacks spoil what runs at
    the same time, so nothing else does.

    `control` is the code that shows outside that it works: '' is the same code (on stand-ins),
    None is none; `note` says what differs and why. `runs_on` controls prove it by having to be
    killed; `damage` controls leave something that `Host.damage` sees; those `as_root` need root.

    `not_on` says by rung number, 'cold', 'warm' or 'no cgroup' (for memory), where the attack is
    not claimed to be stopped, and why. `files` attacks are programs that leave files for the
    collector. `beside` is candidate code for executions at the same time, whose own `attack()`
    must find nothing. `work` is what ordinary code must be able to do: `attack()` says what failed.
    """

    number: str
    name: str
    code: str
    alone: bool = False
    expect: frozenset[str] = frozenset({"passed"})
    control: str | None = ""
    note: str = ""
    runs_on: bool = False
    damage: bool = False
    as_root: bool = False
    work: bool = False
    exclusive: bool = False
    files: bool = False
    beside: str = ""
    not_on: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How the table is run: `user` drops root first, `deny` is what of namespaces is denied.

    `deny` is '', 'user' (user namespaces) or 'all' (every kind); `only` the rungs that may be
    taken (empty: all), `rungs` those that are right to end up on, '5' being a refusal; `threads`
    is how many executions go on at once, and 0 means each from a thread that ends with it. With
    `few`, only some of the attacks that are alone are run. Without `walls` nothing contains the
    attack, to show that the table would tell.
    """

    name: str
    warm: bool = False
    user: bool = False
    deny: str = ""
    only: tuple[str, ...] = ()
    rungs: tuple[str, ...] = ("1", "1b")
    threads: int = 4
    few: bool = False
    walls: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of one attack: `how` it was stopped, or what it did; see `outcome`."""

    number: str
    outcome: str  # "stopped", "not claimed", "HOLE"
    how: str


# By machine: system calls that Python has no function for.
_CALLS = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "kcmp": (312, 272),
    "unshare": (272, 97),
    "setns": (308, 268),
    "clone": (56, 220),
    "clone3": (435, 435),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "io_uring_setup": (425, 425),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "keyctl": (250, 219),
    "request_key": (249, 218),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "capget": (125, 90),
    "personality": (135, 92),
    "ioprio_set": (251, 30),
    "sched_setattr": (314, 274),
    "clock_settime": (227, 112),
    "settimeofday": (164, 170),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "reboot": (169, 142),
    "kexec_load": (246, 104),
    "init_module": (175, 105),
    "delete_module": (176, 106),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "quotactl": (179, 60),
    "fanotify_init": (300, 262),
    "rt_sigqueueinfo": (129, 138),
    "timer_create": (222, 107),
    "mlockall": (151, 230),
    "move_pages": (279, 239),
    "prlimit64": (302, 261),
}


def system_calls() -> dict[str, int]:
    """System call numbers of this machine by name."""
    column = 1 if os.uname().machine == "aarch64" else 0
    return {name: numbers[column] for name, numbers in _CALLS.items()}


# Between why an attack is not claimed to be stopped and what it did.
DID = "; it did: "

# What every attack finds already there; FACTS and MARKER are put before it.
PRELUDE = """
import ctypes, errno, fcntl, os, select, signal, socket, stat, struct, sys, threading, time
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.prctl(15, MARKER.encode())

def call(name, *arguments):
    \"\"\"errno of a system call, by name or number; 0 when the kernel carried it out.\"\"\"
    number = FACTS["calls"][name] if isinstance(name, str) else name
    ctypes.set_errno(0)
    words = [word if isinstance(word, bytes) else ctypes.c_long(word) for word in arguments]
    failed = LIBC.syscall(ctypes.c_long(number), *words) == -1
    return ctypes.get_errno() if failed else 0

def refused(code):
    return code in (errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EAFNOSUPPORT)

def managed(what, action, *arguments):
    \"\"\"`what` when `action` raises no OSError.\"\"\"
    try:
        action(*arguments)
    except OSError:
        return ""
    return what + "; "

def forked(action):
    \"\"\"How a child that calls `action` ends: its signal, or minus its exit status.\"\"\"
    pid = os.fork()
    if pid == 0:
        status = 99
        try:
            status = action() or 0
        finally:
            os._exit(status)
    status = os.waitpid(pid, 0)[1]
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)
"""

"""The limits that a process can set for itself and its children."""

from __future__ import annotations

import resource

TYPE_CHECKING = False  # importing typing would cost each process time and memory
if TYPE_CHECKING:
    from typing import Any

_RESERVE_BYTES = 32 * 1024 * 1024


def make_room() -> None:
    """Give a process that has used up its memory enough for its last words."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def apply(limits: dict[str, Any], contained: bool, *, descriptors: bool = True) -> None:
    """Set soft and hard limits from `limits`; none can be raised again without privileges.

    Without `descriptors` their number stays as it is: the kernel lets a process hand descriptors
    to another only while fewer than that are under way for all processes of the same user, so the
    driver must have more of them than any candidate can tie up.

    The number of processes counts per user: outside a user namespace (`contained` false) that
    would be everything that the user runs, so there the launcher bounds and watches it.
    """
    cpu_s = int(limits["cpu_s"])
    wanted = [
        # The soft limit is the candidate's; `make_room` takes the rest, to tell what happened.
        ("RLIMIT_AS", limits["memory_bytes"], limits["memory_bytes"] + _RESERVE_BYTES),
        # First SIGXCPU, and a second later SIGKILL for those who ignore it.
        ("RLIMIT_CPU", cpu_s, cpu_s + 1),
        ("RLIMIT_FSIZE", limits["scratch_bytes"], limits["scratch_bytes"]),
        ("RLIMIT_CORE", 0, 0),
        ("RLIMIT_MSGQUEUE", 0, 0),
        ("RLIMIT_MEMLOCK", 0, 0),
        ("RLIMIT_SIGPENDING", 128, 128),  # timers count as well, and for the user as a whole
    ]
    if descriptors:
        wanted.append(("RLIMIT_NOFILE", 128, 128))
    if contained:
        wanted.append(("RLIMIT_NPROC", limits["processes"], limits["processes"]))
    for name, soft, hard in wanted:
        which = getattr(resource, name, None)  # not every system has all of them
        if which is not None:
            _lower(which, int(soft), int(hard))


def _lower(which: int, soft: int, hard: int) -> None:
    ceiling = resource.getrlimit(which)[1]
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(which, (soft, hard))

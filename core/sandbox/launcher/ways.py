"""How an execution is started: what its first process does before it is somebody else.

A plan is what the app has decided once for this machine. `way` is "bubblewrap", "landlock" or
"bare"; an item of `arguments` or `command` is a string, or {"data": base64} for a descriptor to
read that from, {"path": p} for a host path, or {"uid": ""} for the user id of this execution.
"""

# Importing pathlib would cost each start several milliseconds.
# ruff: noqa: PTH102, PTH118, PTH123, PTH211

from __future__ import annotations

import base64
import contextlib
import fcntl
import importlib
import os
import resource
from collections.abc import Sequence
from typing import Any, NoReturn

from .files import Staging, memory_file
from .processes import threads_of

_NICE = 10  # the app and whatever else runs here come first
_SAFE_FD = 100  # above all that an execution is given
ROOM = 128  # threads that what else the user runs may start during an execution


def reachable(plan: dict[str, Any], staging: Staging) -> dict[str, Any]:
    """`plan` with paths that the user it drops to can reach; raises OSError where that fails.

    Landlock's plan is left as it is where we may not mount: the tests of the sandbox will tell
    whether it works.
    """
    if plan["way"] == "landlock" and plan["own_uids"] is not None:
        return _reachable_landlock(plan, staging)
    if plan["way"] != "bubblewrap" or plan["uid"] is None:
        return plan
    staged = dict(plan)
    staged["arguments"] = _staged(plan["arguments"], staging)
    if plan["zygote"]:
        arguments = _staged(plan["zygote"]["arguments"], staging)
        staged["zygote"] = {**plan["zygote"], "arguments": arguments}
    return staged


def _staged(words: list[Any], staging: Staging) -> list[Any]:
    return [
        staging.stage(word["path"]) if isinstance(word, dict) and "path" in word else word
        for word in words
    ]


def _reachable_landlock(plan: dict[str, Any], staging: Staging) -> dict[str, Any]:
    """The interpreter finds its library by where it is itself, so a whole tree is moved."""
    # All that is needed later: what is staged may hide where we are ourselves.
    importlib.import_module("inside.landlock")
    moved = {}
    try:
        for root in plan["roots"]:
            moved[root] = staging.stage(root)
    except OSError:
        return plan

    def place(path: str) -> str:
        for root, staged in moved.items():
            if path == root or path.startswith(root + "/"):
                return staged + path[len(root) :]
        return path

    environment = dict(plan["environment"])
    if "LD_LIBRARY_PATH" in environment:
        folder = os.path.realpath(environment["LD_LIBRARY_PATH"])
        environment["LD_LIBRARY_PATH"] = place(folder)
    return {
        **plan,
        "environment": environment,
        "command": [place(plan["command"][0]), *plan["command"][1:]],
        "inside": place(plan["inside"]),
        "site": place(plan["site"]) if plan["site"] else None,
        "packages": [[name, place(source)] for name, source in plan["packages"]],
        "readable": [place(path) for path in plan["readable"]],
    }


def bubblewrap_argv(program: str, arguments: list[Any], command: list[Any], uid: int) -> list[str]:
    """bubblewrap's argv; its options go over a descriptor, out of sight of the process list."""
    plain = []
    for word in arguments:
        if isinstance(word, str):
            plain.append(word)
        elif "path" in word:
            plain.append(word["path"])
        else:
            plain.append(str(_inheritable_file(base64.b64decode(word["data"]))))
    options = _inheritable_file(b"".join(word.encode() + b"\0" for word in plain))
    words = [str(uid) if isinstance(word, dict) else word for word in command]
    return [program, "--args", str(options), "--", *words]


def _inheritable_file(data: bytes) -> int:
    fd = fcntl.fcntl(memory_file(data), fcntl.F_DUPFD, _SAFE_FD)
    os.set_inheritable(fd, True)
    return fd


def private_layout(folder: str, plan: dict[str, Any], driver: dict[str, Any]) -> None:
    """Without namespaces: the same places in a directory of our own, and `driver` told so."""
    links = {"runner": [("inside", plan["inside"])], "packages": plan["packages"]}
    for name, sources in links.items():
        os.mkdir(os.path.join(folder, name))
        for inner, source in sources:
            os.symlink(source, os.path.join(folder, name, inner))
    driver["workdir"] = os.path.join(folder, "job")
    driver["path"] = [os.path.join(folder, "packages"), *([plan["site"]] if plan["site"] else [])]
    os.mkdir(driver["workdir"])


def settle(fds: Sequence[int], groups: Sequence[int]) -> None:
    """In the child: a session of its own, `fds` as descriptors 0, 1, 2 ..., the cgroups joined."""
    os.setsid()
    os.nice(_NICE)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    for fd in groups:
        os.write(fd, b"0")
    copies = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _SAFE_FD) for fd in fds]
    for number, fd in enumerate(copies):
        os.dup2(fd, number, inheritable=True)


def drop_to(uid: int | None) -> None:
    """Become another user for good, where one is given."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def become_bubblewrap(plan: dict[str, Any], uid: int) -> NoReturn:
    """In the child, settled: turn into bubblewrap."""
    argv = bubblewrap_argv(plan["bwrap"], plan["arguments"], plan["command"], uid)
    os.chdir("/")
    drop_to(plan["uid"])
    # bubblewrap keeps its own environment in its first process: so there must be none.
    os.execve(argv[0], argv, {})


def become_plain(
    plan: dict[str, Any], uid: int | None, limits: dict[str, Any], folder: str
) -> NoReturn:
    """In the child, settled: turn into the interpreter, behind Landlock where the plan says so.

    `folder` is what `private_layout` has filled.
    """
    workdir, runner = os.path.join(folder, "job"), os.path.join(folder, "runner")
    os.chdir(workdir)
    environment = {**plan["environment"], "HOME": workdir, "TMPDIR": workdir}
    if plan["way"] == "landlock":
        landlock = importlib.import_module("inside.landlock")  # beside this package

        limit_processes(uid, limits["processes"])
        drop_to(uid)
        program = base64.b64decode(plan["seccomp"])
        readable = [*plan["readable"], runner, os.path.join(folder, "packages")]
        landlock.apply(limits, workdir, readable, program)
    else:
        limit_processes(None, limits["processes"])
    os.execve(plan["command"][0], [*plan["command"], runner], environment)


def limit_processes(uid: int | None, count: int) -> None:
    """Bound a bomb where only a watchdog counts exactly: it must not starve the watchdog.

    The kernel counts by user: so nobody else's where `uid` is a user of the execution's own, and
    otherwise all that the user runs, with room for what may be started meanwhile.
    """
    most = count + 1 if uid is not None else count + threads_of(os.getuid()) + ROOM
    with contextlib.suppress(ValueError):  # there is a lower limit already
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))

"""The bubblewrap command of one execution, as a value that the launcher turns into a process.

An item of `arguments` is a string, or {"file": text} or {"data": base64} for a descriptor to read
that from, {"path": p} for a host path to show, or {"fd": name} for one of the launcher's pipes.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from typing import TypeAlias

from core.sandbox import seccomp
from core.sandbox.host import Host
from core.sandbox.model import MIB, Limits

Argument: TypeAlias = "str | dict[str, str]"

SOURCES = "/opt/sources"
RUNNER = "/opt/runner"
PACKAGES = "/opt/packages"
WORKDIR = "/job"
# Environment variables that exist inside, and nothing else.
ENVIRONMENT = {
    "PATH": "/usr/bin",
    "HOME": WORKDIR,
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
# -s -S -B and not -I: that would ignore PYTHONHASHSEED, and the rest is ours in there anyway.
PYTHON_FLAGS = ("-s", "-S", "-B", "-c")


def start_code(runner: str) -> str:
    """The Python code that starts the driver out of the directory `runner`."""
    return f"import sys; sys.path[0] = {runner!r}; from inside.driver import main; main()"


def command(host: Host) -> list[str]:
    """What bubblewrap executes."""
    return [host.executable, *PYTHON_FLAGS, start_code(RUNNER)]


def arguments(
    host: Host, limits: Limits, files: Mapping[str, str], *, disable_userns: bool
) -> list[Argument]:
    """All options; `files` are texts by their absolute path inside, read-only there."""
    scratch = str(limits.scratch_bytes)
    words: list[Argument] = [
        # Each namespace by name: --unshare-all goes on without a user namespace if it gets none.
        *("--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"),
        *("--unshare-cgroup-try", "--hostname", "sandbox", "--uid", "65534", "--gid", "65534"),
        *("--die-with-parent", "--new-session", "--clearenv"),
    ]
    if disable_userns:
        words.append("--disable-userns")
    environment = dict(ENVIRONMENT)
    if host.library_path:
        environment["LD_LIBRARY_PATH"] = host.library_path
    for name, value in environment.items():
        words += ["--setenv", name, value]
    # No --proc: it would show the environment of the first process, and sysctls.
    words += ["--dev", "/dev", "--size", str(16 * MIB), "--tmpfs", "/dev/shm"]
    words += ["--remount-ro", "/dev"]
    # A tmpfs hides what was bound below it before, so these come first.
    for place in ("/tmp", WORKDIR):
        words += ["--size", scratch, "--tmpfs", place]
    for target, path in host.links:
        words += ["--symlink", target, path]
    for source, destination in host.binds:
        words += ["--ro-bind", {"path": source}, destination]
    for name, source in host.packages:
        words += ["--ro-bind", {"path": source}, f"{PACKAGES}/{name}"]
    for path, text in files.items():
        words += ["--perms", "0444", "--ro-bind-data", {"file": text}, path]
    program = base64.b64encode(seccomp.program(os.uname().machine)).decode()
    words += ["--remount-ro", "/", "--chdir", WORKDIR, "--cap-drop", "ALL"]
    words += ["--seccomp", {"data": program}, "--json-status-fd", {"fd": "status"}]
    return words

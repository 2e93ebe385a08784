"""The bubblewrap command, as a value that the launcher turns into a process.

An item of the options is a string, or {"data": base64} for a descriptor to read that from, or
{"path": p} for a host path to show.
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from core.sandbox import seccomp
from core.sandbox.host import Host
from core.sandbox.model import MIB, Limits

Argument: TypeAlias = "str | dict[str, str]"

INSIDE = Path(__file__).with_name("inside")
RUNNER = "/opt/runner"
PACKAGES = "/opt/packages"
SITE = "/opt/site"
WORKDIR = "/job"
SHM_BYTES = 16 * MIB
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


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What an execution is shown: this machine's Python, and the user's packages in `site`.

    `options` are those that this bubblewrap knows.
    """

    host: Host
    site: str | None
    options: frozenset[str]


def environment(host: Host) -> dict[str, str]:
    """The environment inside."""
    shared = {"LD_LIBRARY_PATH": host.library_path} if host.library_path else {}
    return {**ENVIRONMENT, **shared}


def start_code(entry: str, runner: str = repr(RUNNER)) -> str:
    """The Python code that calls `entry` of the package `inside`, which lies in `runner`."""
    module, _, function = entry.rpartition(".")
    return f"import sys; sys.path[0] = {runner}; from {module} import {function} as f; f()"


def command(host: Host, entry: str) -> list[str]:
    """What bubblewrap executes."""
    return [host.executable, *PYTHON_FLAGS, start_code(entry)]


def cold(view: View, limits: Limits, *, userns: bool) -> list[Argument]:
    """The options for a sandbox of one execution.

    Without `userns` it has to be root who calls, and what is executed has to become another user.
    """
    words = _namespaces(view, userns=userns)
    if "--disable-userns" in view.options and userns:
        words.append("--disable-userns")
    words += _files(view, limits, perms=None if userns else "1777")
    words += ["--remount-ro", "/", "--chdir", WORKDIR, "--cap-drop", "ALL"]
    if not userns:
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
            words += ["--cap-add", capability]
    return [*words, "--seccomp", {"data": _filter()}]


def zygote(view: View, limits: Limits) -> list[Argument]:
    """The options for the sandbox of a zygote: it makes namespaces, and jobs never see its /proc.

    It has no capability either, and what it forks applies the filter itself.
    """
    words = _namespaces(view, userns=True)
    # Symbols are looked up once, and not in each process again that it forks.
    words += ["--setenv", "LD_BIND_NOW", "1"]
    words += [*_files(view, limits, perms=None), "--proc", "/proc"]
    return [*words, "--remount-ro", "/", "--chdir", WORKDIR, "--cap-drop", "ALL"]


def zygote_config(view: View, limits: Limits) -> dict[str, object]:
    """What the zygote is told when it starts; see inside/enter.py."""
    # What the user chose is for candidates only, and not for the zygote to import.
    return {"scratch_bytes": limits.scratch_bytes, "seccomp": _filter(), "path": [PACKAGES]}


def _filter(*, strict: bool = False) -> str:
    return base64.b64encode(seccomp.program(os.uname().machine, strict=strict)).decode()


def strict_filter() -> str:
    """The system call filter where there are no namespaces, in base64."""
    return _filter(strict=True)


def _namespaces(view: View, *, userns: bool) -> list[Argument]:
    # Each namespace by name: --unshare-all goes on without a user namespace if it gets none.
    words: list[Argument] = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]
    if userns:
        words += ["--unshare-user", "--uid", "65534", "--gid", "65534"]
    words += ["--unshare-cgroup-try", "--hostname", "sandbox", "--die-with-parent"]
    words += ["--new-session", "--clearenv"]
    if "--as-pid-1" in view.options:
        words.append("--as-pid-1")
    for name, value in environment(view.host).items():
        words += ["--setenv", name, value]
    return words


def _files(view: View, limits: Limits, *, perms: str | None) -> list[Argument]:
    """Mounts; `perms` is the mode of scratch, None for bubblewrap's own.

    No --proc: it would show the environment of the first process, and sysctls.
    """
    mode: list[Argument] = ["--perms", perms] if perms else []
    words: list[Argument] = []
    if perms:  # the directories that bubblewrap makes for a mount would be closed to other users
        for folder in _parents(view.host):
            words += ["--perms", "0755", "--dir", folder]
    words += ["--dev", "/dev"]
    words += [*mode, "--size", str(SHM_BYTES), "--tmpfs", "/dev/shm", "--remount-ro", "/dev"]
    # A tmpfs hides what was bound below it before, so these come first.
    for place in ("/tmp", WORKDIR):
        words += [*mode, "--size", str(limits.scratch_bytes), "--tmpfs", place]
    for target, path in view.host.links:
        words += ["--symlink", target, path]
    for source, destination in view.host.binds:
        words += ["--ro-bind", {"path": source}, destination]
    for name, source in view.host.packages:
        words += ["--ro-bind", {"path": source}, f"{PACKAGES}/{name}"]
    words += ["--ro-bind", {"path": str(INSIDE)}, f"{RUNNER}/inside"]
    if view.site:
        words += ["--ro-bind", {"path": view.site}, SITE]
    return words


def _parents(host: Host) -> list[str]:
    """The directories above what is shown, outer ones first."""
    places = [place for _, place in host.binds] + [f"{PACKAGES}/x", f"{RUNNER}/x"]
    found = {str(parent) for place in places for parent in PurePosixPath(place).parents}
    return sorted(found - {"/"})

"""What the launcher is told: plans for this machine, and the driver's job of one execution."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

from core.errors import SandboxError
from core.sandbox import bubblewrap
from core.sandbox.bubblewrap import INSIDE, View
from core.sandbox.host import Host, describe
from core.sandbox.ladder import Plan
from core.sandbox.model import Limits

Site: TypeAlias = "str | os.PathLike[str] | Callable[[], Path | None] | None"

_HELP_TIMEOUT_S = 10.0
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/opt")


class Jobs:
    """Plans for an interpreter, a bubblewrap and a directory of packages, `site`.

    `site` may be a function, for a directory that comes into being later.
    """

    def __init__(self, python: str, bwrap: str, site: Site) -> None:
        self._python = python
        self._bwrap = bwrap
        self._site = site
        self._host: Host | None = None
        self._options: frozenset[str] | None = None
        self._made: dict[tuple[Plan, Limits, str | None], str] = {}

    @property
    def host(self) -> Host:
        """This machine's Python, asked once; raises SandboxError when it doesn't answer."""
        if self._host is None:
            self._host = describe(self._python, str(INSIDE))
        return self._host

    @property
    def has_bubblewrap(self) -> bool:
        """Whether there is a program of that name."""
        return shutil.which(self._bwrap) is not None

    def plan(self, plan: Plan, limits: Limits) -> str:
        """`plan` as the launcher takes it, in JSON. Raises SandboxError."""
        site = self._shown_site()
        key = (plan, limits, site)
        if key not in self._made:
            self._made[key] = json.dumps(self._make(plan, limits, site))
        return self._made[key]

    def _shown_site(self) -> str | None:
        site = self._site() if callable(self._site) else self._site
        return os.path.realpath(site) if site and Path(site).is_dir() else None

    def _make(self, plan: Plan, limits: Limits, site: str | None) -> dict[str, Any]:
        made: dict[str, Any] = {
            "way": plan.way,
            "uid": plan.uid,
            "own_uids": plan.own_uids,
            "cgroup": plan.cgroup,
            "zygote": None,
        }
        try:
            if plan.way != "bubblewrap":
                return {**made, **self._plain(plan, site)}
            view = View(host=self.host, site=site, options=self._known_options())
            return {**made, **self._bubblewrap(plan, view, limits)}
        except KeyError as error:
            raise SandboxError(
                f"The system calls of this kind of machine are not known: {error}"
            ) from error

    def _bubblewrap(self, plan: Plan, view: View, limits: Limits) -> dict[str, Any]:
        entry = "inside.init.main" if plan.userns else "inside.enter.main_as"
        command: list[Any] = bubblewrap.command(self.host, entry)
        zygote = None
        if not plan.userns:
            command.append({"uid": ""})
        elif plan.may_be_warm:
            zygote = {
                "arguments": bubblewrap.zygote(view, limits),
                "command": bubblewrap.command(self.host, "inside.enter.main"),
                "config": bubblewrap.zygote_config(view, limits),
            }
        return {
            "bwrap": os.path.realpath(shutil.which(self._bwrap) or self._bwrap),
            "arguments": bubblewrap.cold(view, limits, userns=plan.userns),
            "command": command,
            "zygote": zygote,
        }

    def _plain(self, plan: Plan, site: str | None) -> dict[str, Any]:
        """Without namespaces: everything where it is on this machine."""
        host, inside = self.host, str(INSIDE)
        code = bubblewrap.start_code("inside.init.main", "sys.argv.pop()")
        packages = [source for _, source in host.packages]
        shown = [source for source, _ in host.binds] + packages + ([site] if site else [])
        return {
            "command": [host.executable, *bubblewrap.PYTHON_FLAGS, code],
            "environment": bubblewrap.environment(host),
            "inside": inside,
            "packages": host.packages,
            "site": site,
            "roots": _outermost([inside, *shown]),
            "readable": [*shown, inside],
            "seccomp": bubblewrap.strict_filter() if plan.way == "landlock" else "",
        }

    def _known_options(self) -> frozenset[str]:
        """The options that this bubblewrap says it has."""
        if self._options is None:
            try:
                text = subprocess.run(
                    [os.path.realpath(shutil.which(self._bwrap) or self._bwrap), "--help"],
                    capture_output=True,
                    text=True,
                    stdin=subprocess.DEVNULL,
                    timeout=_HELP_TIMEOUT_S,
                ).stdout
            except (OSError, subprocess.SubprocessError) as error:
                raise SandboxError(f"{self._bwrap} does not start: {error}") from error
            self._options = frozenset(word for word in text.split() if word.startswith("--"))
        return self._options


def driver(
    nonce: str, code: str, modules: Mapping[str, str], files: Mapping[str, bytes], *, mode: str
) -> dict[str, Any]:
    """The driver's job, but for what depends on the plan and on the `mode`."""
    return {
        "nonce": nonce,
        "mode": mode,
        "code": code,
        "cases": [],
        "modules": dict(modules),
        "files": {name: base64.b64encode(data).decode() for name, data in files.items()},
        "stdin": "",
        "arguments": [],
    }


def placed(driver_job: dict[str, Any], plan: Plan, limits: Limits) -> dict[str, Any]:
    """The driver's job with what it has to know of where it runs."""
    namespaces = plan.way == "bubblewrap"
    return {
        **driver_job,
        "limits": asdict(limits),
        "contained": namespaces,
        "path": [bubblewrap.PACKAGES, bubblewrap.SITE] if namespaces else [],
        "workdir": bubblewrap.WORKDIR if namespaces else None,
    }


def _outermost(paths: list[str]) -> list[str]:
    """Those that aren't below another, nor where every user can reach them anyway."""
    kept: list[str] = []
    for path in sorted(set(paths), key=len):
        if not any(path == outer or path.startswith(f"{outer}/") for outer in (*_SYSTEM, *kept)):
            kept.append(path)
    return kept

"""What of this machine the sandbox must show: the interpreter, its libraries, pytest."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from core.errors import SandboxError

_QUERY_TIMEOUT_S = 30.0
# Asked of the interpreter itself, which need not be the one that we run on.
_QUERY = """
import compileall, importlib.util, json, os, sys, sysconfig
# Nothing can be written in a sandbox, so what runs there is compiled here, where that is possible.
compileall.compile_dir(sys.argv[1], quiet=2)
names = ["pytest", "_pytest", "py", "pluggy", "iniconfig", "packaging", "pygments",
         "exceptiongroup", "tomli", "typing_extensions"]
packages = {}
for name in names:
    spec = importlib.util.find_spec(name)
    if spec is not None and spec.origin:
        folder = os.path.dirname(spec.origin)
        is_package = bool(spec.submodule_search_locations)
        packages[name if is_package else name + ".py"] = folder if is_package else spec.origin
base = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix,
        "installed_base": sys.base_prefix, "installed_platbase": sys.base_exec_prefix}
print(json.dumps({
    "executable": os.path.realpath(sys.executable),
    "prefixes": sorted({os.path.realpath(sys.base_prefix), os.path.realpath(sys.base_exec_prefix)}),
    "stdlib": sorted({os.path.realpath(sysconfig.get_path(kind, vars=base))
                      for kind in ("stdlib", "platstdlib")}),
    "shared": [sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME")]
              if sysconfig.get_config_var("Py_ENABLE_SHARED") else [],
    "packages": packages,
    "version": sys.version,
}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """`binds` are (source, destination) of what is shown read-only, `links` (target, path).

    `packages` are Python packages, by the file name that makes them importable. `library_path`
    is a directory that the loader needs to be told, '' when there is none. `version` is that of
    sys.
    """

    executable: str
    binds: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...]
    packages: tuple[tuple[str, str], ...]
    library_path: str
    version: str


def describe(python: str, inside: str) -> Host:
    """Ask `python`, and have it compile the package in the directory `inside`.

    Raises SandboxError when it doesn't answer.
    """
    try:
        answer = subprocess.run(
            [python, "-I", "-c", _QUERY, inside],
            capture_output=True,
            check=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=_QUERY_TIMEOUT_S,
        ).stdout
        facts = json.loads(answer)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise SandboxError(
            f"The Python interpreter {python} can't be used: {_reason(error)}"
        ) from error
    binds, links = _libraries()
    for prefix in facts["prefixes"]:
        if prefix not in ("/usr", "/usr/local", "/"):
            binds.append((prefix, prefix))
    binds += [(path, path) for path in (facts["executable"], *facts["stdlib"])]
    library_path = ""
    if facts["shared"]:
        folder, name = facts["shared"]
        library = Path(folder, name)
        if library.exists():
            binds.append((os.path.realpath(library), str(library)))
            library_path = folder
    return Host(
        executable=facts["executable"],
        binds=_outermost(binds),
        links=tuple(links),
        packages=tuple(sorted(facts["packages"].items())),
        library_path=library_path,
        version=facts["version"],
    )


def _reason(error: Exception) -> str:
    """In a few words, without the text of what was asked."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it did not answer within {error.timeout:g} s"
    if isinstance(error, subprocess.CalledProcessError):
        lines = (error.stderr or "").strip().splitlines()
        return f"exit status {error.returncode}{': ' + lines[-1] if lines else ''}"
    if isinstance(error, ValueError):
        return "its answer makes no sense"
    return str(error)


def _libraries() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The directories of shared libraries only: no shell, no compiler, no setuid file."""
    multiarch = f"{os.uname().machine}-linux-gnu"
    narrow = Path("/usr/lib", multiarch).is_dir()
    wanted = [f"/usr/lib/{multiarch}", "/usr/lib64"] if narrow else ["/usr/lib", "/usr/lib64"]
    binds: list[tuple[str, str]] = []
    links: list[tuple[str, str]] = []
    for name in ("/lib", "/lib64"):
        path = Path(name)
        if path.is_symlink():
            links.append((str(path.readlink()), name))
        elif path.is_dir():
            wanted.append(f"{name}/{multiarch}" if narrow and name == "/lib" else name)
    for name in wanted:
        path = Path(name)
        if path.is_symlink():
            links.append((str(path.readlink()), name))
        elif path.is_dir():
            binds.append((name, name))
    return binds, links


def _outermost(binds: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Without those that another one shows already, outer ones first."""
    kept: list[tuple[str, str]] = []
    for source, destination in sorted(set(binds), key=lambda pair: (len(pair[1]), pair)):
        inside = any(
            source == outer_source + destination[len(outer) :]
            for outer_source, outer in kept
            if destination == outer or destination.startswith(outer + "/")
        )
        if not inside:
            kept.append((source, destination))
    return tuple(kept)

"""Which wheels a list of packages needs, found out without running anything of theirs.

pip's own resolver builds what a dependency names by its address, whatever it was told about
building. So each wheel is fetched without its dependencies, and these are read from its metadata.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from email.parser import HeaderParser
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from core.errors import SandboxError

MAX_WHEELS = 200
_ROUNDS = 20  # in which what is needed narrows what was chosen before


def gather(
    wanted: Sequence[str],
    folder: Path,
    fetch: Callable[[Sequence[str]], None],
    environment: Mapping[str, str],
) -> None:
    """Have `fetch` download wheels of requirement strings into `folder`, until all that is needed
    is there. `environment` are the markers of the Python that will import them.

    Raises SandboxError for packages that contradict one another or need one by its address, and
    what `fetch` raises.
    """
    needed: dict[str, Requirement] = {}
    for text in wanted:
        _add(needed, Requirement(text), "sandbox.packages")
    for _ in range(_ROUNDS):
        missing = [one for one in needed.values() if not _is_there(one, folder)]
        if not missing:
            return
        for one in missing:
            for path in _wheels(folder, one.name):
                path.unlink()
        fetch([str(_plain(one)) for one in missing])
        if len(list(folder.glob("*.whl"))) > MAX_WHEELS:
            raise SandboxError(f"{', '.join(wanted)} need more than {MAX_WHEELS} packages")
        for path in folder.glob("*.whl"):
            name = canonicalize_name(parse_wheel_filename(path.name)[0])
            extras = needed[name].extras if name in needed else set()
            for one in _needs(path, extras, environment):
                _add(needed, one, path.name)
    raise SandboxError(f"No set of versions was found that suits {', '.join(wanted)}")


def _add(needed: dict[str, Requirement], one: Requirement, whose: str) -> None:
    if one.url:
        raise SandboxError(
            f"{whose} needs {one.name} from {one.url}: only packages of the index are taken"
        )
    name = canonicalize_name(one.name)
    known = needed.get(name)
    if known is None:
        needed[name] = _plain(one)
    else:
        known.specifier &= one.specifier
        known.extras |= one.extras


def _plain(one: Requirement) -> Requirement:
    """Without the marker, which has been looked at."""
    plain = Requirement(one.name)
    plain.specifier = SpecifierSet(str(one.specifier))
    plain.extras = set(one.extras)
    return plain


def _is_there(one: Requirement, folder: Path) -> bool:
    versions = [_version(path) for path in _wheels(folder, one.name)]
    return any(one.specifier.contains(version, prereleases=True) for version in versions)


def _wheels(folder: Path, name: str) -> list[Path]:
    wanted = canonicalize_name(name)
    return [
        path
        for path in folder.glob("*.whl")
        if canonicalize_name(parse_wheel_filename(path.name)[0]) == wanted
    ]


def _version(path: Path) -> Version:
    return parse_wheel_filename(path.name)[1]


def _needs(path: Path, extras: set[str], environment: Mapping[str, str]) -> Iterator[Requirement]:
    """What the wheel says that it needs here."""
    try:
        with zipfile.ZipFile(path) as wheel:
            (name,) = [
                name
                for name in wheel.namelist()
                if name.endswith(".dist-info/METADATA") and name.count("/") == 1
            ]
            text = wheel.read(name).decode("utf-8", "replace")
        texts = HeaderParser().parsestr(text).get_all("Requires-Dist") or []
        found = [Requirement(text) for text in texts]
    except (OSError, ValueError, zipfile.BadZipFile, InvalidRequirement) as error:
        raise SandboxError(f"{path.name} is no proper wheel: {error}") from error
    for one in found:
        marked = [{**environment, "extra": extra} for extra in ("", *extras)]
        if one.marker is None or any(map(one.marker.evaluate, marked)):
            yield one

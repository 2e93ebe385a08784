"""What is installed for generated code, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from core.config.requirements import canonical

Phase = Literal["none", "missing", "installing", "ready", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """An installed package; `asked` unless it only came along with another."""

    name: str
    version: str
    asked: bool

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagesState:
    """`wanted` as the configuration has it; `packages` by name when `phase` is ready; `message`
    says why it failed, or why the last attempt of another process did when `phase` is missing."""

    phase: Phase
    wanted: tuple[str, ...] = ()
    packages: tuple[Package, ...] = ()
    message: str = ""

    @property
    def asked(self) -> tuple[str, ...]:
        """Those of the list, like "numpy 2.1.0"."""
        return tuple(str(package) for package in self.packages if package.asked)

    def sentence(self) -> str:
        """How it stands, for people; '' where none are wanted."""
        wanted = ", ".join(self.wanted)
        along = len(self.packages) - len(self.asked)
        more = f", and {along} more that they need" if along else ""
        last = f" The last attempt failed: {self.message}" if self.message else ""
        return {
            "none": "",
            "missing": f"Packages are not installed yet: {wanted}.{last}",
            "installing": f"Packages are being installed: {wanted}. Runs wait for them.",
            "ready": f"Packages that code may import: {', '.join(self.asked)}{more}.",
            "failed": f"Packages can't be had, and code runs without them: {self.message}",
        }[self.phase]


def installed(site: Path, wanted: Sequence[str]) -> tuple[Package, ...]:
    """The packages in the directory `site`, by name."""
    asked = {canonical(requirement) for requirement in wanted}
    found = {
        canonical(one.name): Package(
            name=one.name, version=one.version, asked=canonical(one.name) in asked
        )
        for one in metadata.distributions(path=[str(site)])
    }
    return tuple(found[name] for name in sorted(found))

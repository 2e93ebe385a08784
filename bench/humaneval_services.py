"""The product's services for the bench, on a data folder of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

import core.services
from core.cancel import Cancel
from core.config import Config, ConfigStore
from core.embedded import Builtin
from core.events import Role
from core.services import Services, open_services


class _LargeAlone(Builtin):
    """The built-in server with its larger model in every role."""

    def start(self) -> None:
        """Nothing ahead of time: the small model would be loaded too."""

    def acquire(self, role: Role, cancel: Cancel, broken: str = "") -> tuple[str, str]:
        """As for the escalation, whichever the role."""
        return super().acquire("escalation", cancel, broken)


@contextmanager
def bench_services(config: Path, *, strongest_alone: bool) -> Iterator[Services]:
    """Services on this configuration, without its history and skills.

    `strongest_alone`: the escalation's model and endpoints serve every role. Raises as
    open_services.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        given = ConfigStore(config).current  # says what is wrong with the file itself
        document = yaml.safe_load(config.read_text("utf-8"))
        document["data_dir"] = str(folder / "data")
        if given.embedded_dir is not None:
            document["embedded_dir"] = str(given.embedded_dir.resolve())
        if strongest_alone:
            document["ollama"]["models"] = escalation_alone(document["ollama"]["models"])
            # Which built-in model takes which role is no setting, and should be none.
            stack.enter_context(patch.object(core.services, "_builtin", _large_alone))
        own = folder / "config.yaml"
        own.write_text(yaml.safe_dump(document), "utf-8")
        yield stack.enter_context(open_services(own, terminal=True))


def escalation_alone(models: dict[str, Any]) -> dict[str, Any]:
    """The roles of a configuration with only the escalation's entry, which all others then take.

    One that is left out takes the generator's entry, or else the nearest there is.
    """
    names = ("escalation", "generator", "overseer", "evaluator", "triage")
    return {"escalation": next(models[name] for name in names if name in models)}


def _large_alone(config: Config) -> Builtin | None:
    if config.embedded == "off":
        return None
    return _LargeAlone(extra_dir=config.embedded_dir, threads=config.embedded_threads)

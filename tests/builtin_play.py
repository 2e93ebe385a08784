"""The built-in models played by two servers: one in the small model's place, one in the large's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

from fake_ollama import FakeOllama
from play import Play, shared_sandbox, used_data, write_config

import core.services
from core.cancel import Cancel
from core.embedded import LARGE, SMALL
from core.embedded.models import SMALL_ROLES
from core.events import Role
from core.services import Services, open_services


class PlayedBuiltin:
    """As core.embedded.Builtin, as far as services ask; without a large one the small serves."""

    def __init__(self, small: str, large: str) -> None:
        self._small, self._large = small, large

    def acquire(self, role: Role, cancel: Cancel, broken: str = "") -> tuple[str, str]:
        if role in SMALL_ROLES or not self._large:
            return self._small, SMALL.name
        return self._large, LARGE.name

    def start(self) -> None: ...

    def close(self) -> None: ...


@contextmanager
def builtin_services(
    folder: Path, small: Play, large: Play | None, more: str = ""
) -> Iterator[Services]:
    """Services whose configured server is gone; the plays answer in its place."""
    with ExitStack() as stack:
        with FakeOllama() as gone:
            text = write_config(folder, gone, more=more).read_text()
        (folder / "config.yaml").write_text(text.replace("embedded: off", "embedded: auto"))
        one = stack.enter_context(FakeOllama([SMALL.name], script=small, ollama=False))
        other = large and stack.enter_context(FakeOllama([LARGE.name], script=large, ollama=False))
        played = PlayedBuiltin(one.url, other.url if other else "")
        stack.enter_context(patch.object(core.services, "_builtin", lambda config: played))
        sandbox = shared_sandbox()
        used_data(folder / "data")
        yield stack.enter_context(open_services(folder / "config.yaml", sandbox=sandbox))

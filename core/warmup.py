"""What a start does in the background, because it takes its time."""

from __future__ import annotations

import contextlib
import threading

from core.cancel import Cancel
from core.embedded import Builtin
from core.endpoints import Client
from core.errors import Cancelled
from core.sandbox import Sandbox
from core.sandbox.packages import Packages


class WarmUp:
    """Installs the packages, finds the sandbox's rung, and fetches the built-in model if nobody
    else serves some role."""

    def __init__(
        self, client: Client, builtin: Builtin | None, sandbox: Sandbox, packages: Packages
    ) -> None:
        self._client = client
        self._builtin = builtin
        self._sandbox = sandbox
        self._packages = packages
        self._cancel = Cancel()
        self._threads = [
            threading.Thread(target=work, name=f"warm-up-{work.__name__}", daemon=True)
            for work in (self._install, self._look)
        ]

    def start(self) -> None:
        """Begin; nobody needs to wait."""
        self._sandbox.start_look()
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop what may be stopped and wait for the rest."""
        self._cancel.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def _install(self) -> None:
        with contextlib.suppress(Cancelled):
            self._packages.ensure(self._cancel)

    def _look(self) -> None:
        try:
            self._sandbox.look(self._cancel)
        except Cancelled:
            return
        builtin = self._builtin
        if builtin is not None and any(role.served_by_builtin for role in self._client.probe()):
            builtin.start()

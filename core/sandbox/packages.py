"""The packages that generated code may import: installed ahead of time, shown read-only.

They come as ready-made wheels alone, and so do those that they need. Building one would run its
build script here, outside of any sandbox; unpacking a wheel runs nothing of it. What they bring is
code that nobody has read either, and it runs only where generated code does.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import shutil
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from core.cancel import Cancel
from core.errors import SandboxError
from core.sandbox import pip
from core.sandbox.installed import PackagesState, installed
from core.sandbox.locks import is_locked, locked, open_lock

logger = logging.getLogger(__name__)

_TICK_S = 0.2
_WHOLE = ".whole"  # a file in a folder that was finished, and is not being removed


class Packages:
    """The packages of one list in their own folder below `folder`. Thread-safe; any number of
    processes may share the folder. `python` is the interpreter that will import them.
    """

    def __init__(
        self, wanted: Sequence[str], folder: Path, *, python: str = sys.executable
    ) -> None:
        self._wanted = tuple(wanted)
        self._folder = folder
        self._python = python
        self._working = threading.Lock()
        self._state = PackagesState(phase="missing" if wanted else "none", wanted=self._wanted)
        self._held: IO[str] | None = None
        self._digest = _digest(self._wanted, python)
        with contextlib.suppress(OSError):
            if wanted and not self._take() and self._error.exists():
                self._state = replace(self._state, message=self._error.read_text("utf-8"))

    @property
    def site(self) -> Path | None:
        """The directory to show to the code, there once the phase is ready; None when the list is
        empty."""
        return self._folder / self._digest if self._wanted else None

    @property
    def state(self) -> PackagesState:
        """How it stands; another process may have installed them meanwhile."""
        state = self._state
        if state.phase not in ("missing", "failed") or self._working.locked():
            return state
        with contextlib.suppress(OSError):
            if not self._take() and is_locked(self._folder / "lock"):
                return PackagesState(phase="installing", wanted=self._wanted)
        return self._state

    def ensure(self, cancel: Cancel, *, again: bool = False) -> PackagesState:
        """Install them if they are not there, or wait for whoever does; how it stands then.

        One attempt in a process's life, unless `again`. Raises Cancelled.
        """
        while not self._working.acquire(timeout=_TICK_S):
            cancel.check()
        try:
            done = ("none", "ready") if again else ("none", "ready", "failed")
            if self._state.phase not in done:
                before = self._state
                self._state = PackagesState(phase="installing", wanted=self._wanted)
                try:
                    self._install(cancel)
                except (SandboxError, OSError) as error:
                    self._fail(error.message if isinstance(error, SandboxError) else str(error))
                finally:
                    if self._state.phase == "installing":  # cancelled
                        self._state = before
        finally:
            self._working.release()
        return self._state

    def close(self) -> None:
        """Let another process remove them."""
        if self._held is not None:
            self._held.close()

    def _fail(self, why: str) -> None:
        logger.error("Packages were not installed: %s", why)
        self._state = PackagesState(phase="failed", wanted=self._wanted, message=why)
        with contextlib.suppress(OSError):
            self._error.write_text(why, "utf-8")

    def _install(self, cancel: Cancel) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with locked(self._folder / "lock", cancel):
            if not self._take():
                self._fetch(cancel)
                self._take()
            self._error.unlink(missing_ok=True)
            self._tidy()

    @property
    def _error(self) -> Path:
        """Why the last attempt failed, for other processes."""
        return self._folder / f"{self._digest}.error"

    def _fetch(self, cancel: Cancel) -> None:
        site = self.site
        assert site is not None
        logger.info("Installing %s for generated code", ", ".join(self._wanted))
        temporary = Path(tempfile.mkdtemp(prefix="new-", dir=self._folder))
        try:
            if site.exists():
                self._remove(site)  # what a broken-off removal left
            temporary.chmod(0o755)
            pip.install(self._python, self._wanted, temporary, cancel)
            (temporary / _WHOLE).touch()
            temporary.rename(site)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def _take(self) -> bool:
        """Hold the installed folder, if there is one, so that nobody removes it; True if so."""
        site = self.site
        if site is None or not (site / _WHOLE).exists():
            return False
        held = open_lock(self._lock_of(self._digest))
        fcntl.flock(held, fcntl.LOCK_SH)
        if not (site / _WHOLE).exists():
            held.close()
            return False
        self.close()
        self._held = held
        found = installed(site, self._wanted)
        self._state = PackagesState(phase="ready", wanted=self._wanted, packages=found)
        return True

    def _lock_of(self, digest: str) -> Path:
        return self._folder / f"{digest}.lock"

    def _tidy(self) -> None:
        """Remove what broken-off attempts left, and other lists' folders that nobody holds."""
        for path in self._folder.iterdir():
            if not path.is_dir() or (path == self.site and (path / _WHOLE).exists()):
                continue
            if path.name.startswith("new-"):
                shutil.rmtree(path, ignore_errors=True)
                continue
            with open_lock(self._lock_of(path.name)) as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                self._remove(path)

    def _remove(self, path: Path) -> None:
        """Under another name first: broken off, it must not look like one that is there."""
        doomed = Path(tempfile.mkdtemp(prefix="new-", dir=self._folder)) / path.name
        with contextlib.suppress(OSError):
            path.rename(doomed)
        shutil.rmtree(doomed.parent, ignore_errors=True)


def _digest(wanted: Sequence[str], python: str) -> str:
    facts: list[object] = [sorted(wanted), sys.implementation.cache_tag, sysconfig.get_platform()]
    facts += [] if python == sys.executable else [python]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

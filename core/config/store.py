"""The live configuration: one snapshot at a time, and saves that change file and snapshot."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.config import save
from core.config.details import Details, detailed
from core.config.edit import as_role, with_role
from core.config.endpoint_typed import Typed
from core.config.files import file_problem, locked, read_text, replace
from core.config.model import Config
from core.config.parse import parse
from core.errors import ConfigError, Problem

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Snapshot:
    text: str
    config: Config
    changed_at: int  # the file's mtime in ns when it was read, 0 when it is gone


def load(path: Path | str) -> Config:
    """The configuration in a file. Raises ConfigError with all that is wrong with it."""
    return _read(Path(path).absolute(), str(path)).config


def _read(path: Path, source: str) -> _Snapshot:
    changed_at = _changed_at(path)
    text = read_text(path, source)
    return _Snapshot(text, parse(text, source, path=path), changed_at)


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


class ConfigStore:
    """Holds the live snapshot; thread-safe. It changes by `reload`, `refresh` and the saves.

    The constructor raises ConfigError as `load` does.
    """

    def __init__(self, path: Path | str) -> None:
        self._source = str(path)
        self._path = Path(path).absolute()  # a later chdir must not change which file it is
        self._writing = threading.Lock()
        self._snapshot = _read(self._path, self._source)
        self._refused = -1  # mtime of a file that was found wrong

    @property
    def path(self) -> Path:
        """The file, absolute."""
        return self._path

    @property
    def current(self) -> Config:
        """The live configuration: one immutable snapshot, never a mix of two."""
        return self._snapshot.config

    @property
    def warnings(self) -> tuple[str, ...]:
        """The live configuration's warnings."""
        return self._snapshot.config.warnings

    def document(self) -> dict[str, Any]:
        """The live document as plain JSON values, as the file writes it."""
        return save.document_of(self._snapshot.text, self._source)

    def reload(self) -> Config:
        """Take up what the file says now. Raises ConfigError; the old snapshot then stays."""
        with self._writing:
            self._snapshot = _read(self._path, self._source)
            return self._snapshot.config

    def refresh(self) -> Config:
        """The live configuration, after a look whether somebody has edited the file by hand.

        A file that is wrong or gone is logged once and changes nothing.
        """
        if _changed_at(self._path) not in (self._snapshot.changed_at, self._refused):
            try:
                self.reload()
                logger.info("%s was changed and is in force", self._source)
            except ConfigError as error:
                self._refused = _changed_at(self._path)
                logger.error("%s was changed but is not in force: %s", self._source, error)
        return self.current

    def save_role(
        self,
        role: str,
        model: str,
        endpoints: Sequence[str | None],
        *,
        details: Sequence[Details | None] = (),
        strategy: str | None = None,
    ) -> Config:
        """Set a role's model and endpoints in the file, and make the result live.

        None, and a list that is empty or exactly the base URL, are written as null. An endpoint
        that the role already has keeps the form it is written in, but for its `details` (one for
        each endpoint, or none at all; None changes nothing). Raises BadInput for an unknown
        role, ConfigError for bad values (paths `ollama.models.ROLE.model` and `...endpoints[i]`,
        indexes those of `endpoints`) or a file that was broken meanwhile, StorageError if the
        file can't be written; the file and the snapshot are then unchanged.
        """
        name = as_role(role)
        wanted: dict[str, Any] = {"model": model, "endpoints": list(endpoints)}
        if strategy is not None:
            wanted["strategy"] = strategy
        base = self.current.base_url
        pairs = zip(endpoints, details or [None] * len(endpoints), strict=True)
        shown = [url if one is None else detailed(url, one, base) for url, one in pairs]
        typed = Typed(self.current.role(name).endpoints, self._path.parent)
        _check(
            {"ollama": {"models": {name: {**wanted, "endpoints": shown}}}},
            self._path,
            tuple(typed.problems(f"ollama.models.{name}.endpoints", details)),
        )
        wanted["details"] = list(details)
        return self._change(lambda document, config: with_role(document, config, name, wanted))

    def save_document(self, document: Mapping[str, Any]) -> Config:
        """Make the file say `document`, comments kept, and make it live. Raises as `save_role`."""
        _check(document, self._path)
        return self._change(lambda _, __: dict(document))

    def _change(self, edit: Callable[[dict[str, Any], Config], dict[str, Any]]) -> Config:
        with self._writing, locked(self._path):
            disk = self._disk()
            old = save.document_of(disk.text, self._source)
            new = edit(old, disk.config)
            if save.same(old, new):
                self._snapshot = disk
                return disk.config
            text = save.merged(disk.text, new, self._source)
            config = parse(text, self._source, path=self._path)
            replace(self._path, text)
            self._snapshot = _Snapshot(text, config, _changed_at(self._path))
            return config

    def _disk(self) -> _Snapshot:
        """The file as it is now: somebody may have edited it since."""
        try:
            return _read(self._path, self._source)
        except ConfigError as error:
            source = f"Not saved, because {self._source} was changed and is now wrong"
            raise ConfigError(source, error.problems) from error


def _check(document: Mapping[str, Any], path: Path, found: Sequence[Problem] = ()) -> None:
    """Raise ConfigError, without lines, if `document` is no good configuration, or if anything
    was `found` wrong with it before."""
    source = "The new configuration"
    try:
        text = save.dump_plain(document)
    except TypeError as error:
        raise file_problem(source, "this is not a JSON object", "Send one") from error
    try:
        parse(text, source, path=path)
    except ConfigError as error:
        more = [Problem(one.path, 0, one.message, one.mend) for one in error.problems]
        raise ConfigError(source, (*found, *more)) from error
    if found:
        raise ConfigError(source, tuple(found))

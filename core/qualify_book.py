"""What measurements found: the last one of each endpoint and model, in a JSON file."""

from __future__ import annotations

import itertools
import json
import logging
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

import cattrs

from core.endpoints.names import canonical
from core.qualify_reading import Book as _Book
from core.qualify_reading import key_of, read
from core.qualify_result import Qualification
from core.qualify_tasks import tasks

KEPT = 500
# So many faults of a file are told, the others are like them.
TOLD = 3
# So many tasks fewer, or so small a share of the speed, is no chance.
WORSE_BY, SLOWER_THAN = 2, 0.25
LONG = "long text"
_log = logging.getLogger(__name__)


class Book:
    """Keeps them in the file `path`, which other processes may write too. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        found = read(path)
        if found.faults:
            _log.warning(
                "%s holds what is no measurement (%s); measure those endpoints again",
                path,
                "; ".join(found.faults[:TOLD]),
            )
        self._kept = found.book

    def add(self, found: Qualification) -> None:
        """Keep this one, in place of an earlier one of the same endpoint and model. One that could
        not ask anything does not replace one that could: it is noted there."""
        with self._lock:
            disk = read(self._path)
            for key, one in disk.book.items():
                if key not in self._kept or self._kept[key].at <= one.at:
                    self._kept[key] = one
            before = self._kept.get(key_of(found))
            if before is not None and before.asked and not found.asked:
                found = replace(before, note=f"not measured again: {found.note}")
            self._kept[key_of(found)] = found
            _save(self._path, self._kept, aside=bool(disk.faults))

    def of(self, place: str, model: str) -> Qualification | None:
        """The last measurement at the endpoint of this id, None when there was none."""
        with self._lock:
            return self._kept.get((place, canonical(model)))

    def remark(self, place: str, model: str) -> str:
        """What to look at where the endpoint does clearly worse than others with the same model,
        '' where it doesn't."""
        own = self.of(place, model)
        if own is None or not own.asked:
            return ""
        with self._lock:
            others = [
                found
                for (other, name), found in self._kept.items()
                if name == canonical(model) and other != place and found.asked
            ]
        return _answers(own, others) or _forgets(own, others) or _speed(own, others)


def _answers(own: Qualification, others: list[Qualification]) -> str:
    best = max(others, key=lambda one: one.passed / one.asked, default=None)
    if best is None:
        return ""
    lead = best.passed / best.asked - own.passed / own.asked
    if lead * own.asked < WORSE_BY - 0.01:
        return ""
    failed = [name for name in own.failed if name not in best.failed]
    hints = dict.fromkeys(one.hint for one in tasks(0) if one.name in failed)
    told = f"{own.passed} of {own.asked} against {best.passed} of {best.asked}"
    why = f": {', or '.join(hints)}" if hints else ""
    return f"Answers worse than {best.place} with the same model ({told}){why}."


def _forgets(own: Qualification, others: list[Qualification]) -> str:
    for one in others:
        if LONG in own.failed and LONG not in one.failed and one.asked >= own.asked:
            kept = f"Loses the start of a long text that {one.place} keeps"
            return f"{kept}: its context may be cut short."
    return ""


def _speed(own: Qualification, others: list[Qualification]) -> str:
    fast = max(others, key=lambda one: one.tokens_per_s, default=None)
    if fast is None or not 0 < own.tokens_per_s < SLOWER_THAN * fast.tokens_per_s:
        return ""
    return f"Much slower than {fast.place} with the same model."


def _save(path: Path, kept: _Book, *, aside: bool) -> None:
    """`aside`: what stands in the file now is not ours to throw away."""
    latest = sorted(kept.values(), key=lambda one: one.at)[-KEPT:]
    try:
        if aside:
            _log.warning("%s was kept as %s", path, _put_aside(path))
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            json.dump(cattrs.unstructure(latest), file, indent=1)
        Path(file.name).replace(path)
    except OSError as error:
        _log.warning("%s can't be written (%s); the measurement holds until the end", path, error)


def _put_aside(path: Path) -> Path:
    numbers = itertools.count(1)
    free = next(
        place
        for number in numbers
        if not (place := path.with_name(f"{path.name}.{number}")).exists()
    )
    return path.rename(free)

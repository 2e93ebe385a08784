"""What measurements found: the last one of each endpoint and model, in a JSON file."""

from __future__ import annotations

import json
import logging
import tempfile
import threading
from pathlib import Path

import cattrs

from core.endpoints.names import canonical
from core.qualify import Qualification
from core.qualify_tasks import tasks

KEPT = 500
# So many tasks fewer, or so small a share of the speed, is no chance.
WORSE_BY, SLOWER_THAN = 2, 0.25
LONG = "long text"
_Book = dict[tuple[str, str], Qualification]
_log = logging.getLogger(__name__)


class Book:
    """Keeps them in the file `path`, which other processes may write too. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._kept = _load(path)

    def add(self, found: Qualification) -> None:
        """Keep this one, in place of an earlier one of the same endpoint and model."""
        with self._lock:
            for one in (*_load(self._path).values(), found):
                key = _key(one)
                if key not in self._kept or self._kept[key].at <= one.at:
                    self._kept[key] = one
            _save(self._path, self._kept)

    def of(self, url: str, model: str) -> Qualification | None:
        """The last measurement, None when there was none."""
        with self._lock:
            return self._kept.get((url, canonical(model)))

    def remark(self, url: str, model: str) -> str:
        """What to look at where the endpoint does clearly worse than others with the same model,
        '' where it doesn't."""
        own = self.of(url, model)
        if own is None or not own.asked:
            return ""
        with self._lock:
            others = [
                found
                for (place, name), found in self._kept.items()
                if name == canonical(model) and place != url and found.asked
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
    return f"Answers worse than {best.url} with the same model ({told}){why}."


def _forgets(own: Qualification, others: list[Qualification]) -> str:
    for one in others:
        if LONG in own.failed and LONG not in one.failed and one.asked >= own.asked:
            kept = f"Loses the start of a long text that {one.url} keeps"
            return f"{kept}: its context may be cut short."
    return ""


def _speed(own: Qualification, others: list[Qualification]) -> str:
    fast = max(others, key=lambda one: one.tokens_per_s, default=None)
    if fast is None or not 0 < own.tokens_per_s < SLOWER_THAN * fast.tokens_per_s:
        return ""
    return f"Much slower than {fast.url} with the same model."


def _key(found: Qualification) -> tuple[str, str]:
    return found.url, canonical(found.model)


def _load(path: Path) -> _Book:
    try:
        found = cattrs.structure(json.loads(path.read_text("utf-8")), list[Qualification])
    except FileNotFoundError:
        return {}
    except Exception as error:  # whatever is wrong with it: measurements can be made anew
        _log.warning("%s can't be read (%s); endpoints must be measured again", path, error)
        return {}
    return {_key(one): one for one in found}


def _save(path: Path, kept: _Book) -> None:
    latest = sorted(kept.values(), key=lambda one: one.at)[-KEPT:]
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            json.dump(cattrs.unstructure(latest), file, indent=1)
        Path(file.name).replace(path)
    except OSError as error:
        _log.warning("%s can't be written (%s); the measurement holds until the end", path, error)

"""What all finished runs took and saved.

A run's summary follows from the log alone and is made once, when the totals are first asked for
after the run has ended, whichever process carried it out. It can be thrown away and made again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core import savings_tables as tables
from core.errors import StorageError
from core.events import Event, Outcome, RunFinished
from core.log import open_engine, storage_errors
from core.savings import Savings, Use, reckon
from core.state import calls_of

BATCH = 50
# For what is left to sum up, within one look at the totals; the next look goes on.
BUDGET_S = 0.25

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """All finished `runs`; `estimated` of them have an estimate, `passed` of those passed.

    `estimate` and `used` (tokens of the strongest models) are of the estimated runs alone,
    `uses` of all. `one_model`: runs that a single model did. `unsummed`: finished, not in here yet.
    """

    runs: int = 0
    estimated: int = 0
    passed: int = 0
    estimate: int = 0
    used: int = 0
    at_most: bool = False
    one_model: int = 0
    unsummed: int = 0
    uses: tuple[Use, ...] = ()

    @property
    def saved(self) -> int | None:
        """Tokens of the strongest models, maybe below 0; None where no run has an estimate."""
        return self.estimate - self.used if self.estimated else None


class SavingsBook:
    """The summaries in the log's database at `path`, which must be there. Thread-safe."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Make its tables if they are missing; StorageError when that can't be done."""
        self._path = path
        self._clock = clock
        self._summing = threading.Lock()
        self._troubled = False
        with storage_errors(path):
            self._engine = open_engine(path)
            with self._engine.begin() as connection:
                tables.make(connection)

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    def totals(self) -> Totals:
        """The sums over all finished runs; StorageError when they can't be read.

        Sums up what has finished since, for at most about BUDGET_S seconds.
        """
        self._catch_up()
        with storage_errors(self._path), self._engine.connect() as connection:
            uses, sums, finished = tables.sums(connection)
        return Totals(**sums, unsummed=finished - sums["runs"], uses=uses)

    def _catch_up(self) -> None:
        """A disk that is full keeps no reader from the sums that there are."""
        if not self._summing.acquire(blocking=False):
            return  # another reader is at it
        try:
            due = self._clock() + BUDGET_S
            while self._sum_up_batch() == BATCH and self._clock() < due:
                pass
            self._troubled = False
        except StorageError as error:
            if not self._troubled:
                logger.warning("Finished runs are not summed up: %s", error)
            self._troubled = True
        finally:
            self._summing.release()

    def _sum_up_batch(self) -> int:
        """How many runs were summed up, the newest first; 0 when none was left."""
        with storage_errors(self._path):
            with self._engine.connect() as connection:
                left = tables.left(connection, BATCH)
                logs = {run_id: tables.call_events(connection, run_id) for run_id in left}
            if logs:
                with self._engine.begin() as connection:
                    for run_id, events in logs.items():
                        tables.write(connection, run_id, *_summed_up(events))
        return len(logs)


def _summed_up(events: Sequence[Event]) -> tuple[Outcome, Savings]:
    end = events[-1].payload
    assert isinstance(end, RunFinished)
    return end.outcome, reckon(calls_of(events), end.strongest, ended=True)

"""The event log: SQLite in WAL mode, append only, one contiguous sequence per run.

`seq` is taken under the run's own row lock, so a reader that has seen N events has seen 0..N-1.
A subscriber is one integer: it asks for what came after it and waits for more. One hub thread
watches the database for all waiters, so another process's events arrive as well.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

# Not used here, but the first query looks whether it was imported; half imported by another thread
# (which opens DBOS) it would be a fault.
import sqlalchemy.orm  # noqa: F401
from sqlalchemy.engine import Connection, Row

from core.errors import IllegalEvent, RunNotFound, StorageError
from core.events import (
    AFTER_END,
    Event,
    Outcome,
    Payload,
    RunFinished,
    RunStarted,
    VerdictRevised,
    payload_from_dict,
    payload_to_dict,
)

SCHEMA_VERSION = 1
_NO_FILES: Mapping[str, bytes] = MappingProxyType({})
_VERDICTS = (RunFinished.__name__, VerdictRevised.__name__)
HUB_POLL_S = 0.05
HUB_RETRY_S = 1.0

logger = logging.getLogger(__name__)

_metadata = sa.MetaData()
_runs = sa.Table(
    "runs",
    _metadata,
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("created_at", sa.Float, nullable=False, index=True),
    sa.Column("next_seq", sa.Integer, nullable=False),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("open", sa.Boolean, nullable=False),
)
_events = sa.Table(
    "events",
    _metadata,
    sa.Column("run_id", sa.String, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("kind", sa.String, nullable=False),
    sa.Column("key", sa.String),
    sa.Column("body", sa.Text, nullable=False),
    sa.UniqueConstraint("run_id", "key"),
)
# What came with the goals; the first event of a run says what there is.
_files = sa.Table(
    "files",
    _metadata,
    sa.Column("run_id", sa.String, sa.ForeignKey("runs.id"), primary_key=True),
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A line of the history. `outcome` and `finished_at` are None while it is under way."""

    run_id: str
    goal: str
    started_at: float
    outcome: Outcome | None = None
    finished_at: float | None = None
    reason: str = ""
    passed: int = 0
    total: int = 0


def open_engine(path: Path) -> sa.Engine:
    """An engine on the SQLite file `path`, made if missing; every commit reaches the disk."""
    engine = sa.create_engine(
        f"sqlite:///{path}", connect_args={"timeout": 30, "check_same_thread": False}
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    return engine


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what the database says into a StorageError that says what to do."""
    try:
        yield
    except (sa.exc.DatabaseError, OSError) as error:
        raise StorageError(_storage_message(path, error)) from error


def _storage_message(path: Path, error: Exception) -> str:
    text = str(getattr(error, "orig", error))
    if "full" in text or "No space" in text:
        return f"The disk that holds {path} is full. Free some space and try again."
    if "readonly" in text or "unable to open" in text or "Permission" in text:
        return f"Can't write {path} ({text}). Check the folder's permissions or set data_dir."
    if isinstance(error, OSError):
        return f"Can't use {path}: {error.strerror or text}. Check the folder or set data_dir."
    if "locked" in text:
        return f"Another program has held {path} for over 30 s. Close it and try again."
    return f"The database {path} can't be used: {text}. Move it away to start a new one."


class EventLog:
    """Append, read and wait for events. Thread-safe; several processes may share the file."""

    def __init__(self, path: Path, *, now: Callable[[], float] = time.time) -> None:
        """Open or make the database; StorageError when it can't be used."""
        self.path = path
        self._now = now
        self._changed = threading.Condition()
        self._known: dict[str, int] = {}  # run -> how many events it has, as far as we know
        self._waiting: Counter[str] = Counter()
        self._closing = threading.Event()
        self._hub: threading.Thread | None = None
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._engine = open_engine(path)
            self._migrate()

    def _migrate(self) -> None:
        with self._engine.connect() as connection:
            # Two processes may make the same new file: the second waits here for the first.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            if version > SCHEMA_VERSION:
                raise StorageError(
                    f"{self.path} was written by a newer CodeEvolver (format {version}, this one "
                    f"reads up to {SCHEMA_VERSION}). Update the program or set another data_dir."
                )
            _metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version={SCHEMA_VERSION}")
            connection.commit()

    def close(self) -> None:
        """Wake all waiters with what they have and let go of the file."""
        self._closing.set()
        self._tell({})
        if self._hub is not None:
            self._hub.join()
        self._engine.dispose()

    # Writing

    def create(
        self, run_id: str, first: RunStarted, files: Mapping[str, bytes] = _NO_FILES
    ) -> Event:
        """Begin a run, all of it or nothing; its first event has seq 0 and tells of the `files`."""
        at = self._now()
        with storage_errors(self.path), self._engine.begin() as connection:
            connection.execute(
                _runs.insert().values(id=run_id, created_at=at, next_seq=1, epoch=0, open=True)
            )
            event = Event(run_id=run_id, seq=0, at=at, payload=first)
            self._insert(connection, event, key=None)
            for name, data in files.items():
                connection.execute(_files.insert().values(run_id=run_id, name=name, data=data))
        self._tell({run_id: 1})
        return event

    def claim(self, run_id: str) -> int:
        """Become the only writer of the run's work; the number to append with.

        An earlier writer's appends are refused from now on, so a process that was taken for
        dead and wakes up again can't write into the run.
        """
        statement = (
            _runs.update()
            .where(_runs.c.id == run_id)
            .values(epoch=_runs.c.epoch + 1)
            .returning(_runs.c.epoch)
        )
        with storage_errors(self.path), self._engine.begin() as connection:
            epoch = connection.execute(statement).scalar_one_or_none()
        if epoch is None:
            raise RunNotFound(run_id)
        return int(epoch)

    def append(
        self, run_id: str, payload: Payload, *, key: str | None = None, epoch: int | None = None
    ) -> Event | None:
        """Add a fact; None when `key` was used before in this run (a step that ran again).

        Raises IllegalEvent when another writer claimed the run, and after it has finished unless
        the payload is one of AFTER_END.
        """
        at = self._now()
        with storage_errors(self.path), self._engine.connect() as connection:
            seq = self._take_seq(connection, run_id, payload, epoch)
            if key is not None and self._has_key(connection, run_id, key):
                connection.rollback()
                return None
            event = Event(run_id=run_id, seq=seq, at=at, payload=payload)
            self._insert(connection, event, key)
            connection.commit()
        self._tell({run_id: seq + 1})
        return event

    def append_all(
        self, run_id: str, payloads: Sequence[Payload], *, ended: bool, after: int | None = None
    ) -> None:
        """Add facts that belong together, all of them or none.

        Raises IllegalEvent unless the run has finished just when `ended` says so, and unless
        `after` is its last seq, where one is given.
        """
        at = self._now()
        condition = sa.and_(_runs.c.id == run_id, _runs.c.open.is_(not ended))
        if after is not None:
            condition = sa.and_(condition, _runs.c.next_seq == after + 1)
        statement = (
            _runs.update()
            .where(condition)
            .values(next_seq=_runs.c.next_seq + len(payloads))
            .returning(_runs.c.next_seq)
        )
        with storage_errors(self.path), self._engine.begin() as connection:
            next_seq = connection.execute(statement).scalar_one_or_none()
            if next_seq is None:
                raise IllegalEvent("further on by now", type(payloads[0]).__name__)
            for seq, payload in enumerate(payloads, next_seq - len(payloads)):
                event = Event(run_id=run_id, seq=seq, at=at, payload=payload)
                self._insert(connection, event, key=None)
        self._tell({run_id: next_seq})

    def _take_seq(
        self, connection: Connection, run_id: str, payload: Payload, epoch: int | None
    ) -> int:
        # The first statement is the UPDATE, so the write lock is taken before anything is read.
        condition = _runs.c.id == run_id
        if type(payload) not in AFTER_END or epoch is not None:
            condition = sa.and_(condition, _runs.c.open)
        if epoch is not None:
            condition = sa.and_(condition, _runs.c.epoch == epoch)
        statement = (
            _runs.update()
            .where(condition)
            .values(next_seq=_runs.c.next_seq + 1, open=_still_open(payload))
            .returning(_runs.c.next_seq)
        )
        next_seq = connection.execute(statement).scalar_one_or_none()
        if next_seq is not None:
            return int(next_seq) - 1
        row = connection.execute(sa.select(_runs.c.open).where(_runs.c.id == run_id)).first()
        if row is None:
            raise RunNotFound(run_id)
        raise IllegalEvent("taken over" if row.open else "finished", type(payload).__name__)

    def _has_key(self, connection: Connection, run_id: str, key: str) -> bool:
        found = sa.select(_events.c.seq).where(_events.c.run_id == run_id, _events.c.key == key)
        return connection.execute(found).first() is not None

    def _insert(self, connection: Connection, event: Event, key: str | None) -> None:
        body = json.dumps(payload_to_dict(event.payload), ensure_ascii=False)
        connection.execute(
            _events.insert().values(
                run_id=event.run_id,
                seq=event.seq,
                at=event.at,
                kind=event.kind,
                key=key,
                # Lone surrogates (from a model's broken escapes) have no UTF-8 form.
                body=body.encode("utf-8", "replace").decode("utf-8"),
            )
        )

    # Reading

    def since(self, run_id: str, after: int = -1) -> list[Event]:
        """The run's events with seq > `after`, in order; RunNotFound for an unknown run."""
        statement = (
            sa.select(_events)
            .where(_events.c.run_id == run_id, _events.c.seq > after)
            .order_by(_events.c.seq)
        )
        with storage_errors(self.path), self._engine.connect() as connection:
            rows = connection.execute(statement).all()
            if not rows and not self._exists(connection, run_id):
                raise RunNotFound(run_id)
        return [_event(row) for row in rows]

    def files(self, run_id: str) -> dict[str, bytes]:
        """The files that came with the run's goal, by name; empty for an unknown run."""
        statement = sa.select(_files.c.name, _files.c.data).where(_files.c.run_id == run_id)
        with storage_errors(self.path), self._engine.connect() as connection:
            rows = connection.execute(statement.order_by(_files.c.name)).all()
        return {row.name: bytes(row.data) for row in rows}

    def wait(self, run_id: str, after: int, timeout_s: float) -> list[Event]:
        """Like `since`, but waits up to `timeout_s` seconds for the first; [] on timeout."""
        self._start_hub()
        deadline = time.monotonic() + timeout_s
        with self._changed:
            self._waiting[run_id] += 1
        try:
            events = self.since(run_id, after)
            while not events and not self._closing.is_set():
                with self._changed:
                    news = self._changed.wait_for(
                        lambda: self._closing.is_set() or self._known.get(run_id, 0) > after + 1,
                        max(0.0, deadline - time.monotonic()),
                    )
                if not news:
                    break
                events = self.since(run_id, after)
        finally:
            with self._changed:
                self._waiting[run_id] -= 1
                if not self._waiting[run_id]:
                    del self._waiting[run_id]
        return events

    def history(self, limit: int = 50, before: str | None = None) -> tuple[RunSummary, ...]:
        """The newest `limit` runs, newest first; with `before`, those older than that run."""
        ids = sa.select(_runs.c.id).order_by(_runs.c.created_at.desc(), _runs.c.id.desc())
        if before is not None:
            born = sa.select(_runs.c.created_at).where(_runs.c.id == before).scalar_subquery()
            ids = ids.where(_runs.c.created_at < born)
        with storage_errors(self.path), self._engine.connect() as connection:
            wanted = list(connection.execute(ids.limit(limit)).scalars())
            ends = self._ends(connection, wanted)
        return tuple(_summary(ends[run_id]) for run_id in wanted if run_id in ends)

    def outcomes(self) -> dict[str, int]:
        """How many runs ended in each outcome; 'running' counts those under way or waiting."""
        outcome = sa.func.json_extract(_events.c.body, "$.outcome")
        newest = (
            sa.select(_events.c.run_id, sa.func.max(_events.c.seq).label("seq"))
            .where(_events.c.kind.in_(_VERDICTS))
            .group_by(_events.c.run_id)
            .subquery()
        )
        last = sa.and_(_events.c.run_id == newest.c.run_id, _events.c.seq == newest.c.seq)
        ended = sa.select(outcome, sa.func.count()).join(newest, last).group_by(outcome)
        under_way = sa.select(sa.func.count()).where(_runs.c.open)
        with storage_errors(self.path), self._engine.connect() as connection:
            counts = {str(row[0]): int(row[1]) for row in connection.execute(ended)}
            counts["running"] = connection.execute(under_way).scalar_one()
        return counts

    def open_runs(self) -> tuple[str, ...]:
        """The ids of all runs that have not finished, oldest first."""
        statement = sa.select(_runs.c.id).where(_runs.c.open).order_by(_runs.c.created_at)
        with storage_errors(self.path), self._engine.connect() as connection:
            return tuple(connection.execute(statement).scalars())

    def check(self, run_id: str) -> None:
        """RunNotFound if there is no such run; reads none of its events."""
        with storage_errors(self.path), self._engine.connect() as connection:
            if not self._exists(connection, run_id):
                raise RunNotFound(run_id)

    def is_claimed(self, run_id: str) -> bool:
        """Whether any process has begun to carry the run out."""
        statement = sa.select(_runs.c.epoch).where(_runs.c.id == run_id)
        with storage_errors(self.path), self._engine.connect() as connection:
            epoch = connection.execute(statement).scalar_one_or_none()
        if epoch is None:
            raise RunNotFound(run_id)
        return bool(epoch)

    def _ends(self, connection: Connection, run_ids: Sequence[str]) -> dict[str, list[Event]]:
        kinds = (RunStarted.__name__, *_VERDICTS)
        statement = (
            sa.select(_events)
            .where(_events.c.run_id.in_(run_ids), _events.c.kind.in_(kinds))
            .order_by(_events.c.seq)
        )
        ends: dict[str, list[Event]] = {}
        for row in connection.execute(statement):
            ends.setdefault(row.run_id, []).append(_event(row))
        return ends

    def _exists(self, connection: Connection, run_id: str) -> bool:
        found = connection.execute(sa.select(_runs.c.id).where(_runs.c.id == run_id))
        return found.first() is not None

    # Waking

    def _tell(self, counts: Mapping[str, int]) -> None:
        """Wake those who wait for one of these runs to have more events than they have seen."""
        with self._changed:
            for run_id, count in counts.items():
                if count > self._known.get(run_id, 0):
                    self._known[run_id] = count
            self._changed.notify_all()

    def _start_hub(self) -> None:
        with self._changed:
            if self._hub is None and not self._closing.is_set():
                self._hub = threading.Thread(target=self._watch, name="log-hub", daemon=True)
                self._hub.start()

    def _watch(self) -> None:
        """Notice what other processes write; a database that can't be read is tried again."""
        while not self._closing.is_set():
            try:
                with storage_errors(self.path), self._engine.connect() as connection:
                    self._watch_with(connection)
            except StorageError as error:
                logger.error("Events of other processes are not seen: %s", error)
                self._closing.wait(HUB_RETRY_S)

    def _watch_with(self, connection: Connection) -> None:
        seen = None
        while not self._closing.wait(HUB_POLL_S):
            version = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
            if version != seen:
                seen = version
                with self._changed:
                    waited_for = list(self._waiting)
                statement = sa.select(_runs.c.id, _runs.c.next_seq).where(
                    _runs.c.id.in_(waited_for)
                )
                self._tell({row.id: row.next_seq for row in connection.execute(statement)})
            connection.rollback()


def _event(row: Row[Any]) -> Event:
    return Event(
        run_id=row.run_id,
        seq=row.seq,
        at=row.at,
        payload=payload_from_dict(row.kind, json.loads(row.body)),
    )


def _still_open(payload: Payload) -> Any:
    """The new value of a run's `open`."""
    if type(payload) in AFTER_END:
        return _runs.c.open
    return not isinstance(payload, RunFinished)


def _summary(ends: Sequence[Event]) -> RunSummary:
    first, last = ends[0], ends[-1]
    assert isinstance(first.payload, RunStarted)
    summary = RunSummary(run_id=first.run_id, goal=first.payload.goal, started_at=first.at)
    if not isinstance(last.payload, RunFinished | VerdictRevised):
        return summary
    # A revision is no longer run.
    end = next(event for event in ends if isinstance(event.payload, RunFinished))
    return RunSummary(
        run_id=first.run_id,
        goal=first.payload.goal,
        started_at=first.at,
        outcome=last.payload.outcome,
        finished_at=end.at,
        reason=last.payload.reason,
        passed=last.payload.passed,
        total=last.payload.total,
    )

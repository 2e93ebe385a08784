"""The event log: contiguous, idempotent, fenced, shared between processes."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import IllegalEvent, RunNotFound, StorageError
from core.events import (
    CancelRequested,
    RunFinished,
    RunStarted,
    StageStarted,
    TokensArrived,
)
from core.log import EventLog

FIRST = RunStarted(goal="add", config_digest="d", rung="test")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    log = EventLog(tmp_path / "events.db")
    yield log
    log.close()


def test_numbers_each_run_from_zero_without_gaps(log: EventLog) -> None:
    for run_id in ("a", "b"):
        log.create(run_id, FIRST)
        for _ in range(3):
            log.append(run_id, TokensArrived(call="c", text="x"))
    assert [e.seq for e in log.since("a")] == [0, 1, 2, 3]
    assert [e.seq for e in log.since("b", after=1)] == [2, 3]


def test_many_threads_get_contiguous_numbers(log: EventLog) -> None:
    log.create("a", FIRST)

    def write() -> None:
        for _ in range(10):
            log.append("a", TokensArrived(call="c", text="x"))

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [e.seq for e in log.since("a")] == list(range(61))


def test_a_key_counts_once(log: EventLog) -> None:
    log.create("a", FIRST)
    assert log.append("a", StageStarted(stage="code"), key="code") is not None
    assert log.append("a", StageStarted(stage="code"), key="code") is None
    assert [e.seq for e in log.since("a")] == [0, 1]


def test_an_earlier_writer_is_refused(log: EventLog) -> None:
    log.create("a", FIRST)
    old, new = log.claim("a"), log.claim("a")
    with pytest.raises(IllegalEvent, match="taken over"):
        log.append("a", TokensArrived(call="c", text="x"), epoch=old)
    assert log.append("a", TokensArrived(call="c", text="x"), epoch=new) is not None


def test_nothing_follows_the_end(log: EventLog) -> None:
    log.create("a", FIRST)
    log.append("a", RunFinished(outcome="passed", reason="fine", passed=2, total=2))
    with pytest.raises(IllegalEvent, match="finished"):
        log.append("a", CancelRequested())
    (summary,) = log.history()
    assert (summary.outcome, summary.passed, summary.total) == ("passed", 2, 2)


def test_unknown_runs_are_named(log: EventLog) -> None:
    for call in (
        lambda: log.since("nope"),
        lambda: log.claim("nope"),
        lambda: log.append("nope", CancelRequested()),
    ):
        with pytest.raises(RunNotFound, match="nope"):
            call()


def test_waits_for_another_process(log: EventLog) -> None:
    log.create("a", FIRST)
    other = (
        "import sys; from pathlib import Path; from core.log import EventLog\n"
        "from core.events import CancelRequested\n"
        "log = EventLog(Path(sys.argv[1])); log.append('a', CancelRequested()); log.close()"
    )
    process = subprocess.Popen([sys.executable, "-c", other, str(log.path)])
    events = log.wait("a", after=0, timeout_s=20)
    assert process.wait() == 0
    assert [e.kind for e in events] == ["CancelRequested"]


def test_wait_gives_up_at_its_timeout(log: EventLog) -> None:
    log.create("a", FIRST)
    assert log.wait("a", after=0, timeout_s=0.01) == []


def test_history_is_newest_first_and_pages(tmp_path: Path) -> None:
    clock = iter(range(1000))
    log = EventLog(tmp_path / "events.db", now=lambda: float(next(clock)))
    for number in range(5):
        log.create(f"r{number}", FIRST)
    first = log.history(limit=2)
    assert [run.run_id for run in first] == ["r4", "r3"]
    assert [run.run_id for run in log.history(limit=9, before="r3")] == ["r2", "r1", "r0"]
    log.close()


def test_keeps_text_that_has_no_utf8_form(log: EventLog) -> None:
    log.create("a", FIRST)
    log.append("a", TokensArrived(call="c", text="a\ud800b\x00é"))
    (event,) = log.since("a", after=0)
    assert isinstance(event.payload, TokensArrived)
    assert event.payload.text == "a?b\x00é"


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    path.write_bytes(b"this is not a database, " * 100)
    with pytest.raises(StorageError, match="Move it away"):
        EventLog(path)
    assert path.read_bytes().startswith(b"this is not")


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events.db")
    with log._engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA user_version=99")
    log.close()
    with pytest.raises(StorageError, match="newer CodeEvolver"):
        EventLog(tmp_path / "events.db")


def test_a_full_disk_says_so(log: EventLog) -> None:
    log.create("a", FIRST)
    with log._engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    log._engine.dispose()
    # Each connection gets a ceiling just above what is used: SQLite then reports a full disk.
    import sqlalchemy as sa

    @sa.event.listens_for(log._engine, "connect")
    def limit(connection: object, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages + 1}")  # type: ignore[attr-defined]

    def fill() -> None:
        for _ in range(50):
            log.append("a", TokensArrived(call="c", text="x" * 4000))

    with pytest.raises(StorageError, match=r"is full\. Free some space"):
        fill()

"""Savings over all runs: summed once, whatever ended a run and whoever looks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
import run_scripts
import sqlalchemy as sa
from fake_ollama import FakeOllama, Reply
from play import BROKEN, GOOD, Play, carry_out, fenced, services

from core import events as ev
from core import savings_book, savings_tables
from core.log import EventLog
from core.savings import Savings, of_run
from core.savings_book import SavingsBook, Totals
from core.state import fold

STRONG = "qwen2.5-coder:14b"


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    log = EventLog(tmp_path / "events.db")
    yield log
    log.close()


@pytest.fixture
def book(log: EventLog) -> Iterator[SavingsBook]:
    book = SavingsBook(log.path)
    yield book
    book.close()


def write(log: EventLog, run_id: str, name: str = "passed", strongest: str = STRONG) -> None:
    """A scripted run that noted its strongest model."""
    script = run_scripts.RUNS[name]()
    run_scripts.write(
        log,
        run_id,
        (replace(p, strongest=strongest) if isinstance(p, ev.RunFinished) else p for p in script),
    )


def folded(log: EventLog, run_id: str) -> Savings:
    return of_run(fold(log.since(run_id)))


def test_nothing_yet(book: SavingsBook) -> None:
    assert book.totals() == Totals()
    assert book.totals().saved is None


@pytest.mark.parametrize("name", run_scripts.RUNS)
def test_a_summary_is_what_the_whole_log_says(log: EventLog, book: SavingsBook, name: str) -> None:
    write(log, "r1", name)
    found, totals = folded(log, "r1"), book.totals()
    assert totals.runs == 1
    assert totals.saved == found.saved
    assert set(totals.uses) == set(found.uses)


def test_runs_add_up_and_only_finished_ones(log: EventLog, book: SavingsBook) -> None:
    names = list(run_scripts.RUNS)
    for name in names:
        write(log, name, name)
    run_scripts.write(log, "open", run_scripts.drafted())
    each = [folded(log, name) for name in names]
    totals = book.totals()
    assert (totals.runs, totals.unsummed) == (len(names), 0)
    assert totals.saved == sum(one.saved or 0 for one in each)
    assert totals.estimated == sum(one.estimate is not None for one in each)
    assert sum(use.tokens for use in totals.uses) == sum(
        use.tokens for one in each for use in one.uses
    )
    assert totals.passed == 2


def test_looking_twice_or_from_elsewhere_doubles_nothing(log: EventLog, book: SavingsBook) -> None:
    write(log, "r1")
    first = book.totals()
    again = SavingsBook(log.path)
    assert book.totals() == first == again.totals()
    again.close()


def test_two_readers_that_sum_up_the_same_run_at_once(log: EventLog, book: SavingsBook) -> None:
    write(log, "r1")
    totals = book.totals()
    with book._engine.begin() as connection:
        found = folded(log, "r1")
        savings_tables.write(connection, "r1", "passed", found)
    assert book.totals() == totals


def test_a_half_finished_run_is_counted_when_it_has_ended(log: EventLog, book: SavingsBook) -> None:
    payloads = list(run_scripts.resumed_run())
    run_scripts.write(log, "r1", payloads[:-1])
    assert book.totals().runs == 0
    log.append("r1", replace(payloads[-1], strongest=STRONG))
    totals = book.totals()
    assert totals.runs == 1
    # What was being written as the process ended: a request whose tokens nobody knows.
    assert sum(use.uncounted for use in totals.uses) == 1


def test_many_old_runs_are_summed_up_bit_by_bit(
    log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(savings_book, "BATCH", 2)
    for number in range(5):
        write(log, f"r{number}")
    ticks = count(0, 1)
    book = SavingsBook(log.path, clock=lambda: float(next(ticks)))
    assert [(t.runs, t.unsummed) for t in (book.totals(), book.totals(), book.totals())] == [
        (2, 3),
        (4, 1),
        (5, 0),
    ]
    book.close()


def test_another_rule_makes_the_summaries_again(
    log: EventLog, book: SavingsBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(log, "r1")
    totals = book.totals()
    with book._engine.begin() as connection:
        connection.execute(sa.text("UPDATE savings SET estimate = 1, used = 99999"))
    assert book.totals() != totals
    monkeypatch.setattr(savings_tables, "RULE", 2)
    again = SavingsBook(log.path)
    assert again.totals() == totals
    again.close()


def test_a_disk_that_is_full_keeps_nobody_from_reading(
    log: EventLog, book: SavingsBook, caplog: pytest.LogCaptureFixture
) -> None:
    write(log, "r1")
    book._engine.dispose()

    @sa.event.listens_for(book._engine, "connect")
    def refuse(connection: object, _record: object) -> None:
        connection.execute("PRAGMA query_only=1")  # type: ignore[attr-defined]

    for _ in range(2):
        assert (book.totals().runs, book.totals().unsummed) == (0, 1)
    assert caplog.text.count("Finished runs are not summed up") == 1


def test_the_engine_notes_what_its_models_took(
    tmp_path: Path, play: Play, server: FakeOllama
) -> None:
    play.code = fenced(BROKEN)
    with services(tmp_path, server) as opened:
        state = carry_out(opened, "add 1 plus 1 gives 2")
        found, totals = of_run(state), opened.savings.totals()
        assert carry_out(opened, "add 1 plus 1 gives 2").outcome == "passed"
        both = opened.savings.totals()
    assert state.finished is not None
    assert state.finished.strongest == STRONG
    assert found.strongest == (STRONG,)
    assert {use.model: use.strong for use in found.uses} == {
        "llama3": False,
        "codellama": False,
        "tinyllama": False,
        STRONG: True,
    }
    by_purpose = {c.purpose: c.tokens_in + c.tokens_out for c in state.calls}
    mends = by_purpose.pop("escalate")
    assert found.saved == sum(by_purpose.values()) - mends
    assert (totals.runs, totals.saved) == (1, found.saved)
    assert both.runs == 2
    # After a restart it is all still there, and there once.
    with services(tmp_path, server) as opened:
        assert opened.savings.totals() == both


def test_a_run_without_escalation_still_knows_the_strongest(
    tmp_path: Path, play: Play, server: FakeOllama
) -> None:
    with services(tmp_path, server) as opened:
        found = of_run(carry_out(opened, "add 1 plus 1 gives 2"))
    assert (found.strongest, found.used) == ((STRONG,), 0)
    assert found.estimate == found.saved == sum(use.tokens for use in found.uses)


def test_an_endpoint_that_does_not_count_prompts(
    tmp_path: Path, play: Play, server: FakeOllama
) -> None:
    play.code = Reply(text=fenced(GOOD), tokens_in=0)
    with services(tmp_path, server) as opened:
        found = of_run(carry_out(opened, "add 1 plus 1 gives 2"))
        totals = opened.savings.totals()
    assert (found.why, found.saved) == ("tokens_unknown", None)
    assert (totals.runs, totals.estimated, totals.saved) == (1, 0, None)

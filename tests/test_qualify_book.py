"""The file of measurements: the newest kept, bad serving unmasked, odd content told, not lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_qualify import MODEL, found

from core.qualify_book import Book


def test_a_bad_one_among_good_ones_is_unmasked(tmp_path: Path) -> None:
    book = Book(tmp_path / "q.json")
    book.add(found("http://good"))
    book.add(found("http://bad", passed=3, failed=("one word", "JSON", "long text")))
    book.add(found("http://cut", passed=5, failed=("long text",)))
    book.add(found("http://slow", tokens_per_s=3.0))
    book.add(found("http://other", model="tiny", passed=1, failed=("JSON",)))
    assert "(3 of 6 against 6 of 6): its prompt template" in book.remark("http://bad", MODEL)
    assert "context may be cut short" in book.remark("http://bad", MODEL)
    assert "Loses the start of a long text" in book.remark("http://cut", f"{MODEL}:latest")
    assert "Much slower than http://" in book.remark("http://slow", MODEL)
    assert [book.remark(url, MODEL) for url in ("http://good", "http://new")] == ["", ""]
    assert book.remark("http://other", "tiny") == ""


def test_measurements_are_kept_and_the_newest_counts(tmp_path: Path) -> None:
    path = tmp_path / "q.json"
    one, other = Book(path), Book(path)
    one.add(found("http://a", at=1.0))
    other.add(found("http://a", at=5.0))
    one.add(found("http://b"))
    kept = Book(path).of("http://a", MODEL)
    assert kept is not None
    assert kept.at == 5.0
    path.write_text("{broken")
    assert Book(path).of("http://a", MODEL) is None


def test_what_could_not_be_asked_does_not_replace_a_measurement(tmp_path: Path) -> None:
    book = Book(tmp_path / "q.json")
    book.add(found("http://a"))
    book.add(found("http://a", at=2000.0, asked=0, passed=0, note="it was full"))
    kept = book.of("http://a", MODEL)
    assert kept is not None
    assert (kept.asked, kept.at, kept.note) == (6, 1000.0, "not measured again: it was full")


GOOD: dict[str, Any] = {
    "url": "http://good",
    "model": MODEL,
    "at": 5.0,
    "passed": 6,
    "asked": 6,
    "failed": [],
    "first_token_s": 0.1,
    "tokens_per_s": 9.0,
    "seconds": 4.0,
}


@pytest.mark.parametrize(
    "odd",
    [
        {"model": "<b>x y</b>"},
        {"model": None},
        {"model": "m" * 300},
        {"url": "javascript:x"},
        {"at": float("nan")},
        {"passed": 7},
        {"tokens_per_s": "fast"},
        {"failed": "one"},
        {"note": ["x"]},
    ],
)
def test_what_is_no_measurement_is_told_and_nothing_is_lost(
    tmp_path: Path, odd: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "q.json"
    text = json.dumps([GOOD, GOOD | {"url": "http://odd"} | odd, "nothing"])
    path.write_text(text)
    book = Book(path)
    assert book.of("http://good", MODEL) is not None
    assert "entry 2: " in caplog.text
    assert "entry 3: " in caplog.text
    book.add(found("http://new"))
    assert (tmp_path / "q.json.1").read_text() == text
    assert {one["url"] for one in json.loads(path.read_text())} == {"http://good", "http://new"}


@pytest.mark.parametrize("text", ["{broken", "5", "{}", "[" * 100_000, "\x00\xff"])
def test_a_file_of_something_else_is_kept_beside_the_new_one(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "q.json"
    path.write_bytes(text.encode("latin-1"))
    Book(path).add(found("http://a"))
    assert str(path) in caplog.text
    assert (tmp_path / "q.json.1").read_bytes() == text.encode("latin-1")
    assert Book(path).of("http://a", MODEL) is not None

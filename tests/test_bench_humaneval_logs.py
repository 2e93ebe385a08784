"""Logs that HumanEval's bench keeps: what they hold is not asked again."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_ollama import FakeOllama
from play import asked
from test_bench_humaneval import REPLIES, TASK, config_for, script

from bench import humaneval, humaneval_records
from bench.humaneval_records import Record
from bench.humaneval_tasks import TaskSet


@pytest.fixture(autouse=True)
def one_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(humaneval, "load", lambda _: TaskSet(name="HumanEval", tasks=(TASK,)))


def bench(folder: Path, server: FakeOllama, name: str) -> Record:
    config, out = config_for(folder, server.url), folder / f"{name}.jsonl"
    options = ["--arm", "ours", "--config", str(config), "--logs", str(folder / "logs")]
    assert humaneval.main([*options, "--out", str(out)]) == 0
    (record,) = humaneval_records.read([out])
    return record


def prompts(server: FakeOllama) -> list[str]:
    return [one for one in map(asked, server.chats) if "Answer with" not in one]


def test_what_the_logs_hold_is_given_again(tmp_path: Path) -> None:
    with FakeOllama(script=script) as server:
        first = bench(tmp_path, server, "first")
        assert prompts(server)
    with FakeOllama(script=lambda _: "never asked") as other:
        again = bench(tmp_path, other, "again")
        assert prompts(other) == []
    assert first.right
    assert again.answer == first.answer
    assert again.setting == first.setting


def test_only_what_is_new_is_asked(tmp_path: Path) -> None:
    with FakeOllama(script=script) as server:
        bench(tmp_path, server, "first")
    last = next(mark for mark in REPLIES if mark.startswith("Rate"))
    kept = next((tmp_path / "logs").glob("*.db"))
    assert kept.stat().st_size
    with FakeOllama(script=script) as server:
        config = config_for(tmp_path, server.url)
        config.write_text(config.read_text().replace("tinyllama", "llama3"))
        options = ["--arm", "ours", "--config", str(config), "--logs", str(tmp_path / "logs")]
        assert humaneval.main([*options, "--out", str(tmp_path / "other.jsonl")]) == 0
        asked_now = prompts(server)
    assert [one for one in asked_now if last in one or "Does this code do" in one] == asked_now
    assert asked_now


def test_a_file_that_is_no_log_is_told(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "x.db").write_text("nothing of the kind" * 100)
    with FakeOllama(script=script) as server:
        config = config_for(tmp_path, server.url)
        options = ["--arm", "ours", "--config", str(config), "--logs", str(tmp_path / "logs")]
        assert humaneval.main([*options, "--out", str(tmp_path / "r.jsonl")]) == 2

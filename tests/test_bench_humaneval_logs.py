"""Logs that HumanEval's bench keeps: what they hold is not asked again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from fake_ollama import FakeOllama
from play import asked
from test_bench_humaneval import TASK, config_for, script

from bench import humaneval, humaneval_records
from bench.humaneval_arms import ARMS
from bench.humaneval_heard import Question, heard
from bench.humaneval_logs import kept, replies
from bench.humaneval_records import Record
from bench.humaneval_report import report
from bench.humaneval_services import bench_services
from bench.humaneval_tasks import BenchError, TaskSet
from core.events import (
    ROLES,
    Event,
    Payload,
    PromptWritten,
    ReplyReceived,
    RequestSent,
    Role,
    RunStarted,
    TokensArrived,
)
from core.log import EventLog


@pytest.fixture(autouse=True)
def one_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(humaneval, "load", lambda _: TaskSet(name="HumanEval", tasks=(TASK,)))


def bench(folder: Path, server: FakeOllama, name: str, triage: str = "tinyllama") -> Record:
    config, out = config_for(folder, server.url), folder / f"{name}.jsonl"
    config.write_text(config.read_text().replace("tinyllama", triage))
    options = ["--arm", "ours", "--config", str(config), "--logs", str(folder / "logs")]
    assert humaneval.main([*options, "--out", str(out)]) == 0
    (record,) = humaneval_records.read([out])
    return record


def prompts(server: FakeOllama) -> list[str]:
    return [one for one in map(asked, server.chats) if not one.startswith("Answer with")]


def test_what_the_logs_hold_is_given_again(tmp_path: Path) -> None:
    with FakeOllama(script=script) as server:
        first = bench(tmp_path, server, "first")
        assert len(prompts(server)) == first.answer.calls
    with FakeOllama(script=lambda _: "never asked") as other:
        again = bench(tmp_path, other, "again")
        assert prompts(other) == []
    assert first.right
    assert again.answer == first.answer
    assert (first.given_again, again.given_again) == (0, first.answer.calls)
    known = replies(tmp_path / "logs")
    assert again.seconds > sum(reply.seconds for reply in known.values())
    assert "given again: in 1 of 1 tasks" in report([again])
    assert "given again: in" not in report([first])


def test_another_model_is_asked_all_the_same(tmp_path: Path) -> None:
    with FakeOllama(script=script) as server:
        bench(tmp_path, server, "first")
    with FakeOllama(script=script) as server:
        bench(tmp_path, server, "other", triage="llama3")
        of_triage = [one for one in prompts(server) if one.startswith("GOAL")]
        assert prompts(server) == of_triage
        assert of_triage


def call(
    name: str, text: str, *, prompt: str = "p", begin: str = "", sent: int = 1
) -> list[Payload]:
    return [
        PromptWritten(call=name, role="generator", purpose="code", text=prompt, begin=begin),
        RequestSent(
            call=name,
            role="generator",
            model="m",
            endpoint="http://e",
            characters=sent,
            prompt_tokens_estimated=1,
            context_size=0,
        ),
        *[TokensArrived(call=name, text=one) for one in text],
        ReplyReceived(
            call=name,
            tokens_in=3,
            tokens_out=2,
            first_token_s=0.5,
            seconds=2.0,
            finish_reason="stop",
        ),
    ]


def events(*payloads: Payload) -> list[Event]:
    return [Event(run_id="r", seq=seq, at=0.0, payload=one) for seq, one in enumerate(payloads)]


def question(step: str = "code", prompt: str = "p", begin: str = "") -> Question:
    return Question(step, "generator", "m", prompt, begin)


def test_only_whole_replies_are_heard_and_of_several_the_first() -> None:
    broken = call("code.1.1", "ab")[:-1]
    found = heard(events(*broken, *call("code.1.2", "cd"), *call("code.2.1", "ef")))
    assert {key: reply.text for key, reply in found.items()} == {question(): "cd"}


def test_a_failover_leaves_nothing_of_the_first_server() -> None:
    prompt, sent, token, *_ = call("code.1.1", "a")
    found = heard(events(prompt, sent, token, *call("code.1.1", "b")[1:]))
    assert found[question()].text == "b"


def test_steps_are_told_apart_that_ask_in_the_same_words() -> None:
    found = heard(events(*call("code-draft-d1.1.1", "a"), *call("code-draft-d3.1.1", "b")))
    assert {key.step: reply.text for key, reply in found.items()} == {
        "code-draft-d1": "a",
        "code-draft-d3": "b",
    }


@pytest.mark.parametrize(
    ("sent", "begun", "text"), [(3, "def", " f"), (1, "", "def f")], ids=["goes on", "begins anew"]
)
def test_a_reply_is_begun_where_the_server_was_sent_its_beginning(
    sent: int, begun: str, text: str
) -> None:
    found = heard(events(*call("code.1.1", "def f", begin="def", sent=sent)))
    reply = found[question(begin="def")]
    assert (reply.begun, reply.text) == (begun, text)


@contextmanager
def log_with(path: Path, *texts: str) -> Iterator[EventLog]:
    """A log with a run for each text, which a model gave for the same question."""
    with closing(EventLog(path)) as log:
        for number, text in enumerate(texts):
            run_id = f"{path.stem}{number}"
            log.create(run_id, RunStarted(goal="g", config_digest="", rung=""))
            for payload in call("code.1.1", text):
                log.append(run_id, payload)
        yield log


def test_of_several_logs_the_first_reply_is_given(tmp_path: Path) -> None:
    with log_with(tmp_path / "1.db", "ab", "cd"), log_with(tmp_path / "2.db", "ef"):
        assert replies(tmp_path)[question()].text == "ab"


def test_a_file_that_is_no_log_is_told_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_text("nothing of the kind" * 100)
    with pytest.raises(BenchError, match=r"x\.db is no log of runs"):
        replies(tmp_path)
    path.unlink()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE mine (x)")
    before = path.read_bytes()
    with pytest.raises(BenchError, match=r"x\.db is no log of runs .* Take it away"):
        replies(tmp_path)
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file")
    with FakeOllama(script=script) as server:
        config = config_for(tmp_path, server.url)
        with (
            bench_services(config, strongest_alone=False) as services,
            pytest.raises(BenchError, match=r"--logs .*logs can't be used"),
            kept(tmp_path / "logs", services, {}),
        ):
            pass


def break_off(config: Path, folder: Path) -> None:
    """A bench that is stopped after a run, before its log was kept."""
    models: dict[Role, str] = dict.fromkeys(ROLES, "codellama") | {
        "escalation": "llama3",
        "triage": "tinyllama",
    }
    with (
        bench_services(config, strongest_alone=False) as services,
        kept(folder, services, models),
    ):
        ARMS["ours"](services, TASK.goal)
        raise KeyboardInterrupt


def test_what_breaks_the_bench_off_leaves_the_replies_so_far(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    with FakeOllama(script=script) as server, pytest.raises(KeyboardInterrupt):
        break_off(config_for(tmp_path, server.url), folder)
    assert replies(folder)
    assert not list(folder.glob("*.part"))
    (folder / "half.part").write_bytes(b"killed while it was written")
    assert replies(folder)

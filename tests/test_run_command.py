"""run.py as a user starts it: serve, be killed, go on; generate; check; refuse."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from fake_ollama import FakeOllama, Reply
from play import BROKEN, GOOD, Play, fenced, write_config

ROOT = Path(__file__).resolve().parent.parent
RUN = [sys.executable, str(ROOT / "run.py")]


@contextmanager
def started(config: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The server and its address; killed outright at the end if it still runs."""
    process = subprocess.Popen(
        [*RUN, "--config", str(config), "--port", "0", *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, f"no address in {line!r}"
        yield process, found.group()
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def eventually(check: Callable[[], Any], timeout_s: float = 30.0) -> Any:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = check()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"not within {timeout_s} s")


def state_of(url: str, run_id: str) -> dict[str, Any]:
    state: dict[str, Any] = requests.get(f"{url}/api/runs/{run_id}", timeout=10).json()
    return state


def test_a_killed_run_goes_on_after_its_last_finished_step(
    tmp_path: Path, play: Play, server: FakeOllama
) -> None:
    config = write_config(tmp_path, server)
    play.code = [Reply(text=fenced(GOOD), hang="middle"), fenced(GOOD)]
    with started(config) as (process, url):
        created = requests.post(f"{url}/api/runs", json={"goal": "add two numbers"}, timeout=20)
        assert created.status_code == 201
        run_id = created.json()["id"]
        server.wait(lambda: {"code", "tests"} <= set(play.asked), 20)
        # The part beside the code has its own steps; let it end, so that it must not be repeated.
        eventually(
            lambda: any(
                call["purpose"] == "tests" and call["status"] == "done"
                for call in state_of(url, run_id)["calls"]
            )
        )
        process.send_signal(signal.SIGKILL)
        process.wait()
        eventually(lambda: not answers(url))
    with started(config) as (_, url):
        state = eventually(lambda: s if (s := state_of(url, run_id))["outcome"] else None)
        events = requests.get(f"{url}/api/runs/{run_id}/events", timeout=10).text.splitlines()
    assert state["outcome"] == "passed"
    assert play.asked.count("strategy") == 1
    assert play.asked.count("tests") == 1
    assert play.asked.count("code") == 2
    kinds = [json.loads(line)["kind"] for line in events]
    assert [json.loads(line)["seq"] for line in events] == list(range(len(events)))
    assert kinds.count("RunResumed") == 1
    for once in ("StrategyWritten", "TestsWritten", "CandidateWritten", "RunFinished"):
        assert kinds.count(once) == 1


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=2).ok
    except requests.ConnectionError:
        return False


def test_a_stopped_server_leaves_its_run_for_the_next_start(
    tmp_path: Path, play: Play, server: FakeOllama
) -> None:
    config = write_config(tmp_path, server)
    play.code = [Reply(text=fenced(GOOD), hang="middle"), fenced(GOOD)]
    with started(config) as (process, url):
        run_id = requests.post(
            f"{url}/api/runs", json={"goal": "add two numbers"}, timeout=20
        ).json()["id"]
        server.wait(lambda: "code" in play.asked, 20)
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    with started(config) as (_, url):
        state = eventually(lambda: s if (s := state_of(url, run_id))["outcome"] else None)
    assert state["outcome"] == "passed"


def test_a_port_in_use_is_named(tmp_path: Path, server: FakeOllama) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run("--config", str(write_config(tmp_path, server)), "--port", str(port))
    assert result.returncode == 2
    assert f"Can't listen on 127.0.0.1:{port}" in result.stderr
    assert "Traceback" not in result.stderr


def test_two_servers_on_one_data_folder_are_refused(tmp_path: Path, server: FakeOllama) -> None:
    config = write_config(tmp_path, server)
    with started(config) as (_, url):
        eventually(lambda: answers(url))
        result = run("--config", str(config), "--port", "0")
    assert result.returncode != 0
    assert "already serves" in result.stderr


def test_a_bad_config_is_an_error_at_start(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("ollama:\n  modles: {}\n")
    result = run("--config", str(config))
    assert result.returncode == 2
    assert "ollama.modles" in result.stderr
    assert "line 2" in result.stderr
    assert "models" in result.stderr


@pytest.mark.parametrize("kind", ["missing", "list", "binary"])
def test_a_config_that_is_no_config_says_so(tmp_path: Path, kind: str) -> None:
    config = tmp_path / "config.yaml"
    if kind == "list":
        config.write_text("- a\n- b\n")
    if kind == "binary":
        config.write_bytes(b"\xff\xfe\x00\x01")
    result = run("--config", str(config), "check")
    assert result.returncode == 2
    assert str(config) in result.stderr
    assert "Traceback" not in result.stderr


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RUN, *arguments], capture_output=True, text=True, timeout=60, env=dict(os.environ)
    )


def test_generate_prints_the_run_and_exits_with_its_outcome(
    tmp_path: Path, play: Play, server: FakeOllama
) -> None:
    config = str(write_config(tmp_path, server))
    play.code = fenced(BROKEN)
    result = run("generate", "add 1 plus 1", "--config", config)
    assert result.returncode == 0, result.stderr
    assert "Escalation attempt 1/3 using qwen2.5-coder:14b..." in result.stdout
    assert "return a + b" in result.stdout
    assert "✓ passed" in result.stdout
    assert re.search(r"qwen2.5-coder:14b: [\d,]+ read, .*the strongest\)", result.stdout)
    assert re.search(r"(Saved|Used) about|(Saved|Used) [\d,]+ tokens", result.stdout)
    assert f"Generating with model 'codellama' at {server.url}..." in result.stderr
    assert re.search(r"✓ Generated \d+ characters from http://", result.stderr)
    play.escalate = fenced(BROKEN)
    assert run("generate", "add 1 plus 1", "--config", config).returncode == 1


def test_generate_json_is_the_log(tmp_path: Path, server: FakeOllama) -> None:
    config = str(write_config(tmp_path, server))
    result = run("generate", "--json", "add 1 plus 1", "--config", config)
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert (events[0]["kind"], events[-1]["kind"]) == ("RunStarted", "RunFinished")


def test_generate_without_anybody_to_ask_exits_with_3(tmp_path: Path, play: Play) -> None:
    with FakeOllama(script=play) as dead:
        pass
    result = run("generate", "add 1 plus 1", "--config", str(write_config(tmp_path, dead)))
    assert result.returncode == 3
    assert dead.url in result.stdout


@pytest.mark.parametrize("arguments", [["generate"], ["dance"], ["generate", " "]])
def test_bad_usage_exits_with_2(tmp_path: Path, server: FakeOllama, arguments: list[str]) -> None:
    assert run("--config", str(write_config(tmp_path, server)), *arguments).returncode == 2


def test_check_names_what_is_missing(tmp_path: Path, server: FakeOllama) -> None:
    server.models.remove("tinyllama")
    result = run("check", "--config", str(write_config(tmp_path, server)))
    assert "ollama pull tinyllama" in result.stdout
    assert "Sandbox: rung" in result.stdout
    assert result.returncode == 3


def test_the_page_does_not_wait_for_endpoints_that_say_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        config = tmp_path / "config.yaml"
        config.write_text(
            f'ollama: {{base_url: "http://127.0.0.1:{silent.getsockname()[1]}", '
            "models: {generator: codellama}}\n"
            f'embedded: off\ndata_dir: "{tmp_path}/data"\ntimeouts: {{first_byte_s: 3600}}\n'
        )
        with started(config) as (_, url):
            page = eventually(lambda: page_of(url))
            # The endpoint has been asked and holds its answer back; the page is there all the same.
            silent.settimeout(20)
            asked, _ = silent.accept()
            with asked:
                assert asked.recv(4096)
                assert "<textarea" in page_of(url)
    assert "<textarea" in page


def page_of(url: str) -> str:
    try:
        return requests.get(url, timeout=10).text
    except requests.ConnectionError:
        return ""


def test_a_server_takes_up_what_a_killed_terminal_left(
    tmp_path: Path, play: Play, server: FakeOllama
) -> None:
    config = write_config(tmp_path, server)
    play.code = [Reply(text=fenced(GOOD), hang="middle"), fenced(GOOD)]
    with subprocess.Popen(
        [*RUN, "generate", "--json", "add two numbers", "--config", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as terminal:
        assert terminal.stdout is not None
        run_id = json.loads(terminal.stdout.readline())["run_id"]
        server.wait(lambda: "code" in play.asked, 20)
        # While its terminal lives, a server leaves the run alone.
        with started(config) as (_, url):
            eventually(lambda: answers(url))
            assert state_of(url, run_id)["outcome"] is None
        terminal.kill()
    with started(config) as (_, url):
        state = eventually(lambda: s if (s := state_of(url, run_id))["outcome"] else None)
    assert state["outcome"] == "passed"
    assert play.asked.count("strategy") == 1


def test_two_terminals_may_start_on_a_fresh_folder_at_once(
    tmp_path: Path, server: FakeOllama
) -> None:
    config = write_config(tmp_path, server)
    both = [
        subprocess.Popen([*RUN, "generate", "add", "--config", str(config)], **QUIET)  # type: ignore[call-overload]
        for _ in range(2)
    ]
    assert [process.wait(60) for process in both] == [0, 0]


QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def test_a_port_that_is_none_is_bad_usage(tmp_path: Path, server: FakeOllama) -> None:
    result = run("--config", str(write_config(tmp_path, server)), "--port", "99999")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr

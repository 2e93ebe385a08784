"""The main job on real services: a fake model server, the real sandbox, the real durable layer."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fake_ollama import FakeOllama, Reply
from play import BROKEN, GOOD, WRONG, Play, asked, carry_out, fenced, follow, services

from core.durable import Durable
from core.endpoints import Client, Request
from core.errors import StorageError
from core.events import Role, RunStarted
from core.services import Services
from core.state import RunState


@pytest.fixture
def opened(tmp_path: Path, server: FakeOllama) -> Iterator[Services]:
    with services(tmp_path, server) as open_ones:
        yield open_ones


def results(state: RunState, attempt: int) -> list[str]:
    execution = state.candidates[attempt].execution
    assert execution is not None
    return [case.result for case in execution.cases]


def test_a_right_first_candidate_passes(opened: Services, play: Play) -> None:
    state = carry_out(opened, "add two numbers, add(1, 1) == 2")
    assert state.outcome == "passed", state.finished
    assert state.code == GOOD
    assert [case.origin for case in state.cases] == ["yours", "generated", "generated"]
    assert results(state, 0) == ["passed"] * 3
    assert state.finished is not None
    assert state.finished.reason == "Passes all 3 cases: 1 of your own, 2 generated."
    assert sorted(play.asked) == ["code", "evaluate", "strategy", "tests", "triage"]
    assert {call.status for call in state.calls} == {"done"}
    assert [stage.stage for stage in state.stages if stage.seconds is None] == []
    assert state.score is not None
    assert [score.value for score in state.score.scores] == [9, 8, 7]


def test_what_is_wanted_is_not_taken_from_a_library(opened: Services, play: Play) -> None:
    """A reply that only calls the function would pass as the library's, and define nothing."""
    play.strategy = "SIGNATURE: def gcd(a, b):\n"
    play.code = play.escalate = fenced("print(gcd(12, 18))\n")
    play.tests = "```python\nassert gcd(4, 6) == 2\n```"
    state = carry_out(opened, "greatest divisor of two numbers, gcd(12, 18) == 6")
    assert state.candidates[0].code == "print(gcd(12, 18))\n"
    assert state.outcome == "failed"


def test_after_a_start_that_failed_the_next_one_works(tmp_path: Path, server: FakeOllama) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "runs.sqlite").write_text("not a database")
    with pytest.raises(StorageError):
        Durable(
            tmp_path / "data" / "runs.sqlite",
            executor_id="e",
            parallel_runs=1,
            body=lambda run, steps: None,
            part=lambda run, name, steps: None,
        )
    shutil.rmtree(tmp_path / "data")
    with services(tmp_path, server) as opened:
        assert carry_out(opened, "add two numbers").outcome == "passed"


def test_a_run_of_another_version_ends_and_says_so(
    tmp_path: Path, server: FakeOllama, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    play.code = Reply(text=fenced(GOOD) * 50, pause=0.05)
    with monkeypatch.context() as older:
        older.setattr("core.durable.WORKFLOW_VERSION", "runs-0")
        with services(tmp_path, server) as opened:
            run_id = opened.runs.start("add two numbers")
            follow(opened, run_id, lambda s: any(c.text for c in s.calls if c.purpose == "code"))
    with services(tmp_path, server) as opened:
        state = follow(opened, run_id)
        assert state.outcome == "error"
        assert state.finished is not None
        assert state.finished.reason.startswith("Begun by another version")
        play.code = fenced(GOOD)
        assert carry_out(opened, "add two numbers").outcome == "passed"


def test_each_request_says_which_run_asks(
    opened: Services, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat, runs = Client.chat, []

    def watched(self: Client, role: Role, request: Request, **rest: Any) -> Any:
        runs.append(request.run)
        return chat(self, role, request, **rest)

    monkeypatch.setattr(Client, "chat", watched)
    run_id = opened.runs.start("add two numbers")
    follow(opened, run_id)
    assert len(runs) == len(play.asked)
    assert set(runs) == {run_id}


def test_the_seeds_story_alternates_over_two_endpoints(tmp_path: Path, play: Play) -> None:
    with (
        FakeOllama(script=play) as first,
        FakeOllama(script=play) as second,
        services(tmp_path, first, second) as opened,
    ):
        goals = [carry_out(opened, "add 1 plus 1") for _ in range(2)]
    assert [state.outcome for state in goals] == ["passed", "passed"]
    asked = [call.endpoint for state in goals for call in state.calls if call.role == "generator"]
    assert asked == [first.url, second.url, first.url, second.url]


def test_the_seeds_story_of_the_missing_colon(opened: Services, play: Play) -> None:
    play.code = fenced(BROKEN)
    state = carry_out(opened, "add 1 plus 1")
    assert state.outcome == "passed"
    assert state.candidates[0].code == BROKEN
    assert [e.attempt for e in state.escalations] == [1]
    assert state.escalations[0].of == 3
    assert state.escalations[0].model == "qwen2.5-coder:14b"
    prompt = play.prompt("escalate")
    parts = (
        "ORIGINAL GOAL:\nadd 1 plus 1",
        "OVERSEER STRATEGY (how this should be solved):\nSIGNATURE: def add(a, b):",
        "AVAILABLE TOOLS:\nnone",
        f"CURRENT CODE (has errors):\n```python\n{BROKEN}```",
        "ERROR OUTPUT:\nSyntaxError",
        "STDOUT (before failure):\n(nothing)",
        "YOUR TASK:\n1. Analyze ERROR OUTPUT",
    )
    places = [prompt.index(part) for part in parts]
    assert places == sorted(places)
    assert state.finished is not None
    assert "Mended on attempt 1" in state.finished.reason


def test_each_attempt_is_shown_the_latest_error(opened: Services, play: Play) -> None:
    play.code = fenced(BROKEN)
    play.escalate = [fenced(WRONG), fenced(GOOD)]
    state = carry_out(opened, "add two numbers")
    assert state.outcome == "passed"
    assert "SyntaxError" in play.prompt("escalate", 0)
    second = play.prompt("escalate", 1)
    assert "SyntaxError" not in second.split("ERROR OUTPUT:")[1].split("STDOUT")[0]
    assert "assert add(2, 3) == 5" in second
    assert "attempt 1" in second


NAMELESS = "def add(a, b):\n    return plus(a, b)\n"
IMPORTLESS = "def add(a, b):\n    return operator.add(a, b)\n"


def test_a_missing_name_goes_back_to_the_generator_once(opened: Services, play: Play) -> None:
    play.code = fenced(NAMELESS)
    play.escalate = fenced("from operator import add as plus\n" + NAMELESS)
    state = carry_out(opened, "add two numbers")
    assert state.outcome == "passed"
    assert [c.candidate for c in state.candidates] == ["c0", "r1"]
    assert {c.model for c in state.candidates} == {"codellama"}
    assert state.escalations == ()
    assert "A name is missing" in play.prompt("escalate")


def test_a_forgotten_import_is_added_without_a_model(opened: Services, play: Play) -> None:
    play.code = fenced(IMPORTLESS)
    state = carry_out(opened, "add two numbers")
    assert (state.outcome, state.code) == ("passed", f"import operator\n{IMPORTLESS}")
    assert "escalate" not in play.asked


def test_after_one_repair_the_stronger_model_is_asked(opened: Services, play: Play) -> None:
    play.code = fenced(NAMELESS)
    play.escalate = [fenced(NAMELESS + "# again\n"), fenced(GOOD)]
    state = carry_out(opened, "add two numbers")
    assert state.outcome == "passed"
    assert [c.candidate for c in state.candidates] == ["c0", "r1", "c1"]
    assert [(e.attempt, e.kind) for e in state.escalations] == [(1, "name")]
    assert state.candidates[2].model == "qwen2.5-coder:14b"


def test_slow_code_is_told_to_be_faster(tmp_path: Path, server: FakeOllama, play: Play) -> None:
    play.code = fenced("def add(a, b):\n    while True:\n        pass\n")
    more = "sandbox: {wall_s: 3, case_s: 0.5}"
    with services(tmp_path, server, more=more) as opened:
        state = carry_out(opened, "add two numbers")
    assert state.outcome == "passed"
    assert [e.kind for e in state.escalations] == ["slow"]
    assert "It takes too long" in play.prompt("escalate")


def test_gives_up_honestly_after_three_attempts(opened: Services, play: Play) -> None:
    others = [fenced(f"def add(a, b):\n    return a * b + {n}\n") for n in range(5, 9)]
    play.code, play.escalate = [fenced(WRONG), others[2]], others
    state = carry_out(opened, "add two numbers")
    assert state.outcome == "failed"
    assert [e.attempt for e in state.escalations] == [1, 2, 3]
    # A third patch rarely helps: the last attempt is asked for code as the first one was.
    assert [e.afresh for e in state.escalations] == [False, False, True]
    assert [e.kind for e in state.escalations] == ["wrong"] * 3
    assert len(state.candidates) == 4
    assert state.finished is not None
    assert "2 of 2 cases did not pass" in state.finished.reason
    assert "All 3 attempts are used up" in state.finished.reason
    assert opened.runs._ports.skills.all() == ()


def test_ends_when_the_same_code_comes_back(opened: Services, play: Play) -> None:
    play.code = fenced(WRONG)
    play.escalate = fenced("# a comment changes nothing\n" + WRONG)
    state = carry_out(opened, "add two numbers")
    assert state.outcome == "failed"
    assert len(state.escalations) == 1
    assert state.escalation_ended == "Attempt 1 gave the code of candidate c0 again."


def test_ends_when_the_same_error_comes_back(opened: Services, play: Play) -> None:
    play.code = fenced(BROKEN)
    play.escalate = [
        fenced(WRONG),
        fenced("def add(a, b):\n    c = a - b\n    return c\n"),
        fenced(GOOD),
    ]
    state = carry_out(opened, "add two numbers")
    assert state.escalation_ended == "Attempts 1 and 2 ended in the same error."
    assert state.outcome == "failed"


def test_a_worse_fix_is_rolled_back(opened: Services, play: Play) -> None:
    play.tests = "assert add(2, 3) == 5\nassert add(0, 0) == 0\nassert add(1, 0) == 1"
    play.code = fenced(WRONG)
    play.escalate = [fenced(BROKEN), fenced(GOOD)]
    state = carry_out(opened, "add two numbers")
    assert state.candidates[1].rolled_back == "It passes fewer cases than c0 does."
    assert WRONG in play.prompt("escalate", 1)
    assert state.outcome == "passed"


def test_the_best_candidate_is_kept_in_a_failure(opened: Services, play: Play) -> None:
    play.tests = "assert add(2, 3) == 5\nassert add(0, 0) == 0\nassert add(1, 0) == 1"
    play.code = fenced(WRONG)
    play.escalate = fenced(BROKEN)
    state = carry_out(opened, "add two numbers")
    assert state.outcome == "failed"
    assert state.code == WRONG
    assert state.finished is not None
    assert (state.finished.passed, state.finished.total) == (2, 3)


def test_a_cut_off_reply_is_asked_for_again_with_more_room(
    opened: Services, play: Play, server: FakeOllama
) -> None:
    play.code = [
        Reply(text="```python\ndef add(a, b):\n    retu", done_reason="length"),
        fenced(GOOD),
    ]
    state = carry_out(opened, "add two numbers")
    assert state.outcome == "passed"
    rooms = [
        body["options"]["num_predict"]
        for body in server.chats
        if asked(body).startswith("Complete this")
    ]
    assert rooms == [1536, 3072]


def test_a_reply_that_goes_on_and_on_is_not_given_more_room(
    opened: Services, play: Play, server: FakeOllama
) -> None:
    counting = "".join(f"    if a == {n}:\n        return b + {n}\n" for n in range(90))
    play.code = Reply(text=f"```python\ndef add(a, b):\n{counting}    if a", done_reason="length")
    play.escalate = fenced(GOOD)
    state = carry_out(opened, "add two numbers")
    assert state.outcome == "passed"
    assert play.asked.count("code") == 1
    assert state.candidates[0].code.startswith("def add(a, b):")
    assert not state.candidates[0].passes


def test_no_test_case_at_all_is_no_success(opened: Services, play: Play) -> None:
    play.tests = "I think the code is fine without tests."
    state = carry_out(opened, "add two numbers")
    assert state.outcome == "error"
    assert play.asked.count("tests") == 3
    assert state.finished is not None
    assert "nothing is proved" in state.finished.reason


def test_opinions_overrule_nothing(opened: Services, play: Play) -> None:
    play.triage = "FAIL - I don't like it"
    play.evaluate = Reply(status=500, error="out of memory")
    state = carry_out(opened, "add two numbers")
    assert state.outcome == "passed"
    assert state.triage is not None
    assert state.triage.passed is False
    assert state.score is not None
    assert state.score.scores == ()
    assert state.score.reason.startswith("No answer:")


def test_an_endpoint_that_dies_costs_no_run(tmp_path: Path, play: Play) -> None:
    with (
        FakeOllama(script=play) as alive,
        FakeOllama(script=play) as dying,
        services(tmp_path, alive, dying) as opened,
    ):
        before = carry_out(opened, "add two numbers")
        # Nobody has asked it since, so the next call to it finds out.
        dying.close()
        after = carry_out(opened, "add two numbers")
    assert [before.outcome, after.outcome] == ["passed", "passed"]
    assert [f.endpoint for call in before.calls for f in call.failures] == []
    assert [f.endpoint for call in after.calls for f in call.failures] == [dying.url]


def test_nobody_answers_is_an_error_that_lists_whom_it_asked(tmp_path: Path, play: Play) -> None:
    with FakeOllama(script=play) as dead:
        pass
    with services(tmp_path, dead) as opened:
        state = carry_out(opened, "add two numbers")
    assert state.outcome == "error"
    assert state.finished is not None
    assert dead.url in state.finished.reason
    assert "strategy" in state.finished.reason


def test_a_reply_that_breaks_off_is_asked_for_again(opened: Services, play: Play) -> None:
    play.code = [Reply(text=fenced(GOOD), cut=True), fenced(GOOD)]
    state = carry_out(opened, "add two numbers")
    assert state.outcome == "passed"
    code_calls = [call for call in state.calls if call.purpose == "code"]
    assert [call.status for call in code_calls] == ["failed", "done"]


def test_cancel_stops_the_model_upstream(opened: Services, play: Play, server: FakeOllama) -> None:
    play.code = Reply(text=fenced(GOOD) * 50, pause=0.05)
    run_id = opened.runs.start("add two numbers")
    follow(opened, run_id, lambda s: any(c.text for c in s.calls if c.purpose == "code"))
    assert opened.runs.cancel(run_id)
    state = follow(opened, run_id)
    assert state.outcome == "cancelled"
    assert server.wait(lambda: server.cancelled, 1.0)
    assert state.finished is not None
    assert state.finished.reason.startswith("Stopped by you (in stage")
    assert not opened.runs.cancel(run_id)


def test_cancel_stops_the_sandbox(opened: Services, play: Play) -> None:
    play.code = fenced("import time\ntime.sleep(60)\n" + GOOD)
    run_id = opened.runs.start("add two numbers")
    follow(opened, run_id, lambda s: any(x.stage == "execute" for x in s.stages))
    opened.runs.cancel(run_id)
    state = follow(opened, run_id, timeout_s=5.0)
    assert state.outcome == "cancelled"


def test_a_verified_solution_is_offered_and_importable(opened: Services, play: Play) -> None:
    first = carry_out(opened, "add two numbers together")
    assert first.skill == "skill_add"
    play.strategy = "SIGNATURE: def add_three(a, b, c):\nSTEPS: use the skill\n"
    play.code = fenced(
        "from skill_add import add\n\ndef add_three(a, b, c):\n    return add(add(a, b), c)\n"
    )
    play.tests = "assert add_three(1, 2, 3) == 6"
    second = carry_out(opened, "add three numbers together")
    assert second.tools == ("skill_add",)
    assert "skill_add" in play.prompts[play.asked.index("code", 5)]
    assert second.outcome == "passed", second.finished
    assert second.finished is not None
    assert "imports skill_add" in second.finished.reason


def test_the_code_is_never_shown_to_the_test_writer(opened: Services, play: Play) -> None:
    carry_out(opened, "add two numbers")
    assert "return a + b" not in play.prompt("tests")


def test_the_log_alone_tells_the_whole_prompt(opened: Services, play: Play) -> None:
    state = carry_out(opened, "add two numbers")
    assert sorted(call.prompt for call in state.calls) == sorted(play.prompts)


def test_a_full_disk_makes_a_run_wait_and_lose_nothing(
    opened: Services, play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    engine = opened.log._engine
    limits: list[int] = []

    def full(connection: Any, _record: Any) -> None:
        for pages in limits:
            connection.execute(f"PRAGMA max_page_count={pages}")

    # Before the run: a thread that connects while a listener is added or removed breaks off.
    sa.event.listen(engine, "connect", full)
    written = threading.Event()
    play.code = Reply(text=fenced(GOOD), pause=written, free=1)
    run_id = opened.runs.start("add two numbers")
    follow(opened, run_id, lambda s: any(c.text for c in s.calls if c.purpose == "code"))
    with engine.connect() as connection:
        limits = [connection.exec_driver_sql("PRAGMA page_count").scalar_one()]
    engine.dispose()
    with engine.connect() as connection:
        # Nothing is free inside the file either.
        connection.exec_driver_sql("PRAGMA incremental_vacuum")
    play.tests = "assert add(2, 3) == 5 # " + "x" * 20_000
    written.set()
    deadline = time.monotonic() + 20
    while "is full" not in caplog.text and time.monotonic() < deadline:
        time.sleep(0.05)
    limits = []
    engine.dispose()
    state = follow(opened, run_id)
    assert "waits" in caplog.text
    assert state.outcome == "passed"


def test_a_run_that_waits_for_its_turn_is_cancelled_at_once(tmp_path: Path, play: Play) -> None:
    play.strategy = Reply(text="x", hang="headers")
    with (
        FakeOllama(script=play) as server,
        services(tmp_path, server, more="run: {parallel_runs: 1}") as opened,
    ):
        first = opened.runs.start("add two numbers")
        follow(opened, first, lambda s: s.stages)
        second = opened.runs.start("add three numbers")
        assert opened.runs.cancel(second)
        state = follow(opened, second, timeout_s=2.0)
        assert state.outcome == "cancelled"
        opened.runs.cancel(first)
        follow(opened, first)


def test_a_run_that_was_never_submitted_is_taken_up_at_the_next_start(
    tmp_path: Path, play: Play
) -> None:
    with FakeOllama(script=play) as server:
        with services(tmp_path, server) as opened:
            first = RunStarted(goal="add two numbers", config_digest="d", rung="r")
            opened.log.create("lost", first)
        with services(tmp_path, server) as opened:
            assert follow(opened, "lost").outcome == "passed"


def test_a_changed_config_file_holds_from_the_next_call(tmp_path: Path, play: Play) -> None:
    with (
        FakeOllama(script=play) as first,
        FakeOllama(script=play) as second,
        services(tmp_path, first) as opened,
    ):
        carry_out(opened, "add two numbers")
        asked = len(first.chats)
        path = opened.config.path
        path.write_text(path.read_text().replace(first.url, second.url))
        assert carry_out(opened, "add two numbers").outcome == "passed"
        assert len(first.chats) == asked
        path.write_text("no: config")
        assert carry_out(opened, "add two numbers").outcome == "passed"

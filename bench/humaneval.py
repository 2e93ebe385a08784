"""HumanEval on the configured models: each goal is a task's prompt, its official test stays hidden.

make humaneval                                  all arms, all tasks; hours with the built-in models
.venv/bin/python -m bench.humaneval --arm ours --half a --out bench/results/NAME.jsonl
.venv/bin/python -m bench.humaneval --report bench/results/NAME.jsonl
.venv/bin/python -m bench.humaneval --tasks FILE    your own tasks in HumanEval's form

Killed in the middle, the same command goes on after the last finished task.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from tqdm import tqdm

from bench import humaneval_logs
from bench import humaneval_records as records
from bench.humaneval_arms import ARMS
from bench.humaneval_bare import bare
from bench.humaneval_calls import models
from bench.humaneval_judge import LIMITS, faults, judge
from bench.humaneval_logs import Logs
from bench.humaneval_records import STRONGEST_ALONE, WITHOUT_EXAMPLES, Record, Results
from bench.humaneval_report import report
from bench.humaneval_services import bench_services
from bench.humaneval_setting import Setting
from bench.humaneval_tasks import BenchError, Task, TaskSet, load
from core.errors import AppError
from core.prompts import digest
from core.sandbox import Sandbox
from core.services import Services

ROOT = Path(__file__).resolve().parent.parent
HALVES = {"a": 0, "b": 1}


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out what is asked; 0 when it is done, 1 when it was stopped, 2 when it can't be."""
    args = _arguments(argv)
    try:
        if args.check:
            return _check(load(args.tasks).tasks)
        args.out = args.out or _default_out(args.tasks)
        if args.report is None:
            _bench(args, load(args.tasks))
        kept = records.read(args.report or [args.out])
    except AppError as error:
        print(error.message, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on from here.", file=sys.stderr)
        return 1
    half = HALVES.get(args.half)
    text = report([record for record in kept if half is None or record.task % 2 == half])
    print(text)
    if args.markdown:
        args.markdown.write_text(text, "utf-8")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    add = parser.add_argument
    add("--arm", action="append", choices=ARMS, help="one or more; default: all")
    add("--tasks", type=Path, metavar="FILE", help="other tasks, in HumanEval's form (JSON lines)")
    add("--half", choices=HALVES, help="a: even task numbers, b: odd ones")
    add("--limit", type=int, help="only the first so many of the chosen tasks")
    add("--only", default="", help="task numbers, separated by commas")
    add("--config", type=Path, default=ROOT / "config.yaml")
    add("--logs", type=Path, metavar="FOLDER", help="keep the runs' logs; give their replies again")
    add("--out", type=Path, help="where results are added; default: by the tasks and the prompts")
    add("--report", type=Path, nargs="+", metavar="FILE", help="only report on these results")
    add("--markdown", type=Path, help="where to keep the report as well")
    add("--check", action="store_true", help="only try the official tests on known code")
    return parser.parse_args(argv)


def _default_out(tasks: Path | None) -> Path:
    name = tasks.stem if tasks else "humaneval"
    return ROOT / "bench" / "results" / f"{name}-{digest()}.jsonl"


def chosen(
    tasks: Sequence[Task], half: str | None, only: str, limit: int | None
) -> tuple[Task, ...]:
    """The tasks that the options name, in order. Raises BenchError for numbers that are none."""
    known = {task.number: task for task in tasks}
    try:
        numbers = sorted({int(number) for number in only.split(",")}) if only else sorted(known)
        found = [known[number] for number in numbers]
    except (ValueError, KeyError) as error:
        range_ = f"{min(known)} to {max(known)}"
        raise BenchError(
            f"--only takes task numbers from {range_}, like 3,14 ({error})."
        ) from error
    part = [task for task in found if half is None or task.number % 2 == HALVES[half]]
    return tuple(part[:limit])


def _bench(args: argparse.Namespace, known: TaskSet) -> None:
    """Every chosen arm on every chosen task that the file does not hold yet."""
    tasks = chosen(known.tasks, args.half, args.only, args.limit)
    arms = [arm for arm in ARMS if not args.arm or arm in args.arm]
    with records.opened(args.out) as results:
        for alone, group in groupby(arms, lambda arm: arm == STRONGEST_ALONE):
            todo = {arm: _left(results, arm, tasks) for arm in group}
            if not any(todo.values()):
                continue
            with bench_services(args.config, strongest_alone=alone) as services:
                rung = services.sandbox.look()
                if not rung.runs:
                    raise BenchError(f"Generated code can't be run safely here: {rung.mend}")
                opened = services.opened_with
                setting = Setting.now(models(services.client), known.name, opened.run)
                allowed = opened.sandbox.allow_unsandboxed_code
                with (
                    Sandbox(LIMITS, allow_unsandboxed=allowed) as sandbox,
                    humaneval_logs.kept(args.logs, services, setting.models) as logs,
                ):
                    for arm, left in todo.items():
                        results.check(arm, setting)
                        _carry_out(services, sandbox, results, arm, left, setting, logs)


def _left(results: Results, arm: str, tasks: Sequence[Task]) -> list[Task]:
    done = {record.task for record in results.done if record.arm == arm}
    asked = bare(tasks) if arm == WITHOUT_EXAMPLES else tasks
    return [task for task in asked if task.number not in done]


def _carry_out(
    services: Services,
    sandbox: Sandbox,
    results: Results,
    arm: str,
    tasks: Sequence[Task],
    setting: Setting,
    logs: Logs,
) -> None:
    before = [record for record in results.done if record.arm == arm]
    total = len(before) + len(tasks)
    with tqdm(tasks, desc=arm, initial=len(before), total=total, unit="task", mininterval=1) as bar:
        for task in bar:
            started = time.monotonic()
            answer = ARMS[arm](services, task.goal)
            took = time.monotonic() - started
            given = logs.given_again()
            official = judge(sandbox, task, answer.code)
            record = Record(
                arm=arm,
                task=task.number,
                official=official.ruling,
                right=official.right,
                official_message=official.message,
                seconds=round(took + sum(reply.seconds for reply in given), 2),
                answer=answer,
                setting=setting,
                given_again=len(given),
            )
            logs.keep()
            results.add(record)
            bar.write(line(record))
            bar.set_postfix_str(standing([one for one in results.done if one.arm == arm]))


def line(record: Record) -> str:
    """One finished task, for the terminal."""
    answer = record.answer
    start = f"{record.arm:10} {record.task:3} {record.official:7} {answer.outcome or '-':7}"
    return f"{start} {record.seconds:6.1f} s  {answer.calls:2} calls  {answer.reason[:90]}"


def standing(done: Sequence[Record]) -> str:
    """How an arm stands so far."""
    called = [record for record in done if record.answer.outcome == "passed"]
    text = f"solved {sum(record.right is True for record in done)} of {len(done)}"
    if any(record.answer.outcome for record in done):
        right = sum(record.right is True for record in called)
        text += f", passed {len(called)} ({right} right)"
    return text


def _check(tasks: Sequence[Task]) -> int:
    with Sandbox(LIMITS) as sandbox:
        found = faults(sandbox, tqdm(tasks, unit="task"))
    print("\n".join(found) or f"The official tests of {len(tasks)} tasks tell right from wrong.")
    return 1 if found else 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    sys.exit(main())

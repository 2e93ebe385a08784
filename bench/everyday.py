"""Ten everyday goals on the configured models, judged by cases that the runs never see.

make bench                        the built-in models, unless endpoints of config.yaml answer
.venv/bin/python -m bench.everyday --config FILE --only slugify,roman
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import yaml

from bench.goals import GOALS, Goal
from core.cancel import Cancel
from core.events import Case
from core.prompts import digest
from core.services import Services, open_services
from core.state import RunState, fold

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One goal: what the run said, and whether its code passed the hidden cases."""

    name: str
    outcome: str
    hidden_passed: int
    hidden_total: int
    seconds: float
    attempts: int
    tokens_out: dict[str, int] = field(default_factory=dict)
    tokens_in: dict[str, int] = field(default_factory=dict)
    reason: str = ""

    @property
    def right(self) -> bool:
        """Whether every hidden case passed."""
        return self.hidden_passed == self.hidden_total


def main() -> int:
    """Run the goals and print the table; 0 when at least 8 of 10 are right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--config", type=Path, default=HERE.parent / "config.yaml")
    parser.add_argument("--only", default="", help="names of goals, separated by commas")
    parser.add_argument("--out", type=Path, default=None, help="where to keep the result as JSON")
    args = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    chosen = [goal for goal in GOALS if not args.only or goal.name in args.only.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        config = _own_config(args.config, Path(folder))
        with open_services(config, terminal=True) as services:
            results = [_carry_out(services, goal) for goal in chosen]
    _report(results)
    if args.out:
        _keep(results, args.out)
    right = sum(result.right for result in results)
    return 0 if right >= 0.8 * len(results) else 1


def _own_config(path: Path, folder: Path) -> Path:
    """The same configuration with a data folder of its own: no skills, no history."""
    document = yaml.safe_load(path.read_text("utf-8"))
    document["data_dir"] = str(folder / "data")
    own = folder / "config.yaml"
    own.write_text(yaml.safe_dump(document), "utf-8")
    return own


def _carry_out(services: Services, goal: Goal) -> Result:
    started = time.monotonic()
    run_id = services.runs.start(goal.text)
    state = fold(services.log.since(run_id))
    while state.outcome is None:
        state = fold(services.log.wait(run_id, state.seq, timeout_s=5.0), state)
    seconds = time.monotonic() - started
    passed = _hidden_passed(services, goal, state.code)
    result = Result(
        name=goal.name,
        outcome=state.outcome,
        hidden_passed=passed,
        hidden_total=len(goal.hidden),
        seconds=round(seconds, 1),
        attempts=len(state.escalations),
        tokens_out=_tokens(state, "tokens_out"),
        tokens_in=_tokens(state, "tokens_in"),
        reason=state.finished.reason if state.finished else "",
    )
    sign = "✓" if result.right else "✗"
    print(
        f"{sign} {goal.name:14} {result.outcome:10} hidden {passed}/{len(goal.hidden)}"
        f"  {seconds:6.1f} s  attempts {result.attempts}  {result.reason[:90]}",
        flush=True,
    )
    return result


def _hidden_passed(services: Services, goal: Goal, code: str) -> int:
    cases = [
        Case(id=f"h{number}", source=source, origin="yours")
        for number, source in enumerate(goal.hidden)
    ]
    execution = services.sandbox.run(code, cases, cancel=Cancel())
    return sum(result.result == "passed" for result in execution.cases)


def _tokens(state: RunState, which: str) -> dict[str, int]:
    tokens: Counter[str] = Counter()
    for call in state.calls:
        tokens[call.model] += getattr(call, which)
    return dict(tokens)


def _report(results: list[Result]) -> None:
    right = sum(result.right for result in results)
    called = [result for result in results if result.outcome == "passed"]
    called_right = sum(result.right for result in called)
    tokens: Counter[str] = Counter()
    for result in results:
        tokens.update(result.tokens_out)
    seconds = sorted(result.seconds for result in results)
    print(f"\n{right} of {len(results)} goals pass all their hidden cases.")
    print(f"Called passed: {len(called)}, of which {called_right} are right.")
    print(f"Seconds per goal: median {seconds[len(seconds) // 2]:.1f}, longest {seconds[-1]:.1f}.")
    for model, count in tokens.most_common():
        print(f"Tokens written by {model}: {count:,}")


def _keep(results: list[Result], path: Path) -> None:
    document = {
        "date": time.strftime("%Y-%m-%d"),
        "prompts": digest(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "results": [asdict(result) for result in results],
    }
    path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())

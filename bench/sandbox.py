"""What containment costs: the same three cases bare, under pytest, cold and warm, side by side.

    .venv/bin/python -m bench.sandbox [--rounds 20] [--seconds 4] [--out FILE] [--json]

All variants take turns in every round, so that whatever else the machine does meets all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from core.cancel import Cancel
from core.events import Case
from core.sandbox import Limits, Sandbox

CODE = '''
def slugify(text):
    """Lower case, words joined by one hyphen."""
    words = "".join(c if c.isalnum() else " " for c in text.lower()).split()
    return "-".join(words)
'''
CHECKS = (
    'assert slugify("Hello, World!") == "hello-world"',
    'assert slugify("  a  b ") == "a-b"',
    'assert slugify("") == ""',
)
CASES = tuple(
    Case(id=f"c{number}", source=source, origin="generated")
    for number, source in enumerate(CHECKS, 1)
)
CALLERS = (1, 2, 4)
PYTEST = "bare python -m pytest"  # without plugins, which is its fastest
WARM_OF_PYTEST = 1 / 3  # target: at most this part of the time of bare pytest
SUITES_PER_SECOND = 80.0  # target, with the best number of callers


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Milliseconds for one suite of three cases."""

    name: str
    median: float
    least: float
    p90: float

    @classmethod
    def of(cls, name: str, seconds: list[float]) -> Times:
        """From the seconds of each round."""
        ordered = sorted(1000 * second for second in seconds)
        return cls(
            name=name,
            median=round(statistics.median(ordered), 2),
            least=round(ordered[0], 2),
            p90=round(ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))], 2),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Suites per second with `callers` threads, and the CPU seconds that a suite took in all."""

    way: str
    callers: int
    per_second: float
    cpu_s: float


def main() -> int:
    """Print the tables; 0 when both targets are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each throughput")
    parser.add_argument("--json", action="store_true", help="print JSON and no tables")
    parser.add_argument("--out", type=Path, default=None, help="where to keep the result as JSON")
    args = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(Limits(), warm=False) as cold,
        Sandbox(Limits(), warm=True) as warm,
    ):
        variants = _variants(Path(folder), cold, warm)
        times = _take_turns(variants, args.rounds)
        flows = [
            _throughput(name, sandbox, callers, args.seconds)
            for callers in CALLERS
            for name, sandbox in (("cold", cold), ("warm", warm))
        ]
        rungs = {"cold": asdict(cold.rung), "warm": asdict(warm.rung)}
    document = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
        "rounds": args.rounds,
        "rungs": rungs,
        "times_ms": [asdict(row) for row in times],
        "throughput": [asdict(row) for row in flows],
        "targets": _targets(times, flows),
    }
    if args.json:
        print(json.dumps(document, indent=1))
    else:
        _report(document, times, flows)
    if args.out:
        args.out.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return 0 if all(target["met"] for target in _targets(times, flows)) else 1


def _variants(folder: Path, cold: Sandbox, warm: Sandbox) -> dict[str, Callable[[], None]]:
    """What each round does once, by name, slowest to understand last."""
    (folder / "solution.py").write_text(CODE)
    functions = [f"def test_{n}():\n    {check}\n" for n, check in enumerate(CHECKS)]
    (folder / "test_it.py").write_text("from solution import slugify\n" + "\n".join(functions))
    methods = [f"    def test_{n}(self):\n        {check}\n" for n, check in enumerate(CHECKS)]
    (folder / "test_unit.py").write_text(
        "import unittest\nfrom solution import slugify\n"
        "class T(unittest.TestCase):\n" + "".join(methods)
    )
    (folder / "own.py").write_text(
        f"code, checks = {CODE!r}, {CHECKS!r}\n"
        "for check in checks:\n    space = {}\n    exec(code, space)\n    exec(check, space)\n"
    )

    pytest = ("-q", "-p", "no:cacheprovider", "test_it.py")

    def bare(*words: str) -> Callable[[], None]:
        command = [sys.executable, *words]
        return lambda: _quiet(command, folder)

    return {
        "bare python -c pass": bare("-c", "pass"),
        "bare own runner": bare("own.py"),
        "bare python -m unittest": bare("-m", "unittest", "test_unit"),
        "bare pytest, its plugins": bare("-m", "pytest", *pytest),
        PYTEST: bare("-m", "pytest", "--disable-plugin-autoload", *pytest),
        "sandbox, cold": lambda: _suite(cold),
        "sandbox, warm": lambda: _suite(warm),
    }


def _quiet(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, stdin=subprocess.DEVNULL)


def _suite(sandbox: Sandbox) -> None:
    execution = sandbox.run(CODE, CASES, cancel=Cancel())
    assert execution.status == "passed", execution.message


def _take_turns(variants: dict[str, Callable[[], None]], rounds: int) -> list[Times]:
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for run in variants.values():
        run()  # files into memory, the sandbox found, the first warm process started
    for _ in range(rounds):
        for name, run in variants.items():
            began = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - began)
    return [Times.of(name, column) for name, column in seconds.items()]


def _throughput(name: str, sandbox: Sandbox, callers: int, seconds: float) -> Throughput:
    """All cores' time that is not idle is counted: a sandbox's own is not among our children's."""
    counts = [0] * callers
    deadline = time.perf_counter() + seconds

    def call(number: int) -> None:
        while time.perf_counter() < deadline:
            _suite(sandbox)
            counts[number] += 1

    threads = [threading.Thread(target=call, args=(number,)) for number in range(callers)]
    busy_s, began = _busy_s(), time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    done = max(1, sum(counts))
    return Throughput(
        way=name,
        callers=callers,
        per_second=round(sum(counts) / took, 1),
        cpu_s=round((_busy_s() - busy_s) / done, 4),
    )


def _busy_s() -> float:
    """CPU seconds that this machine has spent on anything, 0 where it does not tell."""
    try:
        words = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    except OSError:
        return 0.0
    user, nice, system, _, _, irq, softirq, *_ = (int(word) for word in words)
    return (user + nice + system + irq + softirq) / float(os.sysconf("SC_CLK_TCK"))


def _targets(times: list[Times], flows: list[Throughput]) -> list[dict[str, object]]:
    median = {row.name: row.median for row in times}
    ratio = median["sandbox, warm"] / median[PYTEST]
    best = max(flow.per_second for flow in flows)
    return [
        {
            "target": "warm at most 1/3 of bare pytest",
            "value": round(ratio, 3),
            "met": ratio <= WARM_OF_PYTEST,
        },
        {
            "target": f"at least {SUITES_PER_SECOND:g} suites per second",
            "value": best,
            "met": best >= SUITES_PER_SECOND,
        },
    ]


def _report(document: dict[str, object], times: list[Times], flows: list[Throughput]) -> None:
    print(f"{document['machine']}, Python {document['python']}, {document['rounds']} rounds")
    print(f"load average {document['load']}: CPU per suite is the whole machine's")
    print(f"\n{'three cases, ms':26} {'median':>8} {'min':>8} {'p90':>8}  of pytest")
    base = next(row.median for row in times if row.name == PYTEST)
    for row in times:
        print(
            f"{row.name:26} {row.median:8.1f} {row.least:8.1f} {row.p90:8.1f}"
            f"  {row.median / base:8.2f} x"
        )
    print(f"\n{'throughput':26} {'suites/s':>8} {'CPU ms per suite':>18}")
    for flow in flows:
        name = f"{flow.way}, {flow.callers} at once"
        print(f"{name:26} {flow.per_second:8.1f} {1000 * flow.cpu_s:18.1f}")
    print()
    for target in _targets(times, flows):
        sign = "✓" if target["met"] else "✗"
        print(f"{sign} {target['target']}: {target['value']}")


if __name__ == "__main__":
    sys.exit(main())

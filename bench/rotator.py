"""What the rotator costs, and whether it keeps its promises, beside bare requests and LiteLLM.

    .venv/bin/python -m bench.rotator [--litellm] [--rounds 40] [--calls 50] [--out FILE]

All clients take turns in every round on the same server, so that whatever else the machine does
meets all of them. About a minute; with --litellm two, and 200 MB the first time.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import rotator_clients as clients
from bench import rotator_parts as parts
from bench.rotator_litellm import VERSION, LiteLLM, litellm
from bench.rotator_report import report, targets
from bench.rotator_serving import dead_url, serving

BARE, OURS = "requests.Session", "ours"
LINE_BYTES = 8 * 1024 * 1024 - 1024  # as long as a line may be, with a little to spare
SPEEDS_MS = ((480, 160), (480, 60))  # long, so that the client's own work weighs little
ENDLESS = ("hang", "drip-head", "drip-body")
DEAD_CALLS = 4  # times the calls of a round
LITELLM_PART = 5  # LiteLLM does this part of each round's calls: it takes ten times as long

Block = tuple[list[float], float]  # each call's seconds, and the CPU seconds of all


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Microseconds for one call; CPU is that of the client's whole process."""

    client: str
    calls: int
    p50: float
    p90: float
    cpu: float

    @classmethod
    def of(cls, client: str, blocks: list[Block]) -> Times:
        """From what each round gave."""
        ordered = sorted(second for seconds, _ in blocks for second in seconds)
        return cls(
            client=client,
            calls=len(ordered),
            p50=round(1e6 * statistics.median(ordered), 1),
            p90=round(1e6 * ordered[int(0.9 * len(ordered))], 1),
            cpu=round(1e6 * sum(cpu_s for _, cpu_s in blocks) / len(ordered), 1),
        )


def main() -> int:
    """Print the tables; 0 when every target that was measured is met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--calls", type=int, default=50, help="of each client in each round")
    parser.add_argument("--seconds", type=float, default=8.0, help="for each pair of mixed speeds")
    parser.add_argument("--times", type=int, default=5, help="for each server that never ends")
    parser.add_argument("--litellm", action="store_true", help=f"measure LiteLLM {VERSION} too")
    parser.add_argument("--json", action="store_true", help="print JSON and no tables")
    parser.add_argument("--out", type=Path, default=None, help="where to keep the result as JSON")
    args = parser.parse_args()
    document = measure(args)
    if args.json:
        print(json.dumps(document, indent=1))
    else:
        report(document)
    if args.out:
        args.out.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return 0 if all(target["met"] is not False for target in document["targets"]) else 1


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Everything, in one run on one process of servers."""
    load = os.getloadavg()[0]
    slow = [f"slow:{milliseconds}" for pair in SPEEDS_MS for milliseconds in pair]
    with contextlib.ExitStack() as stack:
        urls = stack.enter_context(serving("fast", f"long:{LINE_BYTES}", *ENDLESS, *slow))
        fast, long, *rest = urls
        endless, paced = rest[: len(ENDLESS)], rest[len(ENDLESS) :]
        refusing = stack.enter_context(dead_url())
        other = stack.enter_context(litellm(fast, refusing)) if args.litellm else None
        times = _take_turns(fast, other, args.rounds, args.calls)
        dead = [parts.dead(fast, refusing, DEAD_CALLS * args.calls)]
        if other is not None:
            dead.append(parts.Dead(client="LiteLLM", **other.do("dead", DEAD_CALLS * args.calls)))
        pairs = zip(SPEEDS_MS, zip(paced[::2], paced[1::2], strict=True), strict=True)
        mixed = [parts.mixed(*both, *speeds, args.seconds) for speeds, both in pairs]
        ends = zip(ENDLESS, endless, strict=True)
        document: dict[str, Any] = {
            "date": time.strftime("%Y-%m-%d"),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}",
            "python": platform.python_version(),
            "litellm": VERSION if other else None,
            "rounds": args.rounds,
            "times_us": [asdict(row) for row in times],
            "pick_us": round(parts.pick_us([fast, long], args.rounds, 20 * args.calls), 2),
            "dead": [asdict(row) for row in dead],
            "mixed": [asdict(row) | {"share": row.share} for row in mixed],
            "long_line_s": round(parts.long_line_s(long), 3),
            "overshoot": [asdict(parts.overshoot(*one, args.times)) for one in ends],
            "load": [round(load, 2), round(os.getloadavg()[0], 2)],
        }
    return document | {"targets": targets(document)}


def _take_turns(url: str, other: LiteLLM | None, rounds: int, calls: int) -> list[Times]:
    with contextlib.ExitStack() as stack:
        made = {"raw socket": clients.raw(url), BARE: clients.bare(url), OURS: clients.ours(url)}
        ways = {name: _block(stack.enter_context(one), calls) for name, one in made.items()}
        if other is not None:
            fewer = max(1, calls // LITELLM_PART)
            ways["LiteLLM, whole"] = lambda: _asked(other, "whole", fewer)
            ways["LiteLLM, streamed"] = lambda: _asked(other, "streamed", fewer)
        blocks: dict[str, list[Block]] = {name: [] for name in ways}
        for number in range(rounds):
            names = list(ways)
            at = number % len(names)  # each begins a round as often as the others
            for name in names[at:] + names[:at]:
                blocks[name].append(ways[name]())
    return [Times.of(name, column) for name, column in blocks.items()]


def _block(call: clients.Call, calls: int) -> Callable[[], Block]:
    def run() -> Block:
        seconds = []
        for _ in range(2):
            call()  # caches and branch predictors are ours now
        cpu_s = time.process_time()
        for _ in range(calls):
            began = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - began)
        return seconds, time.process_time() - cpu_s

    return run


def _asked(other: LiteLLM, job: str, calls: int) -> Block:
    result = other.do(job, calls)
    return result["seconds"], result["cpu_s"]


if __name__ == "__main__":
    sys.exit(main())

"""Calls without end against servers that fail at random: does anything leak or get mixed up?

    .venv/bin/python -m bench.soak [--calls 100000] [--threads 8] [--minutes 15] [--out FILE]

Four faulty servers, one that comes and goes, and an address that always refuses; each takes one
call at a time, so that calls queue. Some callers cancel in the middle, some watchers raise. Every
reply names its call, so that one that reached the wrong caller is found. The client's clock runs
fast, so that cooldowns are met often. Calls that somebody could have served must nearly all be
served, and the others fail only as the servers' faults explain.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import rotator_clients as clients
from bench.rotator_samples import HEADING, Sample, check, flat
from bench.rotator_serving import dead_url, serving
from bench.soak_endings import EXPECTED, RAISED, SERVED, SERVED_FLOOR, ending, served_share
from core.cancel import Cancel
from core.config import Timeouts
from core.endpoints import Client, Message, Request
from core.events import ROLES

CLOCK_SPEED = 20.0
LIMITS = Timeouts(connect_s=1.0, first_byte_s=0.3, idle_s=0.3, total_s=600.0)
CANCELLED, RAISING = 0.01, 0.005  # of all calls
SAMPLES = 20
# Growth that is still flat; the probes' threads come and go.
FLAT = {"rss": 4.0, "sockets": 8.0, "threads": 4.0}


class _WatcherError(Exception):
    """What a watcher of ours raises."""


@dataclass(slots=True)
class _Caller(clients.Watching):
    """Watches one call; now and then it cancels it or breaks it off at the first token."""

    cancel: Cancel | None = None
    raising: bool = False
    waited: bool = False

    def queued(self, *, position: int) -> None:
        """Somebody is before it."""
        self.waited = True

    def token(self, text: str) -> None:
        """The moment for mischief."""
        if self.raising:
            raise _WatcherError
        if self.cancel is not None:
            self.cancel.set()


class Soak:
    """Calls from several threads, counted by how they ended."""

    def __init__(self, client: Client, calls: int, ends: float, seed: int) -> None:
        self._client, self._calls, self._ends, self._seed = client, calls, ends, seed
        self._numbers = itertools.count(1)
        self.outcomes: Counter[str] = Counter()
        self.failovers = self.done = self.waited = 0
        self._lock = threading.Lock()

    def work(self, number: int) -> None:
        """One thread's calls."""
        dice = random.Random(self._seed + number)
        while (call := next(self._numbers)) <= self._calls and time.monotonic() < self._ends:
            outcome, caller = self._one(call, dice)
            with self._lock:
                self.outcomes[outcome] += 1
                self.failovers += len(caller.failed_at)
                self.waited += caller.waited
                self.done += 1

    def _one(self, number: int, dice: random.Random) -> tuple[str, _Caller]:
        request = Request(messages=(Message(role="user", content=f"call {number}"),))
        cancel, luck = Cancel(), dice.random()
        caller = _Caller(
            cancel=cancel if luck < CANCELLED else None,
            raising=CANCELLED <= luck < CANCELLED + RAISING,
        )
        try:
            reply = self._client.chat(dice.choice(ROLES), request, watcher=caller, cancel=cancel)
            outcome = SERVED if reply.text == f"reply {number}" else f"WRONG {reply.text!r}"
        except _WatcherError:
            outcome = RAISED
        except Exception as error:
            outcome = ending(error)
        return outcome, caller


def main() -> int:
    """Print the table and the verdict; 0 when nothing leaked or got mixed up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--minutes", type=float, default=15.0, help="stop then, whatever is left")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=None, help="where to keep the result as JSON")
    args = parser.parse_args()
    document = soak(args.calls, args.threads, 60 * args.minutes, args.seed)
    if args.out:
        args.out.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    print(f"\n{document['per_second']} calls a second, load average {document['load']} at the end")
    print(f"failovers {document['failovers']:,}, calls that queued {document['waited']:,}")
    print("calls by how they ended:")
    for outcome, count in document["outcomes"].items():
        print(f"{count:>8,} {outcome}")
    print()
    for one in document["checks"]:
        print(f"{'✓' if one['met'] else '✗'} {one['check']}: {one['value']}")
    return 0 if all(one["met"] for one in document["checks"]) else 1


def soak(calls: int, threads: int, seconds: float, seed: int) -> dict[str, Any]:
    """All calls, with the table printed as it grows."""
    seeds = [str(seed + number) for number in range(4)] + [str(-seed - 4)]
    with serving(*seeds, module="bench.rotator_faults") as urls, dead_url() as refusing:
        before = Sample.now()
        client = clients.client(
            [*urls, refusing],
            LIMITS,
            clock=lambda: CLOCK_SPEED * time.monotonic(),
            max_inflight=1,
        )
        began = time.monotonic()
        run = Soak(client, calls, began + seconds, seed)
        client.start()
        samples = _watch(client, run, threads, calls, began)
        took = time.monotonic() - began
        client.close()
        closed = time.monotonic()
        while threading.active_count() > before.threads and time.monotonic() < closed + 1.0:
            time.sleep(0.01)
        after = Sample.now(run.done, took)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "load": round(os.getloadavg()[0], 2),
        "per_second": round(run.done / took, 1),
        "outcomes": dict(run.outcomes.most_common()),
        "failovers": run.failovers,
        "waited": run.waited,
        "samples": [asdict(sample) for sample in (before, *samples, after)],
        "checks": _checks(run, calls, before, samples, after),
    }


def _watch(client: Client, run: Soak, threads: int, calls: int, began: float) -> list[Sample]:
    workers = [threading.Thread(target=run.work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    samples: list[Sample] = []
    print(HEADING)
    while any(worker.is_alive() for worker in workers):
        time.sleep(0.05)
        if run.done >= len(samples) * calls / SAMPLES:
            samples.append(_show(client, run, began))
    for worker in workers:
        worker.join()
    return [*samples, _show(client, run, began)]


def _show(client: Client, run: Soak, began: float) -> Sample:
    sample = Sample.now(run.done, time.monotonic() - began, clients.in_flight(client))
    print(sample.row(), flush=True)
    return sample


def _checks(
    run: Soak, calls: int, before: Sample, samples: list[Sample], after: Sample
) -> list[dict[str, Any]]:
    odd = [name for name in run.outcomes if name not in EXPECTED]
    share = served_share(run.outcomes)
    return [
        check("calls made", f"{run.done:,} of {calls:,}", run.done == calls),
        check("replies at the wrong caller, errors that no fault explains", odd[:3] or 0, not odd),
        check("served, of what could be", f"{100 * share:.1f} %", share >= SERVED_FLOOR),
        check("calls that queued", f"{run.waited:,}", run.waited > 0),
        check("in flight at the end", samples[-1].in_flight, samples[-1].in_flight == 0),
        *(flat(samples, field, allowed) for field, allowed in FLAT.items()),
        check("threads a second after close", after.threads, after.threads == before.threads),
        check("sockets a second after close", after.sockets, after.sockets == before.sockets),
    ]


if __name__ == "__main__":
    sys.exit(main())

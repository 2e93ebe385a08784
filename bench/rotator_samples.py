"""What a process holds while it works, and whether that grows."""

from __future__ import annotations

import contextlib
import os
import statistics
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HEADING = "   calls       s  in flight  threads  sockets  RSS MiB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One moment; `rss` in MiB."""

    calls: int
    seconds: float
    in_flight: int
    threads: int
    sockets: int
    rss: float

    @classmethod
    def now(cls, calls: int = 0, seconds: float = 0.0, in_flight: int = 0) -> Sample:
        """As this process is."""
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return cls(
            calls=calls,
            seconds=round(seconds, 1),
            in_flight=in_flight,
            threads=threading.active_count(),
            sockets=_sockets(),
            rss=round(pages * os.sysconf("SC_PAGESIZE") / 2**20, 1),
        )

    def row(self) -> str:
        """A row of the table."""
        return (
            f"{self.calls:8,} {self.seconds:7.1f} {self.in_flight:10} {self.threads:8}"
            f" {self.sockets:8} {self.rss:8.1f}"
        )


def _sockets() -> int:
    count = 0
    for name in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # closed since
            count += str(name.readlink()).startswith("socket:")
    return count


def check(name: str, value: object, met: bool) -> dict[str, Any]:
    """One line of a verdict."""
    return {"check": name, "value": value, "met": met}


def flat(samples: list[Sample], field: str, allowed: float) -> dict[str, Any]:
    """Whether the last quarter holds no more than the second one, but for `allowed`."""
    column = [float(getattr(sample, field)) for sample in samples]
    quarter = max(1, len(column) // 4)
    early = statistics.median(column[quarter : 2 * quarter] or column)
    late = statistics.median(column[-quarter:])
    value = f"{early:g} in the second quarter, {late:g} in the last"
    return check(f"{field} flat", value, late - early <= allowed)

"""Who is next among those that wait: the runs in turn, and within a run who came first. Pure."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Calls of the same run (None: of no run) wait in one line; the lines are served in turn."""

    def __init__(self) -> None:
        self._lines: OrderedDict[str | None, deque[T]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._lines.values()))

    def __bool__(self) -> bool:
        return bool(self._lines)

    def __iter__(self) -> Iterator[T]:
        """In the order in which they will be served, as of now."""
        lines = [list(line) for line in self._lines.values()]
        for number in range(max(map(len, lines), default=0)):
            yield from (line[number] for line in lines if number < len(line))

    def add(self, run: str | None, one: T) -> None:
        """Last in its run's line; a new line comes after all others."""
        self._lines.setdefault(run, deque()).append(one)

    def served(self, run: str | None, one: T) -> None:
        """It got what it waited for: the turn passes to the next run."""
        self.remove(run, one)
        if run in self._lines:
            self._lines.move_to_end(run)

    def remove(self, run: str | None, one: T) -> None:
        """It waits no longer; nothing happens if it did not wait."""
        line = self._lines.get(run)
        if line is not None and one in line:
            line.remove(one)
            if not line:
                del self._lines[run]

    def position(self, one: T) -> int:
        """Its place, 1 for who is next; 0 when it does not wait."""
        return next((place for place, other in enumerate(self, 1) if other is one), 0)

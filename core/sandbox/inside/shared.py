"""Lists, dicts and sets that two processes both hold: what one changes, the other sees.

Each container that crosses the border gets a key. Before a message leaves, every container that
has changed since the last message goes with it, so that a call which sorts its argument in place,
or a caller which appends to what it got, works as it does in one process.
"""

from __future__ import annotations

import operator
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Iterator

TYPE_CHECKING = False  # importing typing would cost each process time and memory
if TYPE_CHECKING:
    from typing import Any

_PROBE = -1

KINDS: dict[type, str] = {
    list: "l",
    dict: "d",
    set: "s",
    bytearray: "y",
    deque: "q",
    OrderedDict: "o",
    defaultdict: "D",
    Counter: "C",
}
MAPPINGS = {"d", "o", "D", "C"}
TYPES = {tag: kind for kind, tag in KINDS.items()}


class Shared:
    """The containers of one side; `first_key` is 0 on one side and 1 on the other."""

    def __init__(self, first_key: int) -> None:
        self._next = first_key
        self._objects: dict[int, Any] = {}
        self._snapshots: dict[int, tuple[Any, ...] | bytes] = {}
        self._keys: dict[int, int] = {}
        self._touched: set[int] = set()

    def key(self, container: Any) -> int | None:
        """The key of a container that is known already."""
        return self._keys.get(id(container))

    def add(self, container: Any, key: int | None = None) -> int:
        """Know `container`, under the other side's `key` or one of our own."""
        if key is None:
            key = self._next
            self._next += 2
        self._objects[key] = container
        self._keys[id(container)] = key
        self._touched.add(key)
        return key

    def get(self, key: int) -> Any:
        """The container of that key; raises KeyError."""
        return self._objects[key]

    def changed(self) -> Iterator[tuple[int, Any]]:
        """Those that are not as they were when the last message went."""
        for key, container in list(self._objects.items()):
            before = self._snapshots.get(key)
            if before is None:
                continue
            if not _same(_snapshot(container), before):
                self._touched.add(key)
                yield key, container

    def touch(self, key: int) -> None:
        """The container of `key` is being filled anew."""
        self._touched.add(key)

    def settle(self) -> None:
        """Remember how the containers of the last message are now."""
        for key in self._touched:
            if key in self._objects:
                self._snapshots[key] = _snapshot(self._objects[key])
        self._touched.clear()

    def unused(self) -> list[int]:
        """Forget, and name, the containers that nobody but this table holds any more."""
        # Pythons differ in what they count, so one that nobody else can hold is the measure.
        self._objects[_PROBE] = []
        counts = {}
        for key in self._objects:
            container = self._objects[key]
            counts[key] = sys.getrefcount(container)
        container = None
        least = counts.pop(_PROBE)
        del self._objects[_PROBE]
        freed = [key for key, count in counts.items() if count <= least]
        for key in freed:
            self.forget(key)
        return freed

    def forget(self, key: int) -> None:
        """Stop knowing the container of `key`, if it is known."""
        container = self._objects.pop(key, None)
        if container is not None:
            self._keys.pop(id(container), None)
            self._snapshots.pop(key, None)


def fill(container: Any, tag: str, items: list[Any]) -> None:
    """Make `items` the content of `container`; pairs for a mapping, one number for each byte."""
    if tag in MAPPINGS:
        container.clear()
        for name, value in items:
            container[name] = value
    elif tag == "s":
        container.clear()
        container.update(items)
    elif tag == "q":
        container.clear()
        container.extend(items)
    else:
        container[:] = bytes(items) if tag == "y" else items


def content(container: Any) -> list[Any]:
    """What `fill` takes."""
    if isinstance(container, dict):
        return list(container.items())
    return list(container)


def _snapshot(container: Any) -> tuple[Any, ...] | bytes:
    """What tells a changed container; a container inside has a snapshot of its own."""
    if isinstance(container, dict):
        return (*container.keys(), *container.values())
    return bytes(container) if isinstance(container, bytearray) else tuple(container)


def _same(now: tuple[Any, ...] | bytes, before: tuple[Any, ...] | bytes) -> bool:
    if isinstance(now, bytes):
        return now == before
    return len(now) == len(before) and all(map(operator.is_, now, before))

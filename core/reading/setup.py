"""Statements that stand before a check, and which of them it needs."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from core.reading.pysource import BUILTINS, bound, loaded, missing, parse


class Setup:
    """The statements so far; `names` are those that a check may count on from the start."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._lines: list[str] = []
        self.known: set[str] = set(names)
        self.reaches: set[str] = set(names)

    def add(self, source: str, node: ast.AST) -> None:
        """Note a statement; what it computes from a reaching name reaches the candidate too."""
        own = {name for part in ast.walk(node) for name in bound(part)}
        if loaded(node) & self.reaches:
            self.reaches |= own
        self._lines.append(source)
        self.known |= own

    def uses(self, node: ast.AST) -> bool:
        """Whether `node` reaches the candidate, itself or by a variable."""
        return bool(loaded(node) & self.reaches)

    def touches(self, node: ast.AST) -> bool:
        """Whether `node` reads a variable that the setup made."""
        return bool(loaded(node) & (self.known - self._names))

    def changes(self, node: ast.AST) -> bool:
        """Whether an expression may change what the setup made: it calls more than a builtin."""
        return self.touches(node) and any(
            isinstance(part, ast.Call)
            and not (isinstance(part.func, ast.Name) and part.func.id in BUILTINS)
            for part in ast.walk(node)
        )

    def before(self, check: str) -> tuple[str, ...]:
        """The statements that `check` needs, in order."""
        return relevant(self._lines, check)


def relevant(lines: Sequence[str], check: str) -> tuple[str, ...]:
    """Those of `lines` that bind or change what `check` reads, directly or not."""
    tree = parse(check)
    needed = set(missing(tree)) if tree is not None else set()
    kept: list[str] = []
    for line in reversed(lines):
        node = parse(line)
        if node is None:
            continue
        own = {name for part in ast.walk(node) for name in bound(part)}
        changes = not own and loaded(node) & needed
        if own & needed or changes:
            kept.append(line)
            needed |= missing(node)
    return tuple(reversed(kept))

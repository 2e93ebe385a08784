"""Which of a reply's blocks is the program."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from core.reading.bare import code_like, defines
from core.reading.pysource import (
    DEFINITIONS,
    Budget,
    defined,
    does_something,
    has_definition,
    is_stub,
    loaded,
    missing,
)


@dataclass(frozen=True, slots=True)
class Found:
    """A piece of a reply that may be the program; `closed` is False when it breaks off."""

    code: str
    closed: bool
    how: str


def program(found: Sequence[Found], wanted: str | None, budget: Budget) -> Found | None:
    """The last whole piece that defines `wanted`, joined with the pieces that it needs.

    Without a wanted name the longest piece with a definition. None when nothing parses and defines.
    """
    whole: list[tuple[int, ast.Module]] = []
    for index, piece in enumerate(found):
        tree = budget.parse(piece.code)
        if tree is None:
            continue
        if has_definition(tree) if wanted is None else wanted in defined(tree):
            whole.append((index, tree))
    if not whole:
        return None

    def worth(entry: tuple[int, ast.Module]) -> tuple[bool, bool, int, int]:
        index, tree = entry
        piece = found[index]
        stub = wanted is not None and is_stub(tree, wanted)
        return not stub, piece.closed, 0 if wanted else len(piece.code), index

    index, tree = max(whole, key=worth)
    return _with_helpers(found, index, tree, wanted, budget)


def _with_helpers(
    found: Sequence[Found], index: int, tree: ast.Module, wanted: str | None, budget: Budget
) -> Found:
    needed = set(missing(tree))
    helpers: list[int] = []
    # Nearest first; a piece that defines the wanted name again is taken only when nothing else has
    # what is needed, and its definition is overridden by the chosen one behind it.
    near = sorted(
        (other for other in range(len(found)) if other != index),
        key=lambda other: (_defines(found[other], wanted, budget), abs(other - index)),
    )
    for _ in range(3):  # helpers may need helpers
        for other in near:
            helper = budget.parse(found[other].code) if needed else None
            if other in helpers or helper is None or _is_usage(helper, wanted):
                continue
            gives = defined(helper) & needed
            if gives and (other < index or not _defines(found[other], wanted, budget)):
                helpers.append(other)
                needed = (needed - defined(helper)) | (missing(helper) - defined(tree))
    if not helpers:
        return found[index]
    parts = [found[other].code.strip("\n") for other in sorted(helpers)]
    code = "\n\n\n".join([*parts, found[index].code.strip("\n")])
    return Found(code, found[index].closed, "joined") if budget.parse(code) else found[index]


def _defines(piece: Found, wanted: str | None, budget: Budget) -> bool:
    tree = budget.parse(piece.code)
    return tree is not None and wanted is not None and wanted in defined(tree)


def _is_usage(tree: ast.Module, wanted: str | None) -> bool:
    """Whether a piece runs the wanted thing on import without defining it."""
    return wanted not in defined(tree) and any(
        wanted in loaded(statement)
        for statement in tree.body
        if not isinstance(statement, DEFINITIONS)
    )


def next_best(found: Sequence[Found], wanted: str | None, budget: Budget) -> Found | None:
    """The piece to run when none is a whole program with the wanted name; None for no code."""
    if wanted is not None:
        named = [piece for piece in found if defines(piece.code, wanted)]
        if named:
            return Found(named[-1].code, named[-1].closed, "broken")
    unfinished = [piece for piece in found if not piece.closed and piece.code.strip()]
    if unfinished:
        return unfinished[-1]
    other = program(found, None, budget)
    if other is not None:
        return other
    broken = [piece for piece in found if _looks_broken(piece, budget)]
    if broken:
        longest = max(broken, key=lambda piece: len(piece.code))
        return Found(longest.code, longest.closed, "broken")
    plain = [
        piece
        for piece in found
        if (tree := budget.parse(piece.code)) is not None and does_something(tree)
    ]
    return max(plain, key=lambda piece: len(piece.code)) if plain else None


def _looks_broken(piece: Found, budget: Budget) -> bool:
    if budget.parse(piece.code) is not None or not piece.code.strip():
        return False
    lines = [line for line in piece.code.split("\n") if line[:1].strip()]
    return bool(lines) and 2 * sum(map(code_like, lines)) >= len(lines)

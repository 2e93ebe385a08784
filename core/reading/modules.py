"""Modules of the standard library that an assert of a goal reads without importing them."""

from __future__ import annotations

import ast
import importlib
import re

_MODULES = ("collections", "datetime", "decimal", "fractions", "json", "math")
_CHANGING = {"now", "today", "utcnow"}  # another value each time
_EXACT = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)


def modules_of(goal: str) -> frozenset[str]:
    """Those that `goal` names as modules only, as in `math.isclose`: a variable stands alone."""
    alone = set(re.findall(r"\b[a-z]+\b(?!\.\w)", goal))
    return frozenset(_MODULES) - alone


def imported(node: ast.stmt, modules: frozenset[str]) -> tuple[str, ...]:
    """An import for each of `modules` that the assert `node` reads; none for other statements,
    nor where it holds today only, compares floats to the last digit, or with a Decimal."""
    parts = [part for part in ast.walk(node) if isinstance(part, ast.Attribute)]
    read = {(part.value.id, part.attr) for part in parts if isinstance(part.value, ast.Name)}
    found = sorted({name for name, _ in read if name in modules})
    attributes = {part.attr for part in parts}
    exact = any(isinstance(part, _EXACT) for part in ast.walk(node))
    floats = any(
        isinstance(part, ast.Constant) and isinstance(part.value, float) for part in ast.walk(node)
    )
    mixed = ("math" in found and exact) or ("decimal" in found and floats)
    if not isinstance(node, ast.Assert) or attributes & _CHANGING or mixed:
        return ()
    there = all(
        hasattr(importlib.import_module(name), attribute)
        for name, attribute in read
        if name in found
    )
    return tuple(f"import {name}" for name in found) if there else ()

"""Modules of the standard library that an assert of a goal reads without importing them."""

from __future__ import annotations

import ast
import re

from core.reading.imports import import_of
from core.reading.pysource import loaded

_MODULES = ("collections", "datetime", "decimal", "fractions", "json", "math")
_CHANGING = {"now", "today", "utcnow"}  # another value each time
_EXACT = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)


def modules_of(goal: str) -> frozenset[str]:
    """Those that `goal` names as modules only, as in `math.isclose`: a variable stands alone."""
    alone = set(re.findall(r"\b[a-z]+\b(?!\.\w)", goal))
    return frozenset(_MODULES) - alone


def modules_read(node: ast.stmt, modules: frozenset[str]) -> frozenset[str]:
    """Those of `modules` that the assert `node` reads something of; none of other statements, nor
    where it holds today only, compares floats to the last digit, or with a Decimal."""
    parts = list(ast.walk(node))
    found = {name for name in modules & loaded(node) if import_of(name, node) == f"import {name}"}
    changing = any(isinstance(part, ast.Attribute) and part.attr in _CHANGING for part in parts)
    exact = any(isinstance(part, _EXACT) for part in parts)
    floats = any(isinstance(part, ast.Constant) and isinstance(part.value, float) for part in parts)
    mixed = ("math" in found and exact) or ("decimal" in found and floats)
    return frozenset(found if isinstance(node, ast.Assert) and not (changing or mixed) else ())

"""Tests that a model wrote below its code: they are no part of the program.

They would run at its import, and a wrong one would keep right code from running at all.
"""

from __future__ import annotations

import ast

from core.reading.pysource import DEFINITIONS, loaded, parse


def without_asserts(code: str) -> str:
    """The code without asserts at module level that use its functions or classes, and without the
    comments right above them; unchanged where it doesn't parse."""
    tree = parse(code)
    if tree is None:
        return code
    own = {node.name for node in tree.body if isinstance(node, DEFINITIONS)}
    tests = [node for node in tree.body if isinstance(node, ast.Assert) and loaded(node) & own]
    kept = {line for node in tree.body if node not in tests for line in _lines(node)}
    lines = code.split("\n")
    dropped: set[int] = set()
    for test in tests:
        above = test.lineno - 1
        while above and lines[above - 1].startswith("#"):
            above -= 1
        dropped |= {*range(above + 1, test.lineno), *_lines(test)}
    if not dropped - kept:
        return code
    left = [line for number, line in enumerate(lines, 1) if number in kept or number not in dropped]
    return "\n".join(left).rstrip() + "\n"


def _lines(node: ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)

"""Where code breaks off without meaning to.

Of 172 programs for half of the benchmark's tasks that pass all examples 14 did so on calls like
those: 9 of them were wrong, of the other 158 only 13 (docs/benchmark.md).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from core.events import CaseResult
from core.reading.pysource import parse

# By these code says that it won't take what it was given.
_MEANT = re.compile(r"\(solution\.py line \d+: (?:raise|assert)\b")


def broke_off(result: CaseResult) -> str:
    """The error that ended the case, where the code neither raised nor asserted it; else ''.

    What runs too long, or is stopped by the sandbox, does not break off.
    """
    unmeant = result.result == "error" and not _MEANT.search(result.message)
    return result.message if unmeant else ""


def fair(calls: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """The calls that a goal with the calls `known` surely means.

    Whether [] or '' is one of its inputs is open until one of `known` has it too: of right programs
    for half of the benchmark's tasks four break off there, and one or two on any other call.
    """
    usual = set[str]().union(*map(_empty, known))
    return tuple(call for call in calls if _empty(call) <= usual)


def _empty(call: str) -> set[str]:
    """What of the call is empty, as source: '[]', "''"."""
    tree = parse(call)
    nodes = ast.walk(tree) if tree is not None else ()
    return {text for node in nodes if (text := _source(node)) in _EMPTY}


_EMPTY = frozenset({"[]", "()", "{}", "''", "set()", "b''"})


def _source(node: ast.AST) -> str:
    return ast.unparse(node) if isinstance(node, ast.expr) else ""

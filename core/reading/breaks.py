"""Where code breaks off without meaning to.

Of 172 programs for half of the benchmark's tasks that pass all examples 14 did so on calls like
those: 9 of them were wrong, of the other 158 only 13 (docs/benchmark.md).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence

from core.events import CaseResult
from core.reading.asserts import expression

_WHERE = re.compile(r"\(solution\.py line \d+: (.*)\)$", re.DOTALL)
# By these code says that it won't take what it was given; the last two are not its own fault.
_MEANT = re.compile(r"\b(?:raise|assert|exit)\b")
_STOPPED = ("MemoryError", "SystemExit")


def broke_off(result: CaseResult) -> str:
    """The error that ended the case in the code, which neither raised nor asserted it; else ''.

    What runs too long, or is stopped by the sandbox, does not break off.
    """
    where = _WHERE.search(result.message) if result.result == "error" else None
    if where is None or _MEANT.search(where[1]) or result.message.startswith(_STOPPED):
        return ""
    return result.message


def fair(calls: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """Those calls that a goal with the calls `known` likely means.

    Open is whether it means what is empty (of right programs for half of the benchmark's tasks four
    break off there, one or two on any other call), tuples of another length, equal arguments, a
    shorter sequence beside a number, or part of a text that is more than words: only where one of
    `known` has it too.
    """
    usual = [arguments for call in known if (arguments := _arguments(call))]
    return tuple(call for call in calls if _marks(_arguments(call), usual) <= _all_marks(usual))


def _all_marks(usual: Sequence[Sequence[ast.expr]]) -> set[str]:
    return set[str]().union(*(_marks(arguments, usual) for arguments in usual))


def _marks(arguments: Sequence[ast.expr], usual: Sequence[Sequence[ast.expr]]) -> set[str]:
    """What is unusual about these arguments, in words that are the same where it is the same."""
    texts = [ast.unparse(one) for one in arguments]
    known = {ast.unparse(one) for row in usual for one in row}
    nodes = [node for one in arguments for node in ast.walk(one) if isinstance(node, ast.expr)]
    found = {text for node in nodes if (text := ast.unparse(node)) in _EMPTY}
    found |= {f"{len(node.elts)} in a tuple" for node in nodes if isinstance(node, ast.Tuple)}
    if len(set(texts)) < len(texts):
        found.add("equal arguments")
    for one, text in zip(arguments, texts, strict=True):
        if text in known:
            continue
        if _is_sequence(one) and any(_is_number(other) for other in arguments):
            found.add("another sequence beside a number")
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and _structured(usual):
            found.add("another text")
    return found


def _structured(usual: Sequence[Sequence[ast.expr]]) -> bool:
    """Whether texts in the known calls are more than words: dates, sums, paths."""
    return any(
        isinstance(one, ast.Constant)
        and isinstance(one.value, str)
        and not all(letter.isalpha() or letter.isspace() for letter in one.value)
        for row in usual
        for one in row
    )


def _is_sequence(one: ast.expr) -> bool:
    text = isinstance(one, ast.Constant) and isinstance(one.value, str)
    return text or isinstance(one, ast.List)


def _is_number(one: ast.expr) -> bool:
    inner = one.operand if isinstance(one, ast.UnaryOp) else one
    return isinstance(inner, ast.Constant) and isinstance(inner.value, int | float)


def _arguments(call: str) -> tuple[ast.expr, ...]:
    node = expression(call)
    if not isinstance(node, ast.Call):
        return ()
    return (*node.args, *(word.value for word in node.keywords))


_EMPTY = frozenset({"[]", "()", "{}", "''", "set()", "b''"})

"""Where code breaks off without meaning to.

Of 172 programs for half of the benchmark's tasks that pass all examples 14 did so on calls like
those: 9 of them were wrong, of the other 158 only 13 (docs/benchmark.md).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence, Set

from core.events import CaseResult
from core.reading.asserts import expression

_WHERE = re.compile(r"\(solution\.py line \d+: (.*)\)$", re.DOTALL)
# By these code says that it won't take what it was given.
_MEANT = re.compile(r"\b(?:raise|assert|exit)\b")
# The sandbox's limit, and an end that was asked for.
_STOPPED = ("MemoryError", "SystemExit")
_EMPTY = frozenset({"[]", "()", "{}", "''", "set()", "b''"})


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
    break off there, one or two on any other call), tuples of another length, equal arguments,
    another sequence beside a number, or another text where texts are more than words: only where
    one of `known` has it too.
    """
    rows = [_arguments(call) for call in known]
    usual = {ast.unparse(one) for row in rows for one in row}
    words = all(_is_words(_text(one) or "") for row in rows for one in row)
    allowed = set[str]().union(*(_marks(row, usual, words) for row in rows))
    return tuple(call for call in calls if _marks(_arguments(call), usual, words) <= allowed)


def _marks(arguments: Sequence[ast.expr], usual: Set[str], words: bool) -> set[str]:
    """What is unusual about these arguments, in words that are the same where it is the same.

    `usual`: the source of known ones; `words`: whether all known texts are no more than that.
    """
    texts = [ast.unparse(one) for one in arguments]
    nodes = [node for one in arguments for node in ast.walk(one) if isinstance(node, ast.expr)]
    found = {text for node in nodes if (text := ast.unparse(node)) in _EMPTY}
    found |= {f"{len(node.elts)} in a tuple" for node in nodes if isinstance(node, ast.Tuple)}
    if len(set(texts)) < len(texts):
        found.add("equal arguments")
    others = [one for one, text in zip(arguments, texts, strict=True) if text not in usual]
    sequence = any(_text(one) is not None or isinstance(one, ast.List) for one in others)
    if sequence and any(_is_number(one) for one in arguments):
        found.add("another sequence beside a number")
    if not words and any(_text(one) is not None for one in others):
        found.add("another text")
    return found


def _is_words(text: str) -> bool:
    """Whether it is no date, sum or path."""
    return all(letter.isalpha() or letter.isspace() for letter in text)


def _text(one: ast.expr) -> str | None:
    is_text = isinstance(one, ast.Constant) and isinstance(one.value, str)
    return ast.literal_eval(one) if is_text else None


def _is_number(one: ast.expr) -> bool:
    inner = one.operand if isinstance(one, ast.UnaryOp) else one
    return isinstance(inner, ast.Constant) and isinstance(inner.value, int | float)


def _arguments(call: str) -> tuple[ast.expr, ...]:
    node = expression(call)
    if not isinstance(node, ast.Call):
        return ()
    return (*node.args, *(word.value for word in node.keywords))

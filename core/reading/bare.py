"""Code between sentences, without a fence."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass

from core.reading.pysource import Budget, defined

_STRONG = re.compile(
    r"(?:async\s+def|def)\s+\w+|class\s+\w+\s*[(:]|@\w[\w.]*(?:\(.*)?$|import\s+[\w.]+(?:\s+as\s+\w+)?"
    r"(?:\s*,.*)?\s*(?:#.*)?$|from\s+[\w.]+\s+import\b|[A-Za-z_][\w.\[\]'\"]*\s*(?::[^=]+)?"
    r"(?:[-+*/|&%]|//|\*\*)?=(?!=)\s*\S|if\s+__name__\b"
)
_WEAK = re.compile(
    r"[A-Za-z_][\w.]*\(.*|print\b|(?:if|elif|while|with|for|except|match)\b.*:\s*(?:#.*)?$|"
    r"(?:else|try|finally|except)\s*:|assert\s|raise\b|pass$|return\b|\#|\"\"\"|'''|[)\]}]"
)
# Further lines that a program may begin with, though a sentence might as well.
_START = re.compile(r"(?:if|while|with|for)\b.*:\s*(?:#.*)?$|try\s*:|\#|\"\"\"|'''")
_MOST_STEPS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A run of lines that holds code; `tail` is False when prose or nothing follows it."""

    code: str
    parses: bool
    cut_off: bool


def code_like(line: str) -> bool:
    """Whether a line at the left margin looks like a statement rather than a sentence."""
    return bool(_STRONG.match(line) or _WEAK.match(line))


def defines(text: str, name: str) -> bool:
    """Whether some line of `text`, parsable or not, reads like a definition of `name`."""
    return _definition(name).search(text) is not None


def _definition(name: str) -> re.Pattern[str]:
    word = re.escape(name)
    return re.compile(
        rf"^[ \t]*(?:(?:async[ \t]+)?def|class)[ \t]+{word}\b|^{word}[ \t]*(?::[^=\n]+)?=(?!=)",
        re.MULTILINE,
    )


def passage(text: str, wanted: str | None, budget: Budget) -> Passage | None:
    """The longest run of whole lines that parses and holds the wanted definition.

    Where that definition doesn't parse, its lines come back as they are, so that executing them
    shows the error. None when no line looks like code.
    """
    lines = text.split("\n")
    strong = [number for number, line in enumerate(lines) if _STRONG.match(line)]
    if not strong:
        return None
    target = _target(lines, strong, wanted)
    starts = [n for n, line in enumerate(lines) if _STRONG.match(line) or _START.match(line)]
    start = starts[0]
    end = len(lines)
    for _ in range(_MOST_STEPS):
        tree, bad = budget.attempt("\n".join(lines[start:end]))
        if tree is not None:
            start, end = _trimmed(lines, start, end, tree)
            return Passage(code="\n".join(lines[start:end]), parses=True, cut_off=False)
        stop = min(start + bad - 1, end - 1)
        if stop < target or (stop == target and start < target):
            start = next((number for number in starts if number > max(stop, start)), target)
            start = min(start, target)
        elif stop > target and lines[stop][:1].strip() and not code_like(lines[stop]):
            end = stop
        else:
            break
    return _broken(lines, strong, target)


def _target(lines: Sequence[str], strong: Sequence[int], wanted: str | None) -> int:
    if wanted is not None:
        pattern = _definition(wanted)
        for number in strong:
            if pattern.match(lines[number]):
                return number
    definition = re.compile(r"(?:async\s+def|def|class)\s")
    return next((number for number in strong if definition.match(lines[number])), strong[0])


def _broken(lines: Sequence[str], strong: Sequence[int], target: int) -> Passage:
    start = target
    while start and (not lines[start - 1].strip() or _STRONG.match(lines[start - 1])):
        start -= 1
    while not lines[start].strip():
        start += 1
    end = target + 1
    for number in range(target + 1, len(lines)):
        line = lines[number]
        if line[:1].strip() and not code_like(line):
            break
        if line.strip():
            end = number + 1
    rest = "\n".join(lines[end:]).strip()
    return Passage(code="\n".join(lines[start:end]), parses=False, cut_off=not rest)


def _trimmed(lines: Sequence[str], start: int, end: int, tree: ast.Module) -> tuple[int, int]:
    """Without words such as "Done" at either end, which parse as names."""
    known = defined(tree)
    body = list(tree.body)
    first = start
    while body and _is_word(body[-1], known):
        end = start + body.pop().lineno - 1
    while body and _is_word(body[0], known):
        first = start + (body.pop(0).end_lineno or 1)
    return min(first, end), end


def _is_word(statement: ast.stmt, known: frozenset[str]) -> bool:
    if isinstance(statement, ast.AnnAssign) and statement.value is None:
        return not (
            isinstance(statement.annotation, ast.Name) and statement.annotation.id[:1].islower()
        )
    if not isinstance(statement, ast.Expr):
        return False
    value = statement.value
    if isinstance(value, ast.List) and len(value.elts) == 1:
        value = value.elts[0]
    return isinstance(value, ast.Name) and value.id not in known

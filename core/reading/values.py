"""Values and calls inside a sentence."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from core.reading.asserts import expression, is_closed, is_constant
from core.reading.scan import balanced_end

_STRING = re.compile(r"""[rRbB]{0,2}(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')""")
_NUMBER = re.compile(r"[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_WORDS = {
    "true": "True",
    "false": "False",
    "True": "True",
    "False": "False",
    "None": "None",
    "an empty list": "[]",
    "an empty string": '""',
    "an empty dict": "{}",
    "an empty dictionary": "{}",
    "an empty tuple": "()",
    "an empty set": "set()",
}
_NAMED_VALUE = re.compile("|".join(sorted(_WORDS, key=len, reverse=True)) + r"|set\(\)")
_MAY_FOLLOW = re.compile(
    r"[`*]*\s*(?:$|\n|[,;)\]!?\"'](?!\d)|\.(?!\w)|\(|\#|\u2014|--|-\s+(?!\d)|"
    r"(?:because|since|as|and|but|while|when|if|for|where|which|so|due|then)\b)"
)
# After "4 and": another example, not a second value.
_MORE = re.compile(r"=|->|[\u2192\u279e\u21d2]|\b(?:returns?|gives?|yields?|is|becomes?)\b")
_CHAINED = re.compile(r"[`*]*\s*(?:,\s*|and\s+)(?:[-+\d\"'\[({]|None|True|False)")


@dataclass(frozen=True, slots=True)
class Value:
    """A piece of Python in a sentence and its offsets there."""

    source: str
    start: int
    end: int

    @property
    def is_number(self) -> bool:
        """Whether it ends like a number."""
        return self.source[-1:].isdigit() or self.source[-1:] == "."


def value_after(line: str, at: int) -> Value | None:
    """The value that a relation before `at` speaks of; also "true" and "an empty list"."""
    space = re.compile(r"\s*[`*]*(?:the\s+(?:string|list|number|value|integer)\s+)?[`]*").match(
        line, at
    )
    start = space.end() if space is not None else at
    named = _NAMED_VALUE.match(line, start)
    if named is not None and not line[named.end() : named.end() + 1].isalnum():
        return Value(_WORDS.get(named.group(), named.group()), start, named.end())
    return value_at(line, start)


def is_clear(line: str, wanted: Value) -> bool:
    """Whether the sentence lets the value stand: no unit, no operator, no alternative after it."""
    rest = line[wanted.end : wanted.end + 100]
    if _CHAINED.match(rest) and wanted.is_number and not _MORE.search(rest):
        return False
    if re.match(r"[`*]*\s*(?:or\b|=|\+|\*\*?\s*\d|/|%|<|->|\u2192)", rest):
        return False
    if wanted.source in _WORDS.values() or not wanted.is_number:
        return not rest[:1].isalnum()
    return _MAY_FOLLOW.match(rest) is not None


def value_at(line: str, at: int) -> Value | None:
    """The literal that begins at `at`, if it stands apart from what is before it."""
    before = line[at - 1 : at]
    if before and (before.isalnum() or before in "_.)]}$\u20ac/\\-+" or before in "\"'"):
        return None
    character = line[at : at + 1]
    end: int | None = None
    if character and character in "([{":
        end = balanced_end(line, at)
    elif match := (_STRING.match(line, at) or _NUMBER.match(line, at)):
        end = match.end()
        if match.group().endswith(".") or line[end : end + 1].isalnum():
            end = end - 1 if match.group().endswith(".") else None
        elif re.match(r"[%:/]\w|,\d|-\d", line[end:]) or line[end : end + 1] == "%":
            end = None
    if end is None:
        return None
    source = line[at:end]
    node = expression(source)
    if node is None or not is_constant(node) or source == "()" or line[end : end + 1] in ("'", '"'):
        return None
    return Value(source, at, end)


def call_at(line: str, at: int, names: frozenset[str]) -> Value | None:
    """The longest call expression that begins at `at` and calls one of `names`."""
    match = re.compile(r"(?<![\w.])(?:not\s+)?([A-Za-z_][\w.]*)\(").match(line, at)
    if match is None:
        return None
    end = balanced_end(line, match.end() - 1)
    while end is not None:
        trailer = re.compile(r"(?:\.[A-Za-z_]\w*)*[(\[]").match(line, end)
        if trailer is None:
            attribute = re.compile(r"(?:\.[A-Za-z_]\w*)+(?=\s*(?:==|->|=>|is\b|`))").match(
                line, end
            )
            end = attribute.end() if attribute is not None else end
            break
        longer = balanced_end(line, trailer.end() - 1)
        if longer is None:
            break
        end = longer
    if end is None:
        return None
    source = line[at:end]
    node = expression(source)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
        node = node.args[0] if len(node.args) == 1 and not node.keywords else None
        source = ast.unparse(node) if node is not None else ""
    if node is None or not is_closed(node, names):
        return None
    called = {
        part.func.id
        for part in ast.walk(node)
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name)
    }
    return Value(source, at, end) if called & names else None

"""Interactive examples (`>>> f(2)`) anywhere in a goal, also when sloppily written."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from core.reading.asserts import expression, is_closed, is_constant
from core.reading.pysource import bound, parse
from core.reading.setup import Setup

_PROMPT = re.compile(r"[ \t>*-]*?>>>[ \t]?(.*)")
_MORE = re.compile(r"[ \t]*\.\.\.(?:[ \t](.*)|[ \t]*)$")
_ENDS = re.compile(r"[ \t]*(?:\"\"\"|'''|```|~~~|>>>)")
_SAID = re.compile(
    r"^(?P<call>.*\))\s*(?:#+\s*)?(?:==>|=>|-+>|\u279e|\u2192|\u21d2|==?|(?:should\s+)?returns?\b|gives\b)\s*"
    r"(?P<want>[^=].*)$"
)
_ERROR = re.compile(r"^([A-Za-z_][\w.]*)(?::|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """Statements to run before a check, and the check; both are Python source."""

    setup: tuple[str, ...]
    check: str


@dataclass(frozen=True, slots=True)
class _Entry:
    source: str
    want: tuple[str, ...]


def doctests(text: str, names: frozenset[str]) -> Iterator[Example]:
    """Examples out of prompts in `text` that call one of `names`; unclear ones are left out."""
    setup = Setup(names)
    for entry in _entries(text):
        if entry is None:
            setup = Setup(names)
            continue
        tree, want = parse(entry.source), entry.want
        if tree is None or (not want and "#" in entry.source):
            said, shown = _one_line(entry)
            tree, want = (said, shown) if said is not None else (tree, want)
        if tree is None or not tree.body or not is_closed(tree, setup.known | _own(tree)):
            continue
        source = entry.source if want is entry.want else ast.unparse(tree)
        check = _check(source, tree, want) if setup.uses(tree) else None
        if check is not None:
            yield Example(setup=setup.before(check), check=check)
        if not _raises(want) and (not isinstance(tree.body[-1], ast.Expr) or setup.changes(tree)):
            setup.add(source, tree)


def _own(tree: ast.AST) -> frozenset[str]:
    return frozenset(name for node in ast.walk(tree) for name in bound(node))


def _entries(text: str) -> Iterator[_Entry | None]:
    """The prompts with the lines shown below them; None where a new block begins."""
    lines = text.split("\n")
    at = 0
    last = -1
    while at < len(lines):
        match = _PROMPT.match(lines[at])
        if match is None:
            at += 1
            continue
        if last >= 0 and any(line.strip() for line in lines[last:at]):
            yield None
        source = [match[1]]
        at += 1
        while at < len(lines) and (more := _MORE.match(lines[at])):
            source.append(more[1] or "")
            at += 1
        want = []
        while at < len(lines) and lines[at].strip() and not _ENDS.match(lines[at]):
            line = re.split(r"\"\"\"|'''$", lines[at])[0]
            want.append(line.strip())
            at += 1
        last = at
        yield _Entry("\n".join(source).strip(), tuple(want))


def _one_line(entry: _Entry) -> tuple[ast.Module | None, tuple[str, ...]]:
    """`>>> f(2) -> 4`: call and expected value in one line."""
    match = _SAID.match(entry.source)
    if match is None or entry.want and _value(entry.want) is not None:
        return None, ()
    return parse(match["call"]), (match["want"].strip(),)


def _raises(want: tuple[str, ...]) -> bool:
    return bool(want) and want[0].startswith("Traceback")


def _value(want: tuple[str, ...]) -> str | None:
    """The expected value as source: all lines, or the first where prose follows it."""
    for text in ("\n".join(want), *want[:1]):
        bare = text.strip()
        node = expression(bare)
        if node is not None and is_constant(node):
            return bare
    return None


def _check(source: str, tree: ast.Module, want: tuple[str, ...]) -> str | None:
    last = tree.body[-1]
    if not isinstance(last, ast.Expr) or len(tree.body) > 1:
        return None
    if isinstance(last.value, ast.Compare) and (not want or want[0] == "True"):
        return f"assert {ast.unparse(last)}"
    if not want:
        return None
    call = ast.unparse(last)
    if _raises(want):
        match = _ERROR.match(want[-1])
        return raising(call, match[1]) if match is not None and len(want) > 1 else None
    printed = _printed(last.value)
    if printed is not None:
        shown = "\n".join(want)
        return f"assert str({printed}) == {shown!r}"
    value = _value(want)
    if value is not None:
        if len(want) > 1 and "print" in call:
            return None
        return f"assert {call} == {value}"
    node = expression(want[0]) if len(want) == 1 else None
    if isinstance(node, ast.Call) and all(is_constant(arg) for arg in node.args):
        return f"assert repr({call}) == {want[0]!r}"
    return None


def _printed(value: ast.expr) -> str | None:
    """The argument of a plain `print(x)`."""
    match value:
        case ast.Call(func=ast.Name(id="print"), args=[argument], keywords=[]):
            return None if isinstance(argument, ast.Starred) else ast.unparse(argument)
    return None


def raising(statement: str, error: str) -> str:
    """A check that `statement` raises `error`; other errors show themselves."""
    body = "\n".join("    " + line for line in statement.split("\n"))
    return (
        f"try:\n{body}\nexcept {error.rpartition('.')[2]}:\n    pass\n"
        f"else:\n    raise AssertionError({'no ' + error + ' was raised'!r})"
    )

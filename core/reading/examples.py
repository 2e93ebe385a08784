"""The examples that a goal gives, in whatever form."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from core.reading.asserts import is_closed
from core.reading.doctests import Example, doctests, raising
from core.reading.led import led
from core.reading.modules import modules_of, modules_read
from core.reading.phrases import DENIAL, is_error, phrases
from core.reading.plans import Plan, goal_names
from core.reading.pysource import parse
from core.reading.setup import Setup
from core.reading.stubs import headers
from core.reading.values import value_at

_PREFIX = re.compile(r"^\s*(?:(?:[-*\u2022+]|\d{1,2}[.)])\s+)?(?:`+(?=[^`]+`+\s*[.,;]?\s*$))?")
_COMMENT = re.compile(
    r"(?P<code>.*?\S)\s*#+\s*(?:==?>|-+>|\u2192|\u279e|returns?|prints?|gives?|raises?|==?|is)?\s*(?P<want>\S.*)$"
)
_MOST_LINES = 8


def examples(goal: str, plan: Plan) -> Iterator[Example]:
    """Everything in `goal` that shows what the planned name does; unclear examples are left out."""
    text = goal.replace("\r\n", "\n").replace("\r", "\n")
    names = goal_names(text) | {plan.name}
    text = _without_headers(text)
    lines = _without_prompts(text.split("\n"))
    none = True
    for example in _sure(text, lines, plan, names):
        none = False
        yield example
    if none:
        yield from led(lines, names)


def _sure(text: str, lines: Sequence[str], plan: Plan, names: frozenset[str]) -> Iterator[Example]:
    rest = list(lines)
    yield from doctests(text, names)
    yield from _code(lines, rest, names)
    yield from phrases("\n".join(rest), plan.name, plan.signature, names)


def _without_headers(text: str) -> str:
    """Headers blanked out: `def f() -> None` is no example."""
    for stub in headers(text):
        blank = re.sub(r"[^\n]", " ", text[stub.start : stub.end])
        text = text[: stub.start] + blank + text[stub.end :]
    return text


def _without_prompts(lines: Sequence[str]) -> list[str]:
    """Prompts and the output shown below them blanked out."""
    kept = []
    inside = False
    for line in lines:
        bare = line.strip()
        inside = ">>>" in line or (
            inside and bool(bare) and not bare.startswith(('"""', "'''", "```"))
        )
        kept.append("" if inside else line)
    return kept


def _code(lines: Sequence[str], rest: list[str], names: frozenset[str]) -> Iterator[Example]:
    """Examples written as statements; the lines that they take are blanked in `rest`."""
    setup = Setup(names)
    modules = modules_of("\n".join(lines))
    denied = False
    at = 0
    while at < len(lines):
        statement, size = _statement(lines, at)
        if statement is None:
            bare = lines[at].strip()
            if bare and not bare.startswith(("```", "~~~", "#")):
                setup = Setup(names)
                denied = bare.endswith(":") and DENIAL.search(bare) is not None
            at += 1
            continue
        source, comment = statement
        found = list(_checks(source, comment, setup, modules))
        if found or any(isinstance(node, ast.Assign) for node in _body(source)):
            rest[at : at + size] = [""] * size
        if not denied:
            yield from found
        at += size


def _body(source: str) -> list[ast.stmt]:
    tree = parse(source)
    return tree.body if tree is not None else []


def _statement(lines: Sequence[str], at: int) -> tuple[tuple[str, str] | None, int]:
    """The statement that begins on line `at` with its comment, and its number of lines."""
    joined = _PREFIX.sub("", lines[at], count=1).rstrip()
    if not joined or not re.match(r"[A-Za-z_(\[{]", joined):
        return None, 1
    ticked = joined.rstrip(" .,;").rstrip("`")
    for size in range(1, _MOST_LINES + 1):
        for text in dict.fromkeys((joined, ticked if size == 1 else joined)):
            commented = _COMMENT.fullmatch(text) if size == 1 else None
            code = commented["code"] if commented and parse(commented["code"]) else text
            if parse(code) is not None and _is_statement(_body(code)):
                return (code, commented["want"] if commented and code != text else ""), size
        if at + size >= len(lines) or not re.search(r"[(\[{,]\s*$", joined):
            break
        joined += "\n" + lines[at + size].rstrip()
    return None, 1


def _is_statement(body: Sequence[ast.stmt]) -> bool:
    simple = (ast.Assign, ast.AugAssign, ast.Import, ast.ImportFrom, ast.Assert)
    shown = (ast.Call, ast.Compare, ast.Attribute, ast.BoolOp, ast.Subscript, ast.Await)
    return bool(body) and all(
        isinstance(node, simple) or (isinstance(node, ast.Expr) and isinstance(node.value, shown))
        for node in body
    )


def _checks(source: str, comment: str, setup: Setup, modules: frozenset[str]) -> Iterator[Example]:
    for node in _body(source):
        text = ast.get_source_segment(source, node) or ast.unparse(node)
        if not is_closed(node, setup.known):
            read = modules_read(node, modules - setup.known)
            if read and is_closed(node, setup.known | read) and setup.uses(node):
                imports = [f"import {name}" for name in sorted(read)]
                yield Example(setup=(*imports, *setup.before(text)), check=text)
            continue
        checks = list(_claims(text, node, comment)) if setup.uses(node) else []
        for check in checks:
            yield Example(setup=setup.before(check), check=check)
        raises = any(check.startswith("try:") for check in checks)
        if isinstance(node, (ast.Assign, ast.AugAssign, ast.Import, ast.ImportFrom)) or (
            isinstance(node, ast.Expr) and setup.changes(node) and not raises
        ):
            setup.add(text, node)


def _claims(text: str, node: ast.stmt, comment: str) -> Iterator[str]:
    """What a statement of the goal claims, as checks."""
    if isinstance(node, ast.Assert):
        yield text
    elif isinstance(node, ast.Expr):
        value = node.value
        if isinstance(value, ast.Compare):
            yield from _compared(text, value)
        elif isinstance(value, ast.BoolOp) and isinstance(value.op, ast.And):
            for part in value.values:
                if isinstance(part, ast.Compare):
                    yield from _compared(ast.unparse(part), part)
        elif comment:
            yield from _commented(text, comment.strip(" .`"))


def _compared(text: str, node: ast.Compare) -> Iterator[str]:
    """A comparison that stands alone; "f(2) is 4" is English for `==`, "is not 4" says nothing."""
    right = node.comparators[0]
    identity = isinstance(node.ops[0], (ast.Is, ast.IsNot)) and len(node.ops) == 1
    if not identity or (isinstance(right, ast.Constant) and right.value in (None, True, False)):
        yield f"assert {text}"
    elif isinstance(node.ops[0], ast.Is):
        yield f"assert {ast.unparse(node.left)} == {ast.unparse(right)}"


def _commented(text: str, comment: str) -> Iterator[str]:
    """`f(2)  # 4` and `f(-1)  # ValueError`."""
    printed = re.fullmatch(r"print\((.*)\)", text, re.DOTALL)
    shown = printed[1] if printed is not None and parse(printed[1]) is not None else text
    wanted = value_at(comment, 0)
    if wanted is not None and wanted.end == len(comment):
        yield f"assert {shown} == {wanted.source}"
    elif comment in ("True", "False", "None"):
        yield f"assert {shown} == {comment}"
    else:
        error = re.fullmatch(r"(?:an?\s+)?([A-Z]\w*(?:Error|Exception))\b.{0,60}", comment)
        if error is not None and is_error(error[1]):
            yield raising(text, error[1])

"""What a function's parameters may be called, where only calls of it are known."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

from core.reading.pysource import NOT_PYTHON, parse

_NAMES = {
    str: "text",
    int: "number",
    float: "number",
    bool: "flag",
    list: "items",
    tuple: "items",
    set: "items",
    dict: "mapping",
}
_OTHER = "value"


def parameters(sources: Iterable[str], name: str) -> tuple[str, ...]:
    """A name for each parameter of function `name`, by what test cases call it with.

    Empty where they call it with different numbers of arguments or by keyword, or do something else
    with it, as with a class.
    """
    rows: list[list[str]] = []
    for source in sources:
        tree = parse(source)
        calls = _calls(tree, name) if tree else []
        if tree is None or _is_used_otherwise(tree, name, calls):
            return ()
        for call in calls:
            if call.keywords or any(isinstance(one, ast.Starred) for one in call.args):
                return ()
            rows.append([_kind(one) for one in call.args])
    if len({len(row) for row in rows}) != 1:
        return ()
    kinds = [
        alike.pop() if len(alike := set(place)) == 1 else _OTHER
        for place in zip(*rows, strict=True)
    ]
    return tuple(
        f"{kind}{kinds[: place + 1].count(kind)}" if kinds.count(kind) > 1 else kind
        for place, kind in enumerate(kinds)
    )


def _calls(tree: ast.Module, name: str) -> list[ast.Call]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]


def _is_used_otherwise(tree: ast.Module, name: str, calls: Sequence[ast.Call]) -> bool:
    nodes = list(ast.walk(tree))
    held = any(
        isinstance(node, ast.Assign | ast.Attribute) and node.value in calls for node in nodes
    )
    used = sum(isinstance(node, ast.Name) and node.id == name for node in nodes)
    return held or used > len(calls)


def _kind(argument: ast.expr) -> str:
    try:
        return _NAMES.get(type(ast.literal_eval(argument)), _OTHER)
    except (*NOT_PYTHON, TypeError):
        return _OTHER

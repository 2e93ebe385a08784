"""Test statements: what they compare, and whether they say anything."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from core.reading.pysource import BUILTINS, NOT_PYTHON, fingerprint, loaded, parse

_SAFE_CALLS = frozenset({"set", "frozenset", "float", "tuple", "list", "dict", "bytes", "range"})


def expression(text: str) -> ast.expr | None:
    """`text` as one expression, else None."""
    tree = parse(text.strip())
    if tree is None or len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        return None
    return tree.body[0].value


def is_constant(node: ast.expr) -> bool:
    """Whether the value needs nothing but itself: literals, arithmetic on them, set(), range(3)."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            if not isinstance(part.func, ast.Name) or part.func.id not in _SAFE_CALLS:
                return False
        elif isinstance(part, ast.Name):
            if part.id not in _SAFE_CALLS:
                return False
        elif isinstance(part, ast.Constant):
            if part.value is Ellipsis:
                return False
        elif not isinstance(part, _PLAIN):
            return False
    if isinstance(node, ast.Name):
        return False
    try:
        ast.literal_eval(node)
    except NOT_PYTHON + (TypeError,):
        return any(isinstance(part, (ast.Call, ast.BinOp)) for part in ast.walk(node))
    return True


_PLAIN = (
    ast.List, ast.Tuple, ast.Set, ast.Dict, ast.UnaryOp, ast.BinOp,
    ast.operator, ast.unaryop, ast.expr_context, ast.keyword,
)  # fmt: skip


def is_closed(node: ast.AST, names: Iterable[str]) -> bool:
    """Whether every name in `node` is known (or its own, or a builtin), and nothing is elided."""
    own = {part.arg for part in ast.walk(node) if isinstance(part, ast.arg)}
    own |= {
        part.id
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }
    constants = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
    elided = any(value is Ellipsis for value in constants)
    return not elided and loaded(node) <= own | set(names) | BUILTINS


def compared(statement: ast.stmt) -> tuple[ast.expr, ast.expr] | None:
    """Both sides of `assert left == right`, constant side last; else None.

    `assert f(x)` and `assert not f(x)` compare with True and False.
    """
    match statement:
        case ast.Assert(
            test=ast.Compare(left=left, ops=[ast.Eq() | ast.Is()], comparators=[right])
        ):
            return (right, left) if is_constant(left) and not is_constant(right) else (left, right)
        case ast.Assert(test=ast.UnaryOp(op=ast.Not(), operand=operand)):
            return operand, ast.Constant(value=False)
        case ast.Assert(test=ast.Call() as call):
            return call, ast.Constant(value=True)
    return None


def comparison(statement: ast.stmt) -> tuple[str, str] | None:
    """Fingerprints of what `compared` gives."""
    sides = compared(statement)
    return (fingerprint(sides[0]), fingerprint(sides[1])) if sides else None


def is_tautology(statement: ast.stmt) -> bool:
    """Whether an assert holds whatever the candidate does: `assert True`, `f(x) == f(x)`."""
    if not isinstance(statement, ast.Assert):
        return False
    test = statement.test
    if isinstance(test, (ast.Constant, ast.Tuple)) or is_constant(test):
        return True
    if (
        isinstance(test, ast.Compare)
        and len(test.ops) == 1
        and isinstance(test.ops[0], (ast.Eq, ast.Is))
    ):
        return fingerprint(test.left) == fingerprint(test.comparators[0])
    return (
        isinstance(test, ast.BoolOp)
        and isinstance(test.op, ast.Or)
        and any(isinstance(value, ast.Constant) and bool(value.value) for value in test.values)
    )

"""Compile a case so that a failing `assert` says what it got and what it expected.

A case may also be one expression: then it says what that gives.
"""

from __future__ import annotations

import ast
from cmath import isfinite
from collections.abc import Callable
from types import CodeType

TYPE_CHECKING = False  # importing typing would cost each process time and memory
if TYPE_CHECKING:
    from typing import Any

EXPLAIN = "__case_explain__"
CHECK = "__case_check__"
_LIMIT = 300
_OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}


def compile_case(source: str, filename: str, *, checked: bool = False) -> CodeType:
    """`source` with explained asserts; its namespace needs `explain` under the name EXPLAIN.

    With `checked`, each assert is decided by what stands there under the name CHECK: a function of
    an operator, as in `decide`, and its operands. Raises SyntaxError, ValueError, MemoryError or
    RecursionError as `compile` does.
    """
    tree = _Explained(source, checked).visit(ast.parse(source, filename))
    return compile(ast.fix_missing_locations(tree), filename, "exec", dont_inherit=True)


def compile_expression(source: str, filename: str) -> CodeType:
    """`source`, which is one expression, to be evaluated. Raises as `compile_case` does."""
    (statement,) = ast.parse(source, filename).body
    assert isinstance(statement, ast.Expr)
    return compile(ast.Expression(statement.value), filename, "eval", dont_inherit=True)


def literal(value: Any) -> str:
    """The Python source of a value that is a literal, in at most 300 characters; else ''.

    Never what an object says of itself: it might call itself 5.
    """
    try:
        text = repr(value) if _is_plain(value) else ""
    except (ValueError, RecursionError):  # a number of thousands of digits, a list that has itself
        return ""
    return text if len(text) <= _LIMIT else ""


def _is_plain(value: Any) -> bool:
    if type(value) is dict:
        return all(map(_is_plain, (*value, *value.values())))
    if type(value) in (list, tuple, set):
        return all(map(_is_plain, value))
    if type(value) in (float, complex):
        return isfinite(value)
    return value is None or type(value) in (bool, int, str, bytes)


def explain(text: str, operator: str, swapped: bool, values: tuple[Any, ...], note: Any) -> str:
    """The message of a failed assert whose test reads `text` and whose operands were `values`."""
    if len(values) == 1:
        what = f"got {show(values[0])}"
    else:
        got, expected = (show(value) for value in (reversed(values) if swapped else values))
        endings = {
            "==": f", expected {expected}",
            "is": f", expected {expected}",
            "in": f", which is not in {expected}",
            "not in": f", which is in {expected}",
            "": f" and {expected}",
        }
        what = f"got {got}" + endings.get(operator, "")
    return f"{text}: {what}" if note is None else f"{note} ({text}: {what})"


def decide(operator: str, values: tuple[Any, ...]) -> bool:
    """What an assert with that operator says; raises KeyError for an unknown one."""
    return bool(_DECIDE[operator](*values))


_DECIDE: dict[str, Callable[..., Any]] = {
    "Eq": lambda left, right: left == right,
    "NotEq": lambda left, right: left != right,
    "Lt": lambda left, right: left < right,
    "LtE": lambda left, right: left <= right,
    "Gt": lambda left, right: left > right,
    "GtE": lambda left, right: left >= right,
    "Is": lambda left, right: left is right,
    "IsNot": lambda left, right: left is not right,
    "In": lambda left, right: left in right,
    "NotIn": lambda left, right: left not in right,
    "Not": lambda value: not value,
    "": bool,
}


def show(value: Any) -> str:
    """`repr(value)` in at most 300 characters, also where it raises."""
    try:
        text = repr(value)
    except Exception as error:  # the candidate's own __repr__ may raise anything
        text = f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    return text if len(text) <= _LIMIT else text[: _LIMIT - 1] + "…"


class _Explained(ast.NodeTransformer):
    """Turns `assert a == b` into `l = a; r = b; assert l == r, explain(...)`."""

    def __init__(self, source: str, checked: bool) -> None:
        self._source = source
        self._checked = checked
        self._used = 0

    def visit_Assert(self, node: ast.Assert) -> list[ast.stmt]:
        test = node.test
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            parts = [
                ast.copy_location(ast.Assert(test=value, msg=node.msg), node)
                for value in test.values
            ]
            return [statement for part in parts for statement in self.visit_Assert(part)]
        operator, swapped, deciding = "", False, ""
        names: list[ast.Name]
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            operands = [test.left, test.comparators[0]]
            names = self._names(2)
            operator = _OPERATORS.get(type(test.ops[0]), "")
            deciding = type(test.ops[0]).__name__
            swapped = _is_literal(operands[0]) and not _is_literal(operands[1])
            checked: ast.expr = ast.Compare(names[0], test.ops, [names[1]])
        elif isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            operands, names, deciding = [test.operand], self._names(1), "Not"
            checked = ast.UnaryOp(ast.Not(), names[0])
        else:
            operands, names = [test], self._names(1)
            checked = names[0]
        if self._checked:
            arguments: list[ast.expr] = [ast.Constant(deciding), ast.Tuple(list(names), ast.Load())]
            checked = ast.Call(ast.Name(CHECK, ast.Load()), arguments, [])
        message = self._message(node, operator, swapped, names)
        statements: list[ast.stmt] = [
            ast.Assign([ast.Name(name.id, ast.Store())], operand)
            for name, operand in zip(names, operands, strict=True)
        ]
        statements.append(ast.Assert(test=checked, msg=message))
        return [ast.copy_location(statement, node) for statement in statements]

    def _message(
        self, node: ast.Assert, operator: str, swapped: bool, names: list[ast.Name]
    ) -> ast.expr:
        text = " ".join((ast.get_source_segment(self._source, node.test) or "assert").split())
        if len(text) > _LIMIT:
            text = text[: _LIMIT - 1] + "…"
        return ast.Call(
            func=ast.Name(EXPLAIN, ast.Load()),
            args=[
                ast.Constant(text),
                ast.Constant(operator),
                ast.Constant(swapped),
                ast.Tuple(list(names), ast.Load()),
                node.msg or ast.Constant(None),
            ],
            keywords=[],
        )

    def _names(self, count: int) -> list[ast.Name]:
        self._used += count
        return [
            ast.Name(f"_case_value_{self._used - number}", ast.Load()) for number in range(count)
        ]


def _is_literal(node: ast.expr) -> bool:
    """Whether `node` is written out: such a side is what the case expects."""
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True

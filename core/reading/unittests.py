"""unittest and pytest spellings rewritten as plain asserts and tries."""

from __future__ import annotations

import ast
from collections.abc import Callable

_OPERATORS: dict[str, type[ast.cmpop]] = {
    "assertEqual": ast.Eq,
    "assertEquals": ast.Eq,
    "assertListEqual": ast.Eq,
    "assertDictEqual": ast.Eq,
    "assertTupleEqual": ast.Eq,
    "assertSetEqual": ast.Eq,
    "assertSequenceEqual": ast.Eq,
    "assertMultiLineEqual": ast.Eq,
    "assertNotEqual": ast.NotEq,
    "assertIs": ast.Is,
    "assertIsNot": ast.IsNot,
    "assertIn": ast.In,
    "assertNotIn": ast.NotIn,
    "assertLess": ast.Lt,
    "assertLessEqual": ast.LtE,
    "assertGreater": ast.Gt,
    "assertGreaterEqual": ast.GtE,
}


def _named(function: str, *args: ast.expr) -> ast.expr:
    return ast.Call(func=ast.Name(id=function, ctx=ast.Load()), args=list(args), keywords=[])


def _is(value: object) -> Callable[[ast.expr], ast.expr]:
    return lambda arg: ast.Compare(
        left=arg,
        ops=[ast.Is()],
        comparators=[ast.Constant(value=value)],  # type: ignore[arg-type]
    )


_ONE: dict[str, Callable[[ast.expr], ast.expr]] = {
    "assertTrue": lambda arg: arg,
    "assertFalse": lambda arg: ast.UnaryOp(op=ast.Not(), operand=arg),
    "assertIsNone": _is(None),
    "assertIsNotNone": lambda arg: ast.UnaryOp(op=ast.Not(), operand=_is(None)(arg)),
}


def _near(left: ast.expr, right: ast.expr) -> ast.expr:
    apart = ast.BinOp(left=left, op=ast.Sub(), right=right)
    limit = ast.Constant(value=1e-6)
    return ast.Compare(left=_named("abs", apart), ops=[ast.Lt()], comparators=[limit])


class PlainTests(ast.NodeTransformer):
    """`self.assertEqual(a, b)` -> `assert a == b`; `with pytest.raises(E)` -> try and except."""

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        """Rewrite an assert method; any other call stays."""
        call = node.value
        if not isinstance(call, ast.Call):
            return node
        name = _method(call)
        args = call.args
        if name in _OPERATORS and len(args) >= 2:
            test = ast.Compare(left=args[0], ops=[_OPERATORS[name]()], comparators=[args[1]])
            return ast.copy_location(ast.Assert(test=test), node)
        if name in _ONE and args:
            return ast.copy_location(ast.Assert(test=_ONE[name](args[0])), node)
        if name == "assertAlmostEqual" and len(args) >= 2:
            return ast.copy_location(ast.Assert(test=_near(args[0], args[1])), node)
        if name == "assertIsInstance" and len(args) >= 2:
            test_ = _named("isinstance", args[0], args[1])
            return ast.copy_location(ast.Assert(test=test_), node)
        if name in ("assertRaises", "raises") and len(args) >= 2:
            inner = ast.Call(func=args[1], args=args[2:], keywords=call.keywords)
            return _raising(args[0], [ast.Expr(value=inner)], node)
        return node

    def visit_With(self, node: ast.With) -> ast.stmt:
        """Rewrite a block that must raise; any other block stays."""
        self.generic_visit(node)
        context = node.items[0].context_expr
        if (
            len(node.items) == 1
            and isinstance(context, ast.Call)
            and _method(context) in ("raises", "assertRaises", "assertRaisesRegex")
            and context.args
        ):
            return _raising(context.args[0], node.body, node)
        return node


def _method(call: ast.Call) -> str:
    """The name of a method of `self`, `pytest` or `unittest`'s own; '' for others."""
    if isinstance(call.func, ast.Name) and call.func.id == "raises":
        return "raises"
    if not isinstance(call.func, ast.Attribute) or not isinstance(call.func.value, ast.Name):
        return ""
    return call.func.attr if call.func.value.id in ("self", "cls", "pytest") else ""


def _raising(error: ast.expr, body: list[ast.stmt], where: ast.stmt) -> ast.stmt:
    message = ast.Constant(value=f"no {ast.unparse(error)} was raised")
    failed = ast.Raise(exc=_named("AssertionError", message), cause=None)
    handler = ast.ExceptHandler(type=error, name=None, body=[ast.Pass()])
    new = ast.Try(body=body, handlers=[handler], orelse=[failed], finalbody=[])
    return ast.fix_missing_locations(ast.copy_location(new, where))

"""Which cases can't do anything but call the candidate and compute with what it returns."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable

_NODES = (
    *(ast.Module, ast.Assert, ast.Expr, ast.Assign, ast.AugAssign, ast.Import, ast.ImportFrom),
    *(ast.alias, ast.Name, ast.Constant, ast.Tuple, ast.List, ast.Dict, ast.Set, ast.Call),
    *(ast.Attribute, ast.Subscript, ast.Slice, ast.UnaryOp, ast.BinOp, ast.BoolOp, ast.Compare),
    *(ast.IfExp, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.comprehension),
    *(ast.keyword, ast.Starred, ast.JoinedStr, ast.FormattedValue, ast.For, ast.If, ast.Pass),
    *(ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.expr_context),
)
_BUILTINS = frozenset(
    {
        *("abs", "all", "any", "bin", "bool", "bytes", "callable", "chr", "complex", "dict"),
        *("divmod", "enumerate", "filter", "float", "frozenset", "hash", "hex", "int"),
        *("isinstance", "issubclass", "iter", "len", "list", "map", "max", "min", "next", "oct"),
        *("ord", "range", "repr", "reversed", "round", "set", "slice", "sorted", "str"),
        *("sum", "tuple", "type", "zip", "True", "False", "None", "Ellipsis", "NotImplemented"),
    }
)
_MODULES = frozenset(
    {
        *("cmath", "collections", "datetime", "decimal", "fractions", "json", "math", "numbers"),
        *("operator", "statistics", "string", "textwrap", "uuid"),
    }
)
# What can take for ever in one step, where no alarm gets through.
_ENDLESS_OPERATORS = (ast.Pow, ast.LShift)
_ENDLESS_NAMES = frozenset({"pow", "factorial", "comb", "perm", "lshift"})
_LARGEST = 1_000_000


def is_pure(nodes: Iterable[ast.AST], natives: Iterable[str]) -> bool:
    """`natives` are the modules that the case uses without an import."""
    return all(map(_is_pure, nodes)) and _MODULES.issuperset(natives)


def _is_pure(node: ast.AST) -> bool:
    if not isinstance(node, _NODES) or isinstance(node, _ENDLESS_OPERATORS):
        return False
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return not any(map(_is_large, (node.left, node.right)))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        return not any(map(_is_large, node.args))
    if isinstance(node, ast.Import):
        return all(alias.name in _MODULES for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return node.module in _MODULES
    if isinstance(node, ast.Attribute):
        known = node.attr.startswith("_") or node.attr in _ENDLESS_NAMES
        return isinstance(node.ctx, ast.Load) and not known
    if isinstance(node, ast.Name):
        known = hasattr(builtins, node.id)
        return not node.id.startswith("__") and (not known or node.id in _BUILTINS)
    return True


def _is_large(node: ast.expr) -> bool:
    """Whether it is, or may be, a number to count to for long."""
    if isinstance(node, ast.UnaryOp):
        return _is_large(node.operand)
    if isinstance(node, ast.BinOp):
        return _is_large(node.left) or _is_large(node.right)
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, int)
        and (abs(node.value) > _LARGEST)
    )

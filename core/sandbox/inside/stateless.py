"""Which candidates keep nothing from one case to the next.

Those may answer several cases in one process, which saves a fork for each. The rule errs on the
side of caution: what it doesn't know, keeps something. Code that deceives it shares its state with
nobody but itself, and can't make a case pass by that.
"""

from __future__ import annotations

import ast

TYPE_CHECKING = False  # importing typing would cost each process time and memory
if TYPE_CHECKING:
    from collections.abc import Iterable

_MODULES = frozenset(
    {
        *("__future__", "abc", "array", "base64", "binascii", "bisect", "cmath", "collections"),
        *("collections.abc", "copy", "dataclasses", "datetime", "decimal", "enum", "fractions"),
        *("functools", "hashlib", "heapq", "itertools", "json", "math", "numbers", "operator"),
        *("re", "statistics", "string", "struct", "textwrap", "typing", "unicodedata"),
    }
)
# Names by which something outlives a call, or by which anything could be reached.
_BANNED = frozenset(
    {
        *("exec", "eval", "compile", "globals", "locals", "vars", "setattr", "delattr", "open"),
        *("__import__", "input", "breakpoint", "getcontext", "setcontext", "localcontext"),
        *("lru_cache", "cache", "cached_property", "singledispatch", "singledispatchmethod"),
    }
)
_DECORATORS = frozenset(
    {
        *("staticmethod", "classmethod", "property", "setter", "getter", "deleter", "dataclass"),
        *("abstractmethod", "total_ordering", "wraps", "unique", "override", "overload", "final"),
    }
)
_DUNDERS = frozenset({"__init__", "__name__", "__doc__", "__post_init__"})
_NAMING = (ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.Return, ast.List, ast.Tuple, ast.Dict)
_MAKERS = frozenset({"field", "auto"})  # calls that a class's body may make
_READERS = frozenset(
    {
        *("len", "sorted", "sum", "min", "max", "enumerate", "zip", "list", "dict", "set", "map"),
        *("tuple", "any", "all", "frozenset", "reversed", "iter", "get", "items", "keys"),
        *("values", "index", "count", "copy", "join"),
    }
)


def is_stateless(code: str) -> bool:
    """`code` can be parsed."""
    tree = ast.parse(code)
    tables: set[str] = set()
    for statement in tree.body:
        if not _is_definition(statement, tables):
            return False
    names = {name for statement in tree.body for name in _defined(statement)}
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    return all(_keeps_nothing(node, parents, names, tables) for node in ast.walk(tree))


def _is_definition(statement: ast.stmt, tables: set[str]) -> bool:
    """Whether a statement of the module only defines; `tables` gets the names of its tables."""
    if isinstance(statement, ast.Import):
        return all(alias.name in _MODULES for alias in statement.names)
    if isinstance(statement, ast.ImportFrom):
        return statement.module in _MODULES and statement.names[0].name != "*"
    if isinstance(statement, ast.Assign | ast.AnnAssign) and _is_table(statement.value):
        tables.update(_defined(statement))
        return True
    if isinstance(statement, ast.If):
        return ast.unparse(statement.test) in ("__name__ == '__main__'", "'__main__' == __name__")
    if isinstance(statement, ast.ClassDef):
        return not statement.keywords and all(map(_is_member, statement.body))
    return _is_inert(statement)


def _is_member(statement: ast.stmt) -> bool:
    """Whether a statement of a class's body gives it nothing that can change."""
    value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return value.func.id in _MAKERS
    return _is_inert(statement)


def _is_inert(statement: ast.stmt) -> bool:
    """A docstring, a constant, a function."""
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        return statement.value is None or _is_constant(statement.value)
    constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return constant or isinstance(statement, ast.FunctionDef | ast.Pass)


def _is_constant(value: ast.expr) -> bool:
    if isinstance(value, ast.Tuple):
        return all(map(_is_constant, value.elts))
    if isinstance(value, ast.UnaryOp):
        return _is_constant(value.operand)
    if isinstance(value, ast.BinOp):
        return _is_constant(value.left) and _is_constant(value.right)
    return isinstance(value, ast.Constant)


def _is_table(value: ast.expr | None) -> bool:
    """A literal list, set or dict of constants: harmless while it is only read."""
    if isinstance(value, ast.Dict):
        keys = [key for key in value.keys if key is not None]
        return len(keys) == len(value.keys) and all(map(_is_constant, (*keys, *value.values)))
    return isinstance(value, ast.List | ast.Set) and all(map(_is_constant, value.elts))


def _defined(statement: ast.stmt) -> Iterable[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).partition(".")[0] for alias in statement.names]
    found = ast.walk(statement) if isinstance(statement, ast.Assign | ast.AnnAssign) else ()
    stored = (node for node in found if isinstance(node, ast.Name))
    return [node.id for node in stored if isinstance(node.ctx, ast.Store)]


def _keeps_nothing(
    node: ast.AST, parents: dict[ast.AST, ast.AST], names: set[str], tables: set[str]
) -> bool:
    """`names` are those of the module, `tables` those of its lists, sets and dicts."""
    if isinstance(node, ast.Global | ast.AsyncFunctionDef | ast.Await):
        return False
    if isinstance(node, ast.FunctionDef):
        defaults = [value for value in node.args.kw_defaults if value is not None]
        constant = all(map(_is_constant, (*node.args.defaults, *defaults)))
        return constant and all(map(_is_known_decorator, node.decorator_list))
    if isinstance(node, ast.ClassDef):
        return all(map(_is_known_decorator, node.decorator_list))
    if isinstance(node, ast.Lambda):
        return all(map(_is_constant, node.args.defaults))
    if isinstance(node, ast.alias):
        return node.name not in _BANNED
    if isinstance(node, ast.Attribute):
        return _is_harmless(node)
    if isinstance(node, ast.Name):
        if node.id in tables and isinstance(node.ctx, ast.Load):
            return _is_read(node, parents)
        # Under another name, a function or a class could be given an attribute.
        read = node.id in names and isinstance(node.ctx, ast.Load)
        return node.id not in _BANNED and not (read and isinstance(parents[node], _NAMING))
    return True


def _is_known_decorator(node: ast.expr) -> bool:
    target = node.func if isinstance(node, ast.Call) else node
    name = target.attr if isinstance(target, ast.Attribute) else ""
    return (target.id if isinstance(target, ast.Name) else name) in _DECORATORS


def _is_harmless(node: ast.Attribute) -> bool:
    if node.attr in _BANNED or (node.attr.startswith("__") and node.attr not in _DUNDERS):
        return False
    # An object's own attribute, and not one of what a function was given.
    return isinstance(node.ctx, ast.Load) or (
        isinstance(node.value, ast.Name) and node.value.id == "self"
    )


def _is_read(node: ast.Name, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether this use of a table can't change it or hand it on."""
    parent = parents[node]
    if isinstance(parent, ast.Subscript):
        return parent.value is not node or isinstance(parent.ctx, ast.Load)
    if isinstance(parent, ast.Attribute):
        return parent.attr in _READERS
    if isinstance(parent, ast.For | ast.comprehension):
        return parent.iter is node
    if isinstance(parent, ast.Call):
        return isinstance(parent.func, ast.Name) and parent.func.id in _READERS
    return isinstance(parent, ast.Compare)

"""Test statements: what they compare, whether they say anything, how they fail readably."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from core.reading.pysource import BUILTINS, NOT_PYTHON, compiles, fingerprint, loaded, parse

_SAFE_CALLS = frozenset({"set", "frozenset", "float", "tuple", "list", "dict", "bytes", "range"})
_EQUALITY = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
_TOLERANCE = 1e-6


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
    elided = any(
        isinstance(part, ast.Constant) and part.value is Ellipsis for part in ast.walk(node)
    )
    return not elided and loaded(node) <= own | set(names) | BUILTINS


def comparison(statement: ast.stmt) -> tuple[str, str] | None:
    """Fingerprints of both sides of `assert left == right`, constant side last; else None."""
    if not isinstance(statement, ast.Assert):
        return None
    test = statement.test
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            return fingerprint(test.operand), fingerprint(ast.Constant(value=False))
        if isinstance(test, ast.Call):
            return fingerprint(test), fingerprint(ast.Constant(value=True))
        return None
    if not isinstance(test.ops[0], (ast.Eq, ast.Is)):
        return None
    left, right = test.left, test.comparators[0]
    if is_constant(left) and not is_constant(right):
        left, right = right, left
    return fingerprint(left), fingerprint(right)


class _Unexplained(ast.NodeTransformer):
    """Takes back what `explained` added, so that cases can be compared with bare asserts."""

    def visit_Assert(self, node: ast.Assert) -> ast.Assert:
        """Drop the message, and the tolerance of a float."""
        self.generic_visit(node)
        message = node.msg.values[:1] if isinstance(node.msg, ast.JoinedStr) else []
        if [getattr(part, "value", "") for part in message] != ["got "]:
            return node
        test = node.test
        match test:
            case ast.Compare(
                left=ast.Call(func=ast.Name(id="abs"), args=[ast.BinOp(op=ast.Sub()) as apart]),
                ops=[ast.Lt()],
            ) if isinstance(node.test, ast.Compare):
                test = ast.Compare(left=apart.left, ops=[ast.Eq()], comparators=[apart.right])
        return ast.Assert(test=test, msg=None)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.expr:
        """Drop the name that holds the value for the message."""
        self.generic_visit(node)
        return node.value if node.target.id.strip("_").startswith("got") else node


def unexplained(tree: ast.Module) -> ast.Module:
    """The tree of a case's source before `explained`; changes `tree`."""
    try:
        plain: ast.Module = _Unexplained().visit(tree)
    except RecursionError:
        return tree
    return plain


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


def explained(source: str, name: str) -> str:
    """The same checks, but a failing one says what it got, and floats may differ by 1e-6.

    Only asserts without a message change; nothing is evaluated twice. `name` is the candidate's.
    """
    tree = parse(source)
    if tree is None:
        return source
    used = {part.id for part in ast.walk(tree) if isinstance(part, ast.Name)} | {name}
    got = next(
        word for word in ("got", "got_value", "got_here", "_got_", "_got__") if word not in used
    )
    data = source.encode(errors="replace")
    starts = [0]
    for line in data.split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)
    edits: list[tuple[int, int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert) and node.msg is None:
            edits.extend(_edits(node, name, got, starts, data))
    for begin, end, text in sorted(edits, reverse=True):
        data = data[:begin] + text.encode() + data[end:]
    changed = data.decode(errors="replace")
    return changed if compiles(changed) else source


def _edits(
    node: ast.Assert, name: str, got: str, starts: list[int], data: bytes
) -> list[tuple[int, int, str]]:
    subject = _subject(node.test, name)
    if subject is None:
        return []
    begin, end = _span(subject, starts)
    last = _span(node, starts)[1]
    message = (last, last, f', f"got {{{got}!r}}"')
    right = node.test.comparators[0] if isinstance(node.test, ast.Compare) else None
    if isinstance(node.test, ast.Compare) and node.test.left is subject and right is not None:
        number = _float(right)
        after, stop = _span(right, starts)
        if (
            number is not None
            and isinstance(node.test.ops[0], ast.Eq)
            and data[end:after].strip() == b"=="
        ):
            limit = max(_TOLERANCE, abs(number) * 1e-9)
            return [
                (begin, begin, f"abs(({got} := "),
                (end, after, ") - "),
                (stop, stop, f") < {limit:g}"),
                message,
            ]
    return [(begin, begin, f"({got} := "), (end, end, ")"), message]


def _float(node: ast.expr) -> float | None:
    try:
        value = ast.literal_eval(node)
    except NOT_PYTHON + (TypeError,):
        return None
    return value if isinstance(value, float) and abs(value) < 1e300 else None


def _span(node: ast.expr | ast.stmt, starts: list[int]) -> tuple[int, int]:
    end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or 0
    return starts[node.lineno - 1] + node.col_offset, starts[end_line - 1] + end_column


def _subject(test: ast.expr, name: str) -> ast.expr | None:
    """The part of a test whose value a reader wants to see when it fails."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test = test.operand
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        sides = (test.left, test.comparators[0])
        if isinstance(test.ops[0], _EQUALITY):
            worked = [
                side
                for side in sides
                if isinstance(side, (ast.Call, ast.Attribute, ast.Subscript, ast.Name, ast.BinOp))
                and not is_constant(side)
            ]
            return worked[0] if worked else None
    for part in ast.walk(test):
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id == name:
            return part
    return test if isinstance(test, (ast.Call, ast.Attribute)) else None

"""Floats in test cases: equal to within a millionth, because 0.1 + 0.2 is not 0.3."""

from __future__ import annotations

import ast

from core.reading.pysource import NOT_PYTHON, compiles, parse

TOLERANCE = 1e-6
_NAMES = ("got", "got_value", "value_got")


def tolerant(source: str) -> str:
    """`assert f(x) == 0.3` as `assert abs((got := f(x)) - 0.3) < 1e-06` with a message.

    Everything else stays as it is, byte for byte.
    """
    tree = parse(source)
    if tree is None:
        return source
    used = {part.id for part in ast.walk(tree) if isinstance(part, ast.Name)}
    got = next((name for name in _NAMES if name not in used), None)
    data = source.encode(errors="replace")
    edits: list[tuple[int, int, str]] = []
    for node in ast.walk(tree):
        if got is not None and isinstance(node, ast.Assert) and node.msg is None:
            edits.extend(_edits(node, got, data))
    for begin, end, text in sorted(edits, reverse=True):
        data = data[:begin] + text.encode() + data[end:]
    changed = data.decode(errors="replace")
    return changed if edits and compiles(changed) else source


def _edits(node: ast.Assert, got: str, data: bytes) -> list[tuple[int, int, str]]:
    test = node.test
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        return []
    right = test.comparators[0]
    number = _float(right)
    begin, end = _span(test.left, data)
    after, stop = _span(right, data)
    if number is None or not isinstance(test.ops[0], ast.Eq) or data[end:after].strip() != b"==":
        return []
    last = _span(node, data)[1]
    limit = max(TOLERANCE, abs(number) * 1e-9)
    return [
        (begin, begin, f"abs(({got} := "),
        (end, after, ") - "),
        (stop, stop, f") < {limit:g}"),
        (last, last, f', f"got {{{got}!r}}, expected {number!r}"'),
    ]


def _float(node: ast.expr) -> float | None:
    try:
        value = ast.literal_eval(node)
    except (*NOT_PYTHON, TypeError):
        return None
    return value if isinstance(value, float) and abs(value) < 1e300 else None


def _span(node: ast.expr | ast.stmt, data: bytes) -> tuple[int, int]:
    starts = [0]
    for line in data.split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)
    end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or 0
    return starts[node.lineno - 1] + node.col_offset, starts[end_line - 1] + end_column


class _Exact(ast.NodeTransformer):
    def visit_Assert(self, node: ast.Assert) -> ast.Assert:
        match node.test:
            case ast.Compare(
                left=ast.Call(
                    func=ast.Name(id="abs"),
                    args=[
                        ast.BinOp(
                            left=ast.NamedExpr(target=ast.Name(id=name), value=value),
                            op=ast.Sub(),
                            right=right,
                        )
                    ],
                ),
                ops=[ast.Lt()],
            ) if name in _NAMES:
                equal = ast.Compare(left=value, ops=[ast.Eq()], comparators=[right])
                return ast.Assert(test=equal, msg=None)
        return node


def exact(tree: ast.Module) -> ast.Module:
    """The tree of a case's source before `tolerant`, to compare cases by; changes `tree`."""
    try:
        plain: ast.Module = _Exact().visit(tree)
    except RecursionError:
        return tree
    return plain

"""Test cases in a model's reply: asserts, test functions, unittest classes, fenced or not."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from itertools import islice

from core.reading.asserts import is_closed
from core.reading.doctests import Example
from core.reading.fences import blocks
from core.reading.plans import Plan
from core.reading.pysource import BUILTINS, DEFINITIONS, NOT_PYTHON, Budget, bound, loaded, parse
from core.reading.setup import Setup, relevant
from core.reading.statements import statements
from core.reading.thinking import without_thinking
from core.reading.unittests import PlainTests

_OURS = frozenset({"solution", "main", "candidate", "your_module", "your_code", "module", "code"})
_FRAMEWORKS = frozenset({"pytest", "unittest"})
_MOST_CHARACTERS = 100_000
_MOST_STATEMENTS = 300
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def written_tests(text: str, plan: Plan) -> Iterator[Example]:
    """The tests in a reply, each with the statements that it needs, in order.

    Broken statements lose only themselves. Definitions of the planned name and imports of it are
    ignored: a test never brings its own candidate.
    """
    answer = without_thinking(text.replace("\r\n", "\n").replace("\r", "\n"))[0][0]
    answer = answer[:_MOST_CHARACTERS]
    pieces = [block.code for block in blocks(answer, Budget())] or [answer]
    reader = _Reader(plan)
    for piece in pieces:
        for source in islice(statements(piece), _MOST_STATEMENTS):
            yield from reader.read(source)


class _Reader:
    def __init__(self, plan: Plan) -> None:
        self._name = plan.name
        said = frozenset(re.findall(r"[A-Za-z_]\w*", f"{plan.signature} {plan.text[:20_000]}"))
        self._said = frozenset(word for word in said if word[:1].isupper())
        self._setup = Setup(frozenset({plan.name}))

    def read(self, source: str) -> Iterator[Example]:
        """The cases in one top-level statement, or none, when it is setup for later ones."""
        tree = parse(source)
        if tree is None:
            return
        try:
            before = [ast.unparse(node) for node in tree.body]
            after = [ast.unparse(node) for node in PlainTests().visit(tree).body]
        except NOT_PYTHON:  # nested too deep
            return
        for node, old, new in zip(tree.body, before, after, strict=True):
            as_written = source if len(before) == 1 else old
            yield from self._statement(as_written if new == old else new, node)

    def _statement(self, source: str, node: ast.stmt) -> Iterator[Example]:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            if not self._is_ours(node):
                self._setup.add(source, node)
        elif isinstance(node, ast.ClassDef):
            yield from self._class(source, node)
        elif isinstance(node, _FUNCTIONS):
            yield from self._function(source, node)
        elif self._name in {name for part in ast.walk(node) for name in bound(part)}:
            return
        elif any(isinstance(part, (ast.Assert, ast.Raise)) for part in ast.walk(node)):
            yield from self._case([], [source])
        elif self._is_setup(node) and is_closed(node, self._known(node)):
            self._setup.add(source, node)

    def _is_ours(self, node: ast.Import | ast.ImportFrom) -> bool:
        module = (getattr(node, "module", None) or "").partition(".")[0]
        roots = {alias.name.partition(".")[0] for alias in node.names}
        skipped = _OURS | _FRAMEWORKS | {self._name}
        if isinstance(node, ast.ImportFrom):
            return bool(node.level) or module in skipped or self._name in roots
        return bool(roots & skipped)

    def _is_setup(self, node: ast.stmt) -> bool:
        if isinstance(node, ast.Expr):
            return isinstance(node.value, ast.Call) and self._setup.changes(node)
        return isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign))

    def _class(self, source: str, node: ast.ClassDef) -> Iterator[Example]:
        bases = {
            base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
            for base in node.bases
        }
        if node.name == self._name:
            return
        if "TestCase" not in bases and not node.name.startswith("Test"):
            self._setup.add(source, node)
            return
        first: list[str] = []
        for method in node.body:
            if isinstance(method, ast.FunctionDef) and method.name in ("setUp", "setup_method"):
                first = [ast.unparse(part) for part in method.body]
        for method in node.body:
            if isinstance(method, ast.FunctionDef) and method.name.startswith("test"):
                yield from self._body(first, method)

    def _function(
        self, source: str, node: ast.FunctionDef | ast.AsyncFunctionDef
    ) -> Iterator[Example]:
        names = [arg.arg for arg in node.args.args]
        if node.name == self._name or isinstance(node, ast.AsyncFunctionDef):
            return
        if node.name == "check" and len(names) == 1:
            yield from self._body([f"{names[0]} = {self._name}"], node)
        elif node.name.startswith("test"):
            if not names and not node.decorator_list:
                yield from self._body([], node)
        else:
            self._setup.add(source, node)

    def _body(self, first: list[str], node: ast.FunctionDef) -> Iterator[Example]:
        """A test function's body: one case, or one for each assert where there is nothing else."""
        parts = [
            part
            for part in node.body
            if not (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
            and not (isinstance(part, (ast.Import, ast.ImportFrom)) and self._is_ours(part))
        ]
        if any(isinstance(part, DEFINITIONS) and part.name == self._name for part in parts):
            return
        sources = [ast.unparse(part) for part in parts]
        if all(isinstance(part, (ast.Assert, ast.Try)) for part in parts):
            for source in sources:
                yield from self._case(first, [source])
        elif sources:
            yield from self._case(first, sources)

    def _case(self, first: list[str], sources: list[str]) -> Iterator[Example]:
        *own, last = [*relevant(first, "\n".join(sources)), *sources]
        tree = parse("\n".join([*own, last]))
        if tree is None or ("self" in loaded(tree) and not first):
            return
        names = {name for part in ast.walk(tree) for name in bound(part)}
        known = self._known(tree) | names
        has_check = any(isinstance(part, (ast.Assert, ast.Raise)) for part in ast.walk(tree))
        if not has_check or self._name in names or not self._setup.uses(tree):
            return
        if "self" in loaded(tree):
            own = ["import types", "self = types.SimpleNamespace()", *own]
            known = known | {"self", "types"}
        if not is_closed(tree, known):
            return
        whole = "\n".join([*own, last])
        needed = loaded(tree) - names - self._setup.known - BUILTINS - self._said
        imports = [f"import {name}" for name in sorted(needed & sys.stdlib_module_names)]
        yield Example(setup=(*imports, *self._setup.before(whole), *own), check=last)

    def _known(self, node: ast.AST) -> set[str]:
        return self._setup.known | self._said | (loaded(node) & sys.stdlib_module_names)

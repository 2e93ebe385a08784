"""Questions about a piece of Python source. Nothing here runs any of it."""

from __future__ import annotations

import ast
import builtins
import threading
import warnings
from collections.abc import Iterator

BUILTINS = frozenset(dir(builtins))
# What `ast.parse` and `compile` raise for text that is not a Python program: NUL bytes and lone
# surrogates (ValueError), nesting deeper than the parser's or the interpreter's stack.
NOT_PYTHON = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)
_WARNINGS = threading.Lock()


def attempt(text: str) -> tuple[ast.Module | None, int]:
    """The module's tree and 0, or None and the 1-based line that the parser stopped at."""
    # A model's "\d" must neither print a SyntaxWarning nor count as an error. The filters are
    # one list per process, hence the lock.
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text), 0
        except SyntaxError as error:
            return None, error.lineno or 1
        except NOT_PYTHON:
            return None, 1


def parse(text: str) -> ast.Module | None:
    """The module's tree, or None when `text` is not Python."""
    return attempt(text)[0]


def compiles(text: str) -> bool:
    """Whether Python would accept `text` as a module; stricter than parsing."""
    with _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(text, "<case>", "exec", dont_inherit=True)
        except NOT_PYTHON:
            return False
    return True


class Budget:
    """A parser that remembers, and that gives up once it has read `characters` in all."""

    def __init__(self, characters: int = 500_000) -> None:
        self._left = characters
        self._guesses = characters // 2
        self._seen: dict[str, tuple[ast.Module | None, int]] = {}

    def attempt(self, text: str) -> tuple[ast.Module | None, int]:
        """Like `attempt`; also (None, 1) when there is no budget left."""
        if text not in self._seen:
            if self._left < 0:
                return None, 1
            self._left -= len(text)
            self._seen[text] = attempt(text)
        return self._seen[text]

    def parse(self, text: str) -> ast.Module | None:
        """Like `parse`; also None when there is no budget left."""
        return self.attempt(text)[0]

    def may_guess(self, characters: int) -> bool:
        """Whether an unlikely reading of this size may still be tried; counts it if so.

        Guesses have their own share, so that they never use up what the likely readings need.
        """
        self._guesses -= characters
        return self._guesses >= 0


def top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    """Statements that run on import: the body, and what stands in its ifs, tries and loops."""
    pending = list(reversed(tree.body))
    while pending:
        statement = pending.pop()
        yield statement
        if not isinstance(statement, DEFINITIONS):
            for field in ("body", "orelse", "finalbody"):
                pending.extend(reversed(getattr(statement, field, [])))
            for handler in getattr(statement, "handlers", []):
                pending.extend(reversed(handler.body))


def bound(node: ast.AST) -> Iterator[str]:
    """Names that `node` itself binds, without looking inside it."""
    if isinstance(node, DEFINITIONS):
        yield node.name
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.alias):
        yield (node.asname or node.name).partition(".")[0]
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
        yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest


def defined(tree: ast.Module) -> frozenset[str]:
    """Names that a module has after its import."""
    names: set[str] = set()
    for statement in top_level(tree):
        names.update(bound(statement))
        if not isinstance(statement, DEFINITIONS):
            for node in _shallow(statement):
                names.update(bound(node))
    return frozenset(names)


def _shallow(statement: ast.stmt) -> Iterator[ast.AST]:
    """The statement's own expressions; not the statements inside it."""
    pending = [
        child for child in ast.iter_child_nodes(statement) if not isinstance(child, ast.stmt)
    ]
    while pending:
        node = pending.pop()
        yield node
        pending.extend(
            child
            for child in ast.iter_child_nodes(node)
            if not isinstance(child, (ast.stmt, ast.ExceptHandler))
        )


def loaded(node: ast.AST) -> frozenset[str]:
    """Every name that is read anywhere in `node`."""
    return frozenset(
        found.id
        for found in ast.walk(node)
        if isinstance(found, ast.Name) and isinstance(found.ctx, ast.Load)
    )


def missing(tree: ast.AST) -> frozenset[str]:
    """Names that are read but bound in no scope at all, builtins apart."""
    own = {name for node in ast.walk(tree) for name in bound(node)}
    return loaded(tree) - own - BUILTINS


def is_stub(tree: ast.Module, name: str) -> bool:
    """Whether `name` is defined only as a header: docstring, `pass`, `...`, NotImplementedError."""
    found = [
        statement
        for statement in top_level(tree)
        if isinstance(statement, DEFINITIONS) and statement.name == name
    ]
    return bool(found) and all(_is_empty(definition) for definition in found)


def _is_empty(definition: ast.stmt) -> bool:
    if isinstance(definition, ast.ClassDef):
        return all(
            _is_empty(part) if isinstance(part, _FUNCTIONS) else _says_nothing(part)
            for part in definition.body
        )
    return isinstance(definition, _FUNCTIONS) and all(map(_says_nothing, definition.body))


def _says_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Raise):
        return statement.exc is not None and "NotImplementedError" in loaded(statement.exc)
    return isinstance(statement, ast.Pass) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def has_definition(tree: ast.Module) -> bool:
    """Whether a function or class is defined."""
    return any(isinstance(statement, DEFINITIONS) for statement in top_level(tree))


def does_something(tree: ast.Module) -> bool:
    """False for prose that happens to parse: lone words, numbers, strings."""
    plain = (
        ast.Name, ast.Constant, ast.Tuple, ast.List, ast.Set, ast.Dict,
        ast.Compare, ast.BinOp, ast.BoolOp, ast.UnaryOp,
    )  # fmt: skip
    return any(
        not (isinstance(statement, ast.Expr) and isinstance(statement.value, plain))
        and not (isinstance(statement, ast.AnnAssign) and statement.value is None)
        for statement in tree.body
    )


def fingerprint(node: ast.AST) -> str:
    """The same text for the same code, whatever its spacing and quotes."""
    try:
        return ast.dump(node)
    except RecursionError:
        return f"too deep to compare: {id(node)}"

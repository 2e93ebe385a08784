"""Imports that a model forgot: of what the code uses and nothing in it or in Python defines.

Small models know what a name means better than that it has to be imported, and this needs no model
to mend. Names that are not surely meant so are left as they are, to fail and to be told.
"""

from __future__ import annotations

import ast
import importlib
import math
import typing
from collections.abc import Iterable, Iterator

from core.reading.pysource import BUILTINS, parse

# Of names that stand alone, which module's they are. Only those that mean little else.
_KNOWN = {
    **dict.fromkeys((name for name in dir(math) if callable(getattr(math, name))), "math"),
    **dict.fromkeys(typing.__all__, "typing"),
    **{
        name: module
        for module, names in {
            "bisect": "bisect_left bisect_right insort insort_left insort_right",
            "collections": "ChainMap Counter OrderedDict defaultdict deque namedtuple",
            "copy": "deepcopy",
            "dataclasses": "asdict astuple dataclass",
            "decimal": "Decimal ROUND_HALF_EVEN ROUND_HALF_UP",
            "fractions": "Fraction",
            "functools": "cmp_to_key lru_cache partial reduce total_ordering wraps",
            "heapq": "heapify heappop heappush heappushpop heapreplace nlargest nsmallest",
            "itertools": "accumulate chain combinations combinations_with_replacement cycle "
            "dropwhile groupby islice permutations product starmap takewhile zip_longest",
            "operator": "attrgetter itemgetter methodcaller",
            "string": "ascii_letters ascii_lowercase ascii_uppercase hexdigits punctuation",
            "abc": "ABC abstractmethod",
            "datetime": "timedelta timezone",
            "enum": "Enum IntEnum",
            "pathlib": "Path",
        }.items()
        for name in names.split()
    },
}
# Modules that may be meant where all that is read of a name is theirs. Importing them does nothing.
_MODULES = frozenset(
    {
        *(
            "abc",
            "array",
            "ast",
            "base64",
            "binascii",
            "bisect",
            "calendar",
            "cmath",
            "collections",
        ),
        *("contextlib", "copy", "csv", "dataclasses", "datetime", "decimal", "difflib", "enum"),
        *("fnmatch", "fractions", "functools", "glob", "hashlib", "heapq", "html", "io"),
        *("itertools", "json", "logging", "math", "numbers", "operator", "os", "pathlib"),
        *("pprint", "queue", "random", "re", "secrets", "shutil", "statistics", "string"),
        *("struct", "sys", "tempfile", "textwrap", "threading", "time", "typing"),
        *("unicodedata", "uuid", "zlib"),
    }
)


def with_imports(code: str) -> str:
    """The code with what it lacks imported at its top; unchanged where nothing is, or no Python."""
    tree = parse(code)
    if tree is None:
        return code
    lacking = {name for node in ast.walk(tree) for name in _read(node)} - _bound(tree) - BUILTINS
    lines = sorted(filter(None, (_import(name, tree) for name in lacking)))
    if not lines:
        return code
    before, after = _apart(tree, code)
    return "".join([*before, *(f"{line}\n" for line in lines), *after])


def _read(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield node.id


def _bound(tree: ast.Module) -> set[str]:
    """All names that get a meaning anywhere, in whatever scope."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(ctx=ast.Store() | ast.Del()):
                found.add(node.id)
            case ast.arg():
                found.add(node.arg)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.alias(name="*"):
                found |= _KNOWN.keys()  # whatever it brings
            case ast.alias():
                found.add((node.asname or node.name).partition(".")[0])
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                found.add(name)
            case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                found.add(name)
            case ast.Global() | ast.Nonlocal():
                found.update(node.names)
    return found


def _import(name: str, tree: ast.Module) -> str:
    """The statement that gives the name its meaning, '' where it may have another."""
    read = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == name
    }
    if not read:
        return f"from {_KNOWN[name]} import {name}" if name in _KNOWN else ""
    module = importlib.import_module(name) if name in _MODULES else None
    if module is not None and read <= set(dir(module)):
        return f"import {name}"
    # As in `datetime.now()`: the class of the same name.
    return f"from {name} import {name}" if read <= set(dir(getattr(module, name, None))) else ""


def _apart(tree: ast.Module, code: str) -> tuple[Iterable[str], Iterable[str]]:
    """The lines before and after the place for imports: below a docstring and `__future__`."""
    lines = code.splitlines(keepends=True)
    end = 0
    for number, statement in enumerate(tree.body):
        said = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        future = isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
        if not (future or (said and number == 0)):
            break
        end = statement.end_lineno or statement.lineno
    return lines[:end], lines[end:]

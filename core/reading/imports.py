"""Imports that a model forgot: of what the code uses and nothing in it or in Python defines.

Small models know what a name means better than that it has to be imported, and this needs no model
to mend. Names that are not surely meant so are left as they are, to fail and to be told.
"""

from __future__ import annotations

import ast
import importlib
import math
import typing
from collections.abc import Collection

from core.reading.pysource import missing, parse

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
# Names of theirs stand for much else where they are neither called nor handed on: `log`, `product`.
_CALLED = ("math", "itertools", "operator")
# Where a call takes a function, as the first argument or the second. `key=` always takes one.
_TAKES = {"map": 0, "filter": 0, "reduce": 0, "starmap": 0, "partial": 0, "accumulate": 1}
# Modules that may be meant where all that is read of a name is theirs. Importing them does nothing.
_NAMES = """
    abc array ast base64 binascii bisect calendar cmath collections contextlib copy csv
    dataclasses datetime decimal difflib enum fnmatch fractions functools glob hashlib heapq
    html io itertools json logging math numbers operator os pathlib pprint queue random re
    secrets shutil statistics string struct sys tempfile textwrap threading time typing
    unicodedata uuid zlib
"""
_MODULES = frozenset(_NAMES.split())


def with_imports(code: str, own: Collection[str] = ()) -> str:
    """The code with what it lacks imported at its top; unchanged where nothing is, or no Python.

    `own` are names that mean something else, such as what the goal defines.
    """
    tree = parse(code)
    if tree is None or any(isinstance(n, ast.alias) and n.name == "*" for n in ast.walk(tree)):
        return code
    lacking = missing(tree).difference(own)
    imports = sorted(filter(None, (import_of(name, tree) for name in lacking)))
    lines = code.split("\n")
    place = _place(tree)
    if not imports or place is None:
        return code
    return "\n".join([*lines[:place], *imports, *lines[place:]])


def import_of(name: str, tree: ast.AST) -> str:
    """The statement that gives the name its meaning, '' where it may have another."""
    read = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == name
    }
    home = _KNOWN.get(name, "")
    if home and not read:
        plain = home in _CALLED and name not in _called(tree)
        return "" if plain else f"from {home} import {name}"
    if name in _MODULES:
        module = importlib.import_module(name)
        if read and read <= set(dir(module)):
            return f"import {name}"
        home = name if name == "datetime" else ""
    # As in `datetime.now()`, the class of the same name, or in `chain.from_iterable(rows)`.
    what = getattr(importlib.import_module(home), name) if home and read else None
    return f"from {home} import {name}" if what is not None and read <= set(dir(what)) else ""


def _called(tree: ast.AST) -> set[str]:
    """The names that are called, or handed to what calls them."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    values = [call.func for call in calls]
    for call in calls:
        values += [keyword.value for keyword in call.keywords if keyword.arg == "key"]
        taken = _TAKES.get(_last_name(call.func))
        values += call.args[taken : taken + 1] if taken is not None else []
    return {value.id for value in values if isinstance(value, ast.Name)}


def _last_name(function: ast.expr) -> str:
    """`reduce` of `reduce` and of `functools.reduce`."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _place(tree: ast.Module) -> int | None:
    """How many lines a docstring and `__future__` take; None where more follows on the last."""
    end = 0
    for number, statement in enumerate(tree.body):
        if statement.lineno == end:
            return None
        said = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        future = isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
        if not (future or (said and number == 0)):
            break
        end = statement.end_lineno or statement.lineno
    return end

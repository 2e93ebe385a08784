"""What a case is about, read from its source alone: nothing of the candidate's can change it."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Collection

from .purity import is_pure

# What a case with one of these does, it does to its own process: then it must be the candidate's.
_DIRECT_MODULES = frozenset(
    {
        *("mock", "inspect", "dis", "gc", "pickle", "shelve", "signal", "sqlite3"),
        *("asyncio", "multiprocessing", "subprocess", "tracemalloc", "weakref", "importlib"),
        *(
            "logging",
            "warnings",
            "atexit",
            "ctypes",
            "resource",
            "faulthandler",
            "runpy",
            "cProfile",
        ),
    }
)
_DIRECT_NAMES = frozenset(
    {
        *("environ", "putenv", "chdir", "umask", "setrecursionlimit", "getcontext", "localcontext"),
        *("setcontext", "warns", "caplog", "capsys", "capfd", "monkeypatch", "vars", "globals"),
        *("__dict__", "get_type_hints", "settrace", "asdict", "astuple", "is_dataclass", "patch"),
        *("setswitchinterval", "__subclasses__"),
    }
)
# The same, where a name is too common to tell by itself.
_DIRECT_ATTRIBUTES = frozenset({("random", "seed"), ("sys", "modules"), ("sys", "argv")})
_CATCHING = frozenset({"AssertionError", "Exception", "BaseException"})
_STREAM_NAMES = frozenset({"stdout", "stderr", "stdin", "redirect_stdout", "redirect_stderr"})
_STREAM_TARGETS = frozenset(
    {"builtins.input", "builtins.print", "sys.stdout", "sys.stdin", "sys.stderr"}
)


class Look:
    """`direct`: it runs in the candidate's process. `streams`: it sees output or gives input.

    `names` are those read, `classes` those that look like a class's, `natives` the modules of the
    standard library that it uses without an import, `modules` those that it imports. `asserts`
    counts those that always run. `pure`: all that it does is to call the candidate and compute.
    `mine`: it names something of the candidate's that is no built-in, so that a built-in's name is
    the built-in. `catches`: it may catch a failing assert itself. `asks`: it is an expression, and
    what is wanted is its value.
    """

    def __init__(
        self,
        *,
        direct: bool,
        streams: bool,
        names: frozenset[str],
        classes: frozenset[str],
        natives: frozenset[str],
        modules: frozenset[str],
        pure: bool,
        mine: bool,
        catches: bool,
        asks: bool,
        asserts: int,
    ) -> None:
        self.direct = direct
        self.streams = streams
        self.names = names
        self.classes = classes
        self.natives = natives
        self.modules = modules
        self.pure = pure
        self.mine = mine
        self.catches = catches
        self.asks = asks
        self.asserts = asserts


def look(source: str, modules: Collection[str]) -> Look:
    """Raises what `ast.parse` does. `modules` are those whose code is the candidate's."""
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    attributes = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    imported = _imported(nodes)
    words = names | attributes | {alias for _, alias in imported}
    patches = _patch_targets(nodes)
    natives = _natives(nodes)
    tops = {module.partition(".")[0] for module, _ in imported}
    mocks = any(module == "unittest.mock" or name == "mock" for module, name in imported)
    if patches is not None and patches <= _STREAM_TARGETS:
        mocks = False
        words.discard("patch")
    foreign = tops - {"pytest", *modules} - sys.stdlib_module_names
    streams = bool(words & _STREAM_NAMES or patches)
    bound = _bound(nodes) | {alias for _, alias in imported}
    chosen = {name for name in names if not hasattr(builtins, name)}
    pairs = {
        (node.value.id, node.attr)
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    direct = bool(
        mocks
        or (tops | natives) & _DIRECT_MODULES
        or foreign
        or words & _DIRECT_NAMES
        or pairs & _DIRECT_ATTRIBUTES
        or ("random", "seed") in imported
        or any(isinstance(node, ast.AsyncFunctionDef | ast.Await) for node in nodes)
        or _subclasses(nodes, imported, modules, natives)
    )
    return Look(
        direct=direct,
        streams=streams,
        names=frozenset(names),
        classes=frozenset(word for word in words if word[:1].isupper()),
        natives=frozenset(natives),
        modules=frozenset(module for module, _ in imported),
        pure=not direct and not streams and is_pure(nodes, natives),
        mine=bool(chosen - bound - natives - {"pytest"} or tops & set(modules)),
        catches=bool(words & _CATCHING or any(map(_catches_all, nodes))),
        asks=len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr),
        asserts=sum(isinstance(node, ast.Assert) for node in tree.body),
    )


def visible(found: Collection[str], looked: Look) -> set[str]:
    """Of the candidate's names that a case uses, those that it means.

    A case that uses `f` and `abs` means its own `abs`; one that uses nothing but `abs` is about it.
    """
    meant = set(found) - looked.natives - {"pytest"}
    return {name for name in meant if not hasattr(builtins, name)} if looked.mine else meant


def _bound(nodes: list[ast.AST]) -> set[str]:
    """The names that the case itself gives a meaning to."""
    found = {node.id for node in nodes if isinstance(node, ast.Name) and _is_stored(node)}
    found |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    found |= {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    caught = (node.name for node in nodes if isinstance(node, ast.ExceptHandler))
    return found | {name for name in caught if name}


def _is_stored(node: ast.Name) -> bool:
    return not isinstance(node.ctx, ast.Load)


def _catches_all(node: ast.AST) -> bool:
    return isinstance(node, ast.ExceptHandler) and node.type is None


def _imported(nodes: list[ast.AST]) -> set[tuple[str, str]]:
    """Pairs of a module and a name that comes from it or stands for it."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {(alias.name, alias.asname or alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {(node.module or "", alias.asname or alias.name) for alias in node.names}
    return found


def _patch_targets(nodes: list[ast.AST]) -> set[str] | None:
    """What the calls of `patch` replace; None where that isn't written out, or there are none."""
    found = set()
    for node in nodes:
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        name = node.func.id if isinstance(node.func, ast.Name) else name
        if name != "patch":
            continue
        target = node.args[0] if node.args else None
        if not isinstance(target, ast.Constant) or not isinstance(target.value, str):
            return None
        found.add(target.value)
    return found or None


def _subclasses(
    nodes: list[ast.AST],
    imported: set[tuple[str, str]],
    modules: Collection[str],
    natives: set[str],
) -> bool:
    """Whether the case makes a class out of one of the candidate's."""
    known = {alias for module, alias in imported if module not in modules} | natives
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    known |= {node.name for node in classes}
    for node in classes:
        for base in [*node.bases, *node.keywords]:
            root = base
            while isinstance(root, ast.Attribute):
                root = root.value
            name = root.id if isinstance(root, ast.Name) else ""
            if not (hasattr(builtins, name) or name in known):
                return True
    return False


def _natives(nodes: list[ast.AST]) -> set[str]:
    """Names like `math` that are only ever used as in `math.floor`."""
    used: dict[str, int] = {}
    for node in nodes:
        if isinstance(node, ast.Name):
            used[node.id] = used.get(node.id, 0) + 1
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used[node.value.id] = used.get(node.value.id, 0) - 1
    return {name for name, count in used.items() if count == 0 and name in sys.stdlib_module_names}

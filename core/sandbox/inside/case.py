"""The process of one case: it runs the case, and only talks to the candidate.

The candidate's functions and classes are stand-ins here; what they return is data of this process.
So nothing that the candidate redefines, patches, ends or prints can make a failing case pass.
"""

from __future__ import annotations

import builtins
import importlib
import json
import linecache
import os
import sys
from collections.abc import Callable, Sequence

from . import limits, telling
from .asserts import EXPLAIN, compile_case, compile_expression, decide, explain, literal
from .look import Look, look, visible
from .peer import Peer
from .remote import OPERATIONS, RemoteMeta
from .wire import Channel, Garbled, Gone, Late

TYPE_CHECKING = False  # importing typing would cost each process time and memory
if TYPE_CHECKING:
    from typing import Any, NoReturn

_INTERFERES = "the code interferes with its own test run"
# What the candidate may use of an object of the case's, by the name of its class.
_LENT = frozenset(
    {
        *("StringIO", "BytesIO", "TextIOWrapper", "BufferedReader", "BufferedWriter"),
        *("BufferedRandom", "_TemporaryFileWrapper", "Random", "SimpleNamespace", "lock", "RLock"),
        *("Event", "Queue", "SimpleQueue", "Pattern", "Match", "array", "memoryview"),
        *("dict_keys", "dict_values", "dict_items"),
    }
)
_CASE_MODULE = "case"


class Task:
    """One case, or with `source` None the import alone; `silent` hides what the import prints.

    `modules` are those whose code is the candidate's. With `alone` there is no candidate: the case
    is a check of this runner. `looked` is what the source is about, None where it can't be read.
    """

    def __init__(
        self,
        *,
        source: str | None,
        name: str,
        silent: bool,
        modules: Sequence[str],
        alone: bool = False,
    ) -> None:
        self.source = source
        self.name = name
        self.silent = silent
        self.modules = modules
        self.alone = alone
        self.looked: Look | None = None
        self.unreadable: Exception | None = None
        if source is not None:
            try:
                self.looked = look(source, ("solution", *modules))
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                self.unreadable = error


def run(task: Task, judge: Judge, folder: str, report_fd: int) -> NoReturn:
    """Write one line of JSON when the import is done and one with the result; never returns."""
    own_pid, leave = os.getpid(), os._exit
    try:
        os.chdir(folder)
        result = attempt(task, judge, lambda: _write(report_fd, {"imported": True}))
        if os.getpid() != own_pid:
            return  # type: ignore[misc]  # a process that the case forked ended up here
        flush()
        _write(report_fd, result)
    finally:
        leave(0)  # whatever was raised: what follows is the driver's own work


class Judge(Peer):
    """The case's end; it does for the candidate only what a case has lent it."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel, judging=True)
        self.checks = 0
        self.refused = ""
        self.loaded = False

    def handle(self, kind: str, arguments: tuple[Any, ...]) -> Any:
        """Call a function of the case's, look at an object of its, or decide an assert."""
        if kind == "check":
            return self._check(*arguments)
        if kind == "stream":
            name, method, values = arguments
            if name in ("stdout", "stderr", "stdin") and method in ("write", "read", "readline"):
                return getattr(getattr(sys, name), method)(*values)
        if kind == "builtin" and arguments[0] in ("print", "input"):
            return getattr(builtins, arguments[0])(*arguments[1], **arguments[2])
        # Only what the case has handed over: a class that the candidate merely names could be one
        # of code objects, and so run anything here.
        if kind == "call" and self._may_call(arguments[0]):
            return arguments[0](*arguments[1], **arguments[2])
        if kind in ("get", "set", "op") and self.has_shown(arguments[0]):
            return self._lent(kind, *arguments)
        raise Garbled(f"the candidate asked for {kind!r}")

    def _check(self, operator: str, values: tuple[Any, ...]) -> bool:
        self.checks += 1
        holds = decide(operator, values)
        if not holds and not self.refused:
            self.refused = "an assert of the case does not hold"
        return holds

    def _may_call(self, target: Any) -> bool:
        ours = self.has_shown(target) and callable(target)
        return ours and (not isinstance(target, type) or target.__module__ == _CASE_MODULE)

    def _lent(self, kind: str, target: Any, name: str, *values: Any) -> Any:
        owner = type(target)
        iterates = kind == "op" and name in ("__next__", "__iter__")
        lent = owner.__module__ == _CASE_MODULE or owner.__name__ in _LENT or iterates
        hidden = name not in OPERATIONS if kind == "op" else name.startswith("_")
        if not lent or hidden or isinstance(target, type):
            raise AttributeError(f"{owner.__name__!r} object of the case has no attribute {name!r}")
        if kind == "set":
            return setattr(target, name, values[0])
        if kind == "op":
            return getattr(owner, name)(target, *values[0])
        return getattr(target, name)


def attempt(
    task: Task, judge: Judge | None, imported: Callable[[], None], deadline: float = 0.0
) -> dict[str, Any]:
    """The report of the case; `gone` or `late` where the candidate broke off or took too long.

    The message of one that passes is '', or what `literal` tells of the value that a case asks for.
    `judge` is None for a task without a candidate. `imported` is called once the candidate's
    module has been executed. `deadline` 0 leaves the time to somebody else.
    """
    value = ""
    try:
        found = {}
        if judge is not None:
            judge.channel.deadline = deadline
            found = _load(task, judge)
        imported()
        if task.unreadable is not None:
            raise task.unreadable
        if task.looked is not None:
            value = _execute(task, judge, task.looked, found)
    except Gone:
        return {"gone": True}
    except Late:
        return {"late": True}
    except Garbled:
        return {"result": "error", "status": "crash", "message": _INTERFERES, "traceback": ""}
    except BaseException as error:  # SystemExit, KeyboardInterrupt and pytest's are not Exceptions
        limits.make_room()
        return telling.report(error, task.name)
    return {"result": "passed", "status": "passed", "message": value, "traceback": ""}


def _load(task: Task, judge: Judge) -> dict[str, Any]:
    """Have the candidate's module executed; those of its names that the case may mean."""
    names = task.looked.names if task.looked else ()
    wanted = sorted(name for name in names if not name.startswith("__"))
    if judge.loaded:
        answer = judge.request("names", wanted)
    else:
        streams = task.looked is not None and task.looked.streams
        answer = judge.request("load", task.silent, streams, wanted)
        judge.loaded = True
    return {name: answer[name] for name in wanted if name in answer}


def _execute(task: Task, judge: Judge | None, looked: Look, found: dict[str, Any]) -> str:
    """What the case asks for, '' if it asks for nothing."""
    assert task.source is not None
    lines = task.source.splitlines(keepends=True)
    linecache.cache[task.name] = (len(task.source), None, lines, task.name)
    namespace: dict[str, Any] = {"__name__": _CASE_MODULE}
    for name in visible(found, looked):
        namespace[name] = found[name]
    for name in looked.natives & found.keys():
        # It uses the module, or the class of that name in it: the genuine ones.
        module = importlib.import_module(name)
        known = getattr(module, name, None)
        namespace[name] = known if known is not None and found[name] is known else module
    if "pytest" in looked.names and "pytest" in found:
        namespace["pytest"] = importlib.import_module("pytest")
    if judge is not None:
        classes = (found.get(name) for name in looked.classes)
        judge.named = tuple(kind for kind in classes if isinstance(kind, RemoteMeta))
        if looked.direct:
            _execute_directly(task, judge, looked)
            return ""
        for name in looked.modules.intersection(("solution", *task.modules)):
            sys.modules[name] = judge.request("import", name)
    if not looked.pure:
        sys.modules[_CASE_MODULE] = type(sys)(_CASE_MODULE)
    if looked.asks:
        return literal(eval(compile_expression(task.source, task.name), namespace))
    failed: list[str] = []

    def explained(*arguments: Any) -> str:
        failed.append(explain(*arguments))
        return failed[-1]

    namespace[EXPLAIN] = explained
    exec(compile_case(task.source, task.name), namespace)
    if failed and not looked.catches:
        # A context manager of the candidate's swallowed it, say; the case itself did not.
        raise AssertionError(failed[0])
    return ""


def _execute_directly(task: Task, judge: Judge, looked: Look) -> None:
    judge.request("direct", task.source, task.name)
    if judge.refused:
        raise AssertionError(judge.refused)
    if judge.checks < looked.asserts:
        raise Garbled("not every assert was decided")


def flush() -> None:
    """Send on what the case has printed."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # closed by the case, or nobody reads any more
            continue


def _write(fd: int, report: dict[str, Any]) -> None:
    data = (json.dumps(report) + "\n").encode()
    while data:
        data = data[os.write(fd, data) :]

"""The process of a candidate: its module, and the requests that a case makes of it.

It never holds a case, an expected value or the record: nothing in here could be turned against
them. What it answers is data, and the case's process judges it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import io
import os
import resource
import signal
import socket
import sys
import traceback
from collections import UserDict, UserList, UserString
from collections.abc import Callable
from types import MappingProxyType, ModuleType

from . import direct, limits
from .peer import Peer
from .telling import bounded, own_frames, place
from .wire import Channel, Garbled

TYPE_CHECKING = False  # importing typing would cost each process time and memory
if TYPE_CHECKING:
    from typing import Any, ClassVar, NoReturn

SOURCE = "solution.py"
HANG_SIGNAL = signal.SIGUSR1


def main(connection: socket.socket, hang_fd: int, task: dict[str, Any]) -> NoReturn:
    """Never returns. At the signal HANG_SIGNAL the stack is written to `hang_fd`."""
    leave = os._exit  # the candidate may replace it
    try:
        limits.apply(task["limits"], task["contained"])
        os.chdir(task["folder"])
        signal.signal(signal.SIGINT, signal.default_int_handler)
        faulthandler.register(HANG_SIGNAL, file=hang_fd, all_threads=False)
        sys.path += [*task["path"], task["folder"]]
        path = os.path.join(task["folder"], SOURCE)
        if task["program"]:
            from . import program  # of no use to cases

            program.run(path, task["arguments"])
        sys.argv = [SOURCE]
        Candidate(Channel(connection), path).serve()
    except Garbled:
        leave(1)
    finally:
        leave(0)  # whatever was raised: what follows is the work of the process we were forked from


class Candidate(Peer):
    """Answers for the module at `path`."""

    def __init__(self, channel: Channel, path: str) -> None:
        super().__init__(channel, judging=False)
        self._path = path
        self._module = ModuleType("solution")
        self._module.__file__ = path

    def handle(self, kind: str, arguments: tuple[Any, ...]) -> Any:
        """One of the methods below; flushes, since this process may be killed at any moment."""
        own_pid, getpid, leave = os.getpid(), os.getpid, os._exit
        try:
            answer: Callable[..., Any] = self._KINDS[kind]
            return answer(self, *arguments)
        finally:
            flush()
            if getpid() != own_pid:
                leave(0)  # a process that the candidate forked came here with the rest of its stack

    def caught(self, error: BaseException) -> BaseException:
        """Make room to tell of it, where all memory is used up."""
        if isinstance(error, MemoryError):
            limits.make_room()
        return error

    def trace(self, error: BaseException) -> Any:
        """Where in the solution it was raised, and the frames that led there."""
        frames = own_frames(error.__traceback__)
        folder = os.path.dirname(self._path) + os.sep
        text = "".join(traceback.format_tb(frames)).replace(folder, "")
        return {"where": place(frames, {self._path: SOURCE}), "text": bounded(text) + "\n"}

    def _load(self, mute: bool, streams: bool, wanted: list[str]) -> dict[str, Any]:
        """Execute the module; what it has of the names in `wanted`.

        `mute` hides what it prints, `streams` shows the case all later output.
        """
        unmute = _mute() if mute else None
        sys.modules["solution"] = self._module
        with open(self._path, "rb") as file:
            text = file.read().decode("utf-8")
        code = compile(text, self._path, "exec", dont_inherit=True)
        exec(code, self._module.__dict__)
        if unmute is not None:
            unmute()
        if streams:
            _take_streams(self)
        return self._names(wanted)

    def _names(self, wanted: list[str]) -> dict[str, Any]:
        known = self._module.__dict__
        return {name: known[name] for name in wanted if name in known}

    def _import(self, name: str) -> Any:
        return importlib.import_module(name)

    def _get(self, value: Any, name: str) -> Any:
        if name == "__all__" and isinstance(value, ModuleType) and not hasattr(value, name):
            return [key for key in vars(value) if not key.startswith("_")]
        return getattr(value, name)

    def _set(self, value: Any, name: str, new: Any) -> None:
        setattr(value, name, new)

    def _delete(self, value: Any, name: str) -> None:
        delattr(value, name)

    def _call(self, value: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        return value(*arguments, **named)

    def _op(self, value: Any, operation: str, arguments: tuple[Any, ...]) -> Any:
        if isinstance(value, type) and operation == "__getitem__":
            return value[arguments[0]]  # type: ignore[index]
        return getattr(type(value), operation)(value, *arguments)

    def _copy(self, value: Any, deep: bool) -> Any:
        import copy  # seldom needed, and every process would carry it

        return copy.deepcopy(value) if deep else copy.copy(value)

    def _plain(self, value: Any) -> tuple[bool, Any]:
        """Whether it is, below its own class, a plain value, and which."""
        for kind, convert in _PLAIN.items():
            if issubclass(type(value), kind):  # whatever it says that it is
                return True, convert(value)
        return False, None

    def _equal(self, value: Any, others: list[Any]) -> list[bool]:
        return [bool(value == other) for other in others]

    def _usage(self) -> tuple[float, int]:
        """CPU seconds of this process so far, and the most memory that it had, in bytes."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        scale = 1 if sys.platform == "darwin" else 1024  # Linux counts KiB, macOS bytes
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * scale

    def _direct(self, source: str, name: str) -> None:
        direct.run(self, self._module, source, name)

    _KINDS: ClassVar[dict[str, Callable[..., Any]]] = {
        **{
            "load": _load,
            "names": _names,
            "usage": _usage,
            "import": _import,
            "get": _get,
            "set": _set,
        },
        **{"delete": _delete, "call": _call, "op": _op, "copy": _copy, "plain": _plain},
        **{"equal": _equal, "direct": _direct},
    }


_PLAIN: dict[type, Callable[[Any], Any]] = {
    int: int.__int__,
    float: float.__float__,
    str: str.__str__,
    bytes: lambda value: bytes(memoryview(value)),
    list: lambda value: list(list.__iter__(value)),
    tuple: lambda value: tuple(tuple.__iter__(value)),
    dict: lambda value: dict(dict.items(value)),
    set: lambda value: set(set.__iter__(value)),
    frozenset: lambda value: frozenset(frozenset.__iter__(value)),
    MappingProxyType: dict,
    UserDict: lambda value: dict(value.data),
    UserList: lambda value: list(value.data),
    UserString: lambda value: str(value.data),
    type({}.keys()): set,
    type({}.items()): set,
}


def flush() -> None:
    """Send on what was printed."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the candidate may have put anything there
            stream.flush()


def _mute() -> Callable[[], None]:
    """Send stdout and stderr nowhere; the returned function undoes it.

    What a module prints on import is shown once, by the first case, and not again by each.
    """
    saved = [os.dup(1), os.dup(2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)

    def unmute() -> None:
        flush()
        for fd, target in zip(saved, (1, 2), strict=True):
            os.dup2(fd, target)
            os.close(fd)

    return unmute


class _Stream(io.TextIOBase):
    """A standard stream whose other end is the case's own, whatever that is at the moment."""

    def __init__(self, peer: Peer, name: str) -> None:
        self._peer = peer
        self.name = f"<{name}>"
        self._kind = name

    def writable(self) -> bool:
        return self._kind != "stdin"

    def readable(self) -> bool:
        return self._kind == "stdin"

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._peer.request("stream", self._kind, "write", (text,))
        return len(text)

    def read(self, size: int | None = -1) -> str:
        return str(
            self._peer.request("stream", self._kind, "read", (-1 if size is None else size,))
        )

    def readline(self, size: int | None = -1) -> str:  # type: ignore[override]
        return str(self._peer.request("stream", self._kind, "readline", ()))


def _take_streams(peer: Peer) -> None:
    """Let the case see every print and answer every input, also where it has replaced them."""
    import builtins

    for name in ("stdout", "stderr", "stdin"):
        setattr(sys, name, _Stream(peer, name))
    genuine = builtins.print

    def tell(*values: Any, **named: Any) -> None:
        if named.get("file") is None:
            told = {name: value for name, value in named.items() if name in ("sep", "end")}
            peer.request("builtin", "print", values, told)
        else:
            genuine(*values, **named)

    builtins.print = tell
    builtins.input = lambda *prompt: peer.request("builtin", "input", prompt, {})

"""How objects without a value cross: handles, descriptions of classes, exceptions."""

from __future__ import annotations

import weakref
from collections import namedtuple

from .remote import (
    OPERATIONS,
    Remote,
    RemoteExceptionMeta,
    RemoteMeta,
    is_remote,
    make_class,
    make_exception_class,
    make_object,
)
from .values import Codec, standard_class
from .wire import Garbled

TYPE_CHECKING = False  # importing typing would cost each process time and memory
if TYPE_CHECKING:
    from typing import Any

_TEXT_LIMIT = 10_000
_CAUSES = 3  # exceptions behind an exception that cross with it
# What exceptions keep outside of their dict.
_ATTRIBUTES = ("filename", "filename2", "name", "path", "obj")
_MISSING = object()
_make_record: Any = namedtuple  # by data, not by a literal as type checkers want it
_DATA = (int, float, str, bytes, list, dict, set, frozenset, tuple, bytearray, complex)


class Mirror(Codec):
    """Keeps the objects that this side has shown and those that stand for the other side's.

    A handle is a number of the side whose object it is. `named` are those of its classes that the
    case is about; `nobody` is an object that nothing else equals.
    """

    def __init__(self, judging: bool) -> None:
        super().__init__(judging)
        self.named: tuple[Any, ...] = ()
        self.nobody = object()
        self.released: list[int] = []
        self._shown: dict[int, Any] = {}
        self._handles: dict[int, int] = {}
        self._described: set[int] = set()
        self._next = 1
        self._objects: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        self._classes: dict[int, type] = {}
        self._class_handles: dict[int, int] = {}

    def has_shown(self, value: Any) -> bool:
        """Whether the other side has a handle of this object of ours."""
        return self._shown.get(self._handles.get(id(value), 0)) is value

    def request(self, kind: str, *arguments: Any, still: bool = False) -> Any:
        """What the other side answers."""
        raise NotImplementedError

    def forget(self, handle: int) -> None:
        """The other side has no use for this object any more."""
        if handle in self._described:
            return
        value = self._shown.pop(handle, _MISSING)
        if value is not _MISSING:
            self._handles.pop(id(value), None)

    def export(self, value: Any) -> Any:
        """What crosses in place of `value`."""
        if isinstance(value, RemoteMeta | RemoteExceptionMeta):
            return ["H", value._class_id]
        if is_remote(value):
            return ["H", object.__getattribute__(value, "_remote_id")]
        if id(value) in self._class_handles:
            return ["H", self._class_handles[id(value)]]
        if isinstance(value, type):
            return self._export_class(value)
        if isinstance(value, BaseException):
            return self._export_exception(value)
        if type(value).__module__ == "numpy" and hasattr(value, "item") and value.shape == ():
            return self.encode(value.item())
        if isinstance(value, tuple) and _is_plain_record(type(value)):
            items = [self.encode(item) for item in tuple.__iter__(value)]
            return ["nt", self._export_class(type(value)), items]
        return ["h", self._handle(value), self._export_class(type(value))]

    def _handle(self, value: Any) -> int:
        handle = self._handles.get(id(value))
        if handle is None:
            handle, self._next = self._next, self._next + 1
            self._shown[handle] = value
            self._handles[id(value)] = handle
        return handle

    def _export_class(self, kind: type) -> Any:
        if is_remote(kind) or id(kind) in self._class_handles:
            return self.export(kind)
        handle = self._handle(kind)
        if handle in self._described:
            return ["k", handle]
        self._described.add(handle)
        own = _standard(kind) is None
        bases = [self.encode(base) for base in kind.__bases__ if base is not object] if own else []
        like = next((base for base in kind.__mro__ if base in _DATA), None) if own else kind
        if like is not None and _standard(like) is None:
            like = None
        description = {
            "name": str(kind.__name__),
            "module": str(kind.__module__),
            "bases": bases,
            "operations": _operations(kind),
            "like": self.encode(like),
            "exception": issubclass(kind, BaseException),
            "fields": list(kind._fields) if _is_plain_record(kind) else None,  # type: ignore[attr-defined]
        }
        return ["k", handle, description]

    def _export_exception(self, error: BaseException, depth: int = 0) -> Any:
        attributes = {
            name: value
            for name, value in vars(error).items()
            if isinstance(name, str) and not name.startswith(("__", "remote_"))
        }
        for name in _ATTRIBUTES:
            value = getattr(error, name, None)
            if value is not None:
                attributes[name] = value
        causes = [error.__cause__, error.__context__] if depth < _CAUSES else []
        notes = getattr(error, "__notes__", None)
        return [
            *("e", self._named(type(error)) or self._export_class(type(error))),
            [self.encode(item) for item in error.args],
            _text(error),
            [[name, self.encode(value)] for name, value in attributes.items()],
            self.trace(error),
            [cause and self._export_exception(cause, depth + 1) for cause in causes],
            [str(note) for note in notes] if isinstance(notes, list) else [],
            self._handle(error),
        ]

    def trace(self, error: BaseException) -> Any:
        """What to tell of where `error` was raised: JSON."""
        return None

    def import_(self, tag: Any, data: list[Any]) -> Any:
        """What stands here for the other side's object, or our own that comes back."""
        if tag == "H":
            return self._shown[data[1]]
        if tag == "h":
            return self._import_object(data)
        if tag == "k":
            known = self._classes.get(data[1])
            return known if known is not None else self._import_class(data[1], data[2])
        if tag == "e":
            return self._import_exception(data)
        if tag == "nt":
            return self._import_tuple(data)
        raise Garbled(f"no such tag: {tag!r}")

    def _import_object(self, data: list[Any]) -> Any:
        kind = self.decode(data[2])
        known = self._objects.get(data[1])
        if known is not None:
            return known
        if not isinstance(kind, RemoteMeta):
            raise Garbled("no class of an object")
        if data[1] in self.released:  # it comes back before we could say that it was let go
            self.released.remove(data[1])
        made = self._objects[data[1]] = make_object(self, data[1], kind)
        return made

    def _import_class(self, handle: int, description: dict[str, Any]) -> type:
        name = str(description["name"])
        bases = [self.decode(base) for base in description["bases"]]
        fields = description["fields"]
        made: Any
        if fields is not None:
            made = _make_record(name, [str(field) for field in fields])
        elif description["exception"]:
            wanted = tuple(base for base in bases if issubclass(base, BaseException))
            made = make_exception_class(self, handle, name, wanted)
        else:
            parents = tuple(base for base in bases if isinstance(base, RemoteMeta))
            operations = {str(operation) for operation in description["operations"]}
            like = self.decode(description["like"])
            made = make_class(self, handle, name, parents, operations, like)
        if fields is None:
            type.__setattr__(made, "__module__", str(description["module"]))
        self._classes[handle] = made
        self._class_handles[id(made)] = handle
        kept: type = made
        return kept

    def _import_exception(self, data: list[Any]) -> BaseException:
        kind = self.decode(data[1])
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise Garbled("no class of an exception")
        arguments = tuple(self.decode(item) for item in data[2])
        try:
            error = kind(*arguments) if kind.__module__ == "builtins" else kind.__new__(kind)
        except (TypeError, ValueError):
            error = kind.__new__(kind)
        error.args = arguments
        for name, value in data[4]:
            self._set_attribute(error, str(name), self.decode(value))
        kept = error.__dict__
        if isinstance(kind, RemoteExceptionMeta):
            kept["remote_text"] = str(data[3])
            kept["remote_self"] = make_object(self, int(data[8]), Remote)
        trace = data[5]
        if isinstance(trace, dict) and all(type(value) is str for value in trace.values()):
            kept["remote_trace"] = {name: trace.get(name, "") for name in ("where", "text")}
        causes = [cause and self._import_exception(cause) for cause in data[6]]
        if causes:
            error.__cause__, error.__context__ = causes
            error.__suppress_context__ = error.__cause__ is not None
        for note in data[7]:
            kept.setdefault("__notes__", []).append(str(note))
        return error

    def _set_attribute(self, error: BaseException, name: str, value: Any) -> None:
        if name in _ATTRIBUTES:
            try:
                setattr(error, name, value)
            except (AttributeError, TypeError):  # not of this class, or not of that type
                return
        elif not name.startswith(("__", "remote_")):
            error.__dict__[name] = value

    def _import_tuple(self, data: list[Any]) -> Any:
        kind = self.decode(data[1])
        if not (isinstance(kind, type) and issubclass(kind, tuple)):
            raise Garbled("no class of a record")
        return tuple.__new__(kind, [self.decode(item) for item in data[2]])


def _is_plain_record(kind: type) -> bool:
    """Whether `kind` is a named tuple that adds nothing to its fields."""
    fields = vars(kind).get("_fields")
    if kind.__bases__ != (tuple,) or type(fields) is not tuple:
        return False
    if vars(kind).get("_field_defaults") or not all(type(field) is str for field in fields):
        return False
    return all(name in fields or name.startswith("_") for name in vars(kind))


def _standard(kind: type) -> Any:
    module, name = kind.__module__, kind.__qualname__
    if type(module) is not str or type(name) is not str:
        return None
    return kind if standard_class(module, name) is kind else None


def _operations(kind: type) -> list[str]:
    found = {
        name
        for base in kind.__mro__
        if base is not object
        for name in vars(base)
        if name in OPERATIONS
    }
    if kind.__hash__ is None:
        found.discard("__hash__")
        found.add("!hash")
    elif getattr(kind, "__hash__", None) is object.__hash__:
        found.discard("__hash__")
    for name in ("__str__", "__repr__", "__format__"):
        found.add(name)
    return sorted(found)


def _text(error: BaseException) -> str:
    try:
        return str(error)[:_TEXT_LIMIT]
    except Exception as inner:  # the candidate's own __str__ may raise anything
        return f"<its str raises {type(inner).__name__}>"

"""Objects of the other process: they look like what they stand for, and every use is a request.

On the judging side they know what they must not decide. An object of the candidate's never says
itself whether it equals, contains or is less than a plain value of the case's, unless the case is
about its class: an object that equals everything would pass any case. What it tells without seeing
the expected value (its length, text, items, attributes) is data like any other.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # importing typing would cost each process time and memory
if TYPE_CHECKING:
    from typing import Any

    from .mirror import Mirror


_COMPARING = ("__lt__", "__le__", "__gt__", "__ge__")
_ARITHMETIC = tuple(
    f"__{prefix}{name}__"
    for name in (
        *("add", "sub", "mul", "truediv", "floordiv", "mod", "divmod", "pow", "matmul"),
        *("and", "or", "xor", "lshift", "rshift"),
    )
    for prefix in ("", "r", "i")
    if (prefix, name) != ("i", "divmod")
)
_TELLING = (
    *("__len__", "__length_hint__", "__getitem__", "__setitem__", "__delitem__", "__missing__"),
    *("__iter__", "__next__", "__reversed__", "__call__", "__enter__", "__exit__", "__hash__"),
    *("__bool__", "__str__", "__repr__", "__format__", "__bytes__", "__int__", "__float__"),
    *("__complex__", "__index__", "__round__", "__trunc__", "__floor__", "__ceil__", "__abs__"),
    *("__neg__", "__pos__", "__invert__", "__dir__", "__sizeof__", "__fspath__"),
)
OPERATIONS = frozenset({*_COMPARING, *_ARITHMETIC, *_TELLING, "__contains__", "__eq__"})
_SEEING = frozenset({*_COMPARING, *_ARITHMETIC})
# A plain value's methods that are shown what the case expects.
_PREDICATES = frozenset(
    {
        *("startswith", "endswith", "issubset", "issuperset", "isdisjoint", "is_integer"),
        *(name for name in dir(str) if name.startswith("is")),
    }
)
_DECOYS = 16
_OWN = frozenset(
    {"_remote_peer", "_remote_id", "_class_peer", "_class_id", "__class__", "__dict__", "__slots__"}
)


class RemoteMeta(type):
    """The class of a class of the other process: its attributes and items are there."""

    _class_peer: Mirror
    _class_id: int

    def __call__(cls, *arguments: Any, **named: Any) -> Any:
        return cls._class_peer.request("call", cls, arguments, named)

    def __getattr__(cls, name: str) -> Any:
        if name in _OWN or (name.startswith("__abstract") or name.startswith("_abc")):
            raise AttributeError(name)
        return cls._class_peer.request("get", cls, name)

    def __setattr__(cls, name: str, value: Any) -> None:
        if name in _OWN:
            type.__setattr__(cls, name, value)
        else:
            cls._class_peer.request("set", cls, name, value)

    def __iter__(cls) -> Any:
        return cls._class_peer.request("op", cls, "__iter__", ())

    def __len__(cls) -> Any:
        return cls._class_peer.request("op", cls, "__len__", ())

    def __bool__(cls) -> bool:
        return True

    @property
    def __doc__(cls) -> Any:  # type: ignore[override]
        return cls._class_peer.request("get", cls, "__doc__") if _has_peer(cls) else None

    def __getitem__(cls, key: Any) -> Any:
        return cls._class_peer.request("op", cls, "__getitem__", (key,))

    def __contains__(cls, item: Any) -> Any:
        return cls._class_peer.request("op", cls, "__contains__", (item,))


class RemoteExceptionMeta(type):
    """The same for a class of exceptions, whose instances are here, as copies.

    What a copy lacks is looked up in the original.
    """

    _class_peer: Mirror
    _class_id: int

    def __call__(cls, *arguments: Any, **named: Any) -> Any:
        return cls._class_peer.request("call", cls, arguments, named)

    def __getattr__(cls, name: str) -> Any:
        if name in _OWN:
            raise AttributeError(name)
        return cls._class_peer.request("get", cls, name)


def _has_peer(cls: RemoteMeta) -> bool:
    return "_class_peer" in vars(cls)


class Remote(metaclass=RemoteMeta):
    """An object of the other process."""

    __slots__ = ("__weakref__", "_remote_id", "_remote_peer")

    def __repr__(self) -> str:
        return str(self._remote_peer.request("op", self, "__repr__", ()))

    def __getattr__(self, name: str) -> Any:
        if name in _OWN or name.startswith("__array"):
            raise AttributeError(name)
        if name in _PREDICATES and self._remote_peer.judging and not _is_named(self):
            raise AttributeError(f"{type(self).__name__!r} object is no plain value with {name!r}")
        return self._remote_peer.request("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._remote_peer.request("set", self, name, value)

    def __delattr__(self, name: str) -> None:
        self._remote_peer.request("delete", self, name)

    def __del__(self) -> None:
        try:
            self._remote_peer.released.append(self._remote_id)
        except AttributeError:  # never finished
            return

    def __copy__(self) -> Any:
        return self._remote_peer.request("copy", self, False)

    def __deepcopy__(self, memo: Any) -> Any:
        return self._remote_peer.request("copy", self, True)

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __ne__(self, other: object) -> Any:
        same = self.__eq__(other)
        return same if same is NotImplemented else not same

    def __hash__(self) -> int:
        return id(self)


def make_class(
    peer: Mirror, handle: int, name: str, bases: tuple[type, ...], operations: set[str], like: Any
) -> RemoteMeta:
    """The class that stands for another process's; `like` is what its instances pass for."""
    members: dict[str, Any] = {"__slots__": (), "__doc__": property(_document)}
    for operation in operations & OPERATIONS:
        members[operation] = _forward(operation)
    members["__eq__"] = _equal if "__eq__" in operations else _identical
    if "!hash" in operations:
        members["__hash__"] = None
    elif "__hash__" not in operations:
        members["__hash__"] = Remote.__hash__
    if "__contains__" in operations:
        members["__contains__"] = _contains
    if like is not None:
        members["__class__"] = property(lambda self: like)
    try:
        made = RemoteMeta(name, bases or (Remote,), members)
    except TypeError:  # bases whose order or layout can't be had here
        made = RemoteMeta(name, (Remote,), members)
    made._class_peer = peer
    made._class_id = handle
    return made


def _document(self: Any) -> Any:
    return self._remote_peer.request("get", self, "__doc__")


def make_exception_class(
    peer: Mirror, handle: int, name: str, bases: tuple[type, ...]
) -> RemoteExceptionMeta:
    """The class that stands for another process's class of exceptions."""
    members = {"__str__": _told, "__repr__": _shown, "__getattr__": _look_up}
    try:
        made = RemoteExceptionMeta(name, bases or (Exception,), members)
    except TypeError:  # bases whose layouts exclude each other
        made = RemoteExceptionMeta(name, (Exception,), members)
    made._class_peer = peer
    made._class_id = handle
    return made


def _told(self: BaseException) -> str:
    text = self.__dict__.get("remote_text")
    return text if isinstance(text, str) else Exception.__str__(self)


def _shown(self: BaseException) -> Any:
    original = self.__dict__.get("remote_self")
    return Exception.__repr__(self) if original is None else repr(original)


def _look_up(self: BaseException, name: str) -> Any:
    original = self.__dict__.get("remote_self")
    if original is None or name.startswith("__"):
        raise AttributeError(name)
    return getattr(original, name)


def make_object(peer: Mirror, handle: int, kind: type) -> Any:
    """The instance of `kind` that stands for the object `handle`."""
    made: Any = object.__new__(kind)
    object.__setattr__(made, "_remote_peer", peer)
    object.__setattr__(made, "_remote_id", handle)
    return made


def is_remote(value: Any) -> bool:
    """Whether `value` is an object or a class of the other process."""
    kind = type(value)
    return issubclass(kind, RemoteMeta | RemoteExceptionMeta) or isinstance(kind, RemoteMeta)


def _is_named(value: Any) -> bool:
    """Whether the case is about the class of `value`: it names it, as a class is named."""
    named = value._remote_peer.named
    return any(kind is known for kind in type(value).__mro__ for known in named)


def _forward(operation: str) -> Any:
    seeing = operation in _SEEING

    def method(self: Any, *arguments: Any) -> Any:
        peer = self._remote_peer
        if seeing and peer.judging and not all(map(is_remote, arguments)) and not _is_named(self):
            return NotImplemented
        if operation == "__exit__":
            arguments = (*arguments[:2], None)  # a traceback can't cross
        return peer.request("op", self, operation, arguments, still=operation == "__hash__")

    def call(self: Any, /, *arguments: Any, **named: Any) -> Any:
        return self._remote_peer.request("call", self, arguments, named)

    made = call if operation == "__call__" else method
    made.__name__ = operation
    return made


def _identical(self: Any, other: object) -> Any:
    return True if self is other else NotImplemented


def _contains(self: Any, item: Any) -> bool:
    peer = self._remote_peer
    if not peer.judging or is_remote(item) or _is_named(self):
        return bool(peer.request("op", self, "__contains__", (item,)))
    return any(item is found or item == found for found in self)


def _equal(self: Any, other: object) -> Any:
    peer = self._remote_peer
    if not peer.judging:
        return peer.request("op", self, "__eq__", (other,))
    if self is other:
        return True
    decoys: list[Any] = [peer.nobody]
    if not is_remote(other):
        known, plain = peer.request("plain", self, still=True)
        if known:
            return plain == other
        found = _decoys(other) if _is_named(self) else None
        if found is None:
            return NotImplemented
        decoys += found
    asked = [other, *decoys]
    order = sorted(range(len(asked)), key=lambda _: os.urandom(8))
    answers = peer.request("equal", self, [asked[number] for number in order], still=True)
    # It may equal what the case expects; equal to anything else as well, it tells nothing.
    return answers == [number == 0 for number in order]


def _decoys(value: Any) -> list[Any] | None:
    """Values around `value` of which nothing tells that it is the one; None where there are none.

    One place of it (a character, a digit, an item) takes every value of a row that has the true one
    somewhere.
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int):
        lowest = value - _pick(_DECOYS)
        return [item for item in range(lowest, lowest + _DECOYS) if item != value]
    if isinstance(value, float):
        return [item for item in map(float, _around(repr(value), "0123456789")) if item != value]
    if isinstance(value, str):
        return _around(value, "") if value else None
    if isinstance(value, list | tuple) and value:
        place = _pick(len(value))
        others = _decoys(value[place])
        made = [[*value[:place], item, *value[place + 1 :]] for item in others or ()]
        return [type(value)(item) for item in made] or None
    if isinstance(value, dict) and value:
        name = list(value)[_pick(len(value))]
        others = _decoys(value[name])
        return [{**value, name: item} for item in others or ()] or None
    return None


def _around(text: str, alphabet: str) -> list[str]:
    """`text` with one character replaced, by each of its neighbours or of `alphabet`."""
    places = [place for place, letter in enumerate(text) if not alphabet or letter in alphabet]
    if not places:
        return []
    place = places[_pick(len(places))]
    lowest = max(32, ord(text[place]) - _pick(_DECOYS))
    letters = alphabet or "".join(map(chr, range(lowest, lowest + _DECOYS)))
    made = [text[:place] + letter + text[place + 1 :] for letter in letters]
    return [item for item in made if item != text]


def _pick(count: int) -> int:
    """Any of 0 to count - 1. The random module would have every forked process sow anew."""
    return int.from_bytes(os.urandom(4), "big") % count

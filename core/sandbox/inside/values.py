"""Values as data: what may cross between a candidate and the case that judges it.

Exact built-in and standard-library value types cross by value. Everything else (functions, classes,
instances) stays where it is, and a handle crosses in its place. Decoding never runs code of the
other side: it calls only the types named here, with data.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from types import BuiltinFunctionType, FunctionType, ModuleType

from .shared import KINDS, MAPPINGS, TYPES, Shared, content, fill
from .wire import Garbled

TYPE_CHECKING = False  # importing typing would cost each process time and memory
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

_SMALL = 1 << 63
_PLAIN = {str, bool, float, type(None)}
_CROSSING = {*_PLAIN, int}  # what JSON gives that is a value already
# Immutable standard-library values by class, with what rebuilds them.
_REBUILT: dict[tuple[str, str], Callable[[Any], tuple[Any, ...]]] = {
    ("decimal", "Decimal"): lambda value: (str(value),),
    ("fractions", "Fraction"): lambda value: (value.numerator, value.denominator),
    ("datetime", "date"): lambda value: (value.year, value.month, value.day),
    ("datetime", "time"): lambda value: (*_clock(value), value.tzinfo, value.fold),
    ("datetime", "datetime"): lambda value: (
        *(value.year, value.month, value.day),
        *(*_clock(value), value.tzinfo, value.fold),
    ),
    ("datetime", "timedelta"): lambda value: (value.days, value.seconds, value.microseconds),
    ("datetime", "timezone"): lambda value: value.__getinitargs__(),
    ("array", "array"): lambda value: (value.typecode, value.tolist()),
    ("zoneinfo", "ZoneInfo"): lambda value: (value.key,),
    ("uuid", "UUID"): lambda value: (value.hex,),
    ("pathlib", "PosixPath"): lambda value: (str(value),),
    ("pathlib._local", "PosixPath"): lambda value: (str(value),),
    ("pathlib", "PurePosixPath"): lambda value: (str(value),),
    ("ipaddress", "IPv4Address"): lambda value: (str(value),),
    ("ipaddress", "IPv6Address"): lambda value: (str(value),),
    ("ipaddress", "IPv4Network"): lambda value: (str(value),),
    ("ipaddress", "IPv6Network"): lambda value: (str(value),),
}


def _is_genuine(kind: type) -> bool:
    return getattr(sys.modules.get(kind.__module__), kind.__name__, None) is kind


def _clock(value: Any) -> tuple[int, int, int, int]:
    return value.hour, value.minute, value.second, value.microsecond


# Classes of these modules cross by their name. Nothing in them has an instance that equals
# everything, as unittest.mock has one, and making one opens and changes nothing.
_NAMED_MODULES = frozenset(
    {
        *("builtins", "collections", "collections.abc", "datetime", "decimal", "enum"),
        *("fractions", "functools", "itertools", "numbers", "pathlib", "re", "string", "uuid"),
        *("abc", "ipaddress", "zoneinfo", "pathlib._local", "random", "array"),
    }
)
# Classes of exceptions cross from these as well.
_RAISING_MODULES = frozenset(
    {
        *("json.decoder", "subprocess", "zipfile", "tarfile", "configparser", "_csv", "csv"),
        *("struct", "binascii", "queue", "_queue", "asyncio.exceptions", "shutil", "copy"),
        *("concurrent.futures._base", "dataclasses", "pickle", "_pickle", "urllib.error"),
        *("http.client", "xml.etree.ElementTree", "zoneinfo._common", "statistics", "socket"),
        *("ssl", "sqlite3", "_struct", "zlib", "lzma", "graphlib", "email.errors", "io"),
    }
)
# A module that the other side has under some name stands for itself if it is one of these.
_MODULES = frozenset(
    {
        *("bisect", "calendar", "cmath", "collections", "datetime", "decimal", "enum"),
        *("fractions", "functools", "heapq", "itertools", "json", "math", "numbers", "operator"),
        *("random", "re", "statistics", "string", "textwrap", "time", "uuid"),
    }
)
# Classes like that of generators, which say that they are built-in and are found elsewhere.
_UNNAMED = {kind.__qualname__: kind for kind in vars(types).values() if isinstance(kind, type)}


def standard_class(module: str, name: str) -> Any:
    """A standard class that may cross by name; None for anything else."""
    if module not in _NAMED_MODULES and module not in _RAISING_MODULES:
        return None
    found = _find(module, name)
    if found is None and module == "builtins":
        found = _UNNAMED.get(name)
    if not isinstance(found, type):
        return None
    return found if module in _NAMED_MODULES or issubclass(found, BaseException) else None


def _standard_function(module: str, name: str) -> Any:
    """A function of the standard library; None for anything else. For the candidate's side."""
    if module.partition(".")[0] not in sys.stdlib_module_names or module == "__main__":
        return None
    found = _find(module, name)
    return found if isinstance(found, FunctionType | BuiltinFunctionType) else None


def _find(module: str, name: str) -> Any:
    """A module's own attribute. The caller has made sure that importing the module is harmless."""
    try:
        return vars(importlib.import_module(module)).get(name)
    except ImportError:
        return None


class Codec:
    """Encodes and decodes for one side; a subclass says how objects without a value cross.

    `judging` is the case's side. It names functions of the standard library to the other, which is
    free to call them, but takes none: a function that it got runs where the candidate does.
    """

    def __init__(self, judging: bool) -> None:
        self.judging = judging
        self.shared = Shared(0 if judging else 1)

    def encode(self, value: Any) -> Any:
        """`value` as JSON; the exact type decides, so no subclass can pass for its base."""
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind is int:
            return value if -_SMALL < value < _SMALL else ["i", hex(value)]
        if kind is tuple or kind is frozenset:
            return ["t" if kind is tuple else "f", self._encode_all(value)]
        if kind in KINDS:
            return self._encode_container(value, KINDS[kind])
        if kind is bytes:
            return ["b", value.hex()]
        if kind is complex:
            return ["c", value.real, value.imag]
        if kind is range:
            return ["R", value.start, value.stop, value.step]
        if kind is slice:
            return ["S", *map(self.encode, (value.start, value.stop, value.step))]
        if value is ...:
            return ["E"]
        if value is NotImplemented:
            return ["N"]
        rebuilt = _REBUILT.get((kind.__module__, kind.__qualname__))
        if rebuilt is not None and _is_genuine(kind):
            return ["v", kind.__module__, kind.__qualname__, *map(self.encode, rebuilt(value))]
        if kind is ModuleType:
            return ["m", value.__name__] if _is_standard_module(value) else self.export(value)
        return self._named(value) or self.export(value)

    def _named(self, value: Any) -> Any:
        # Not isinstance: what stands for another process's function passes for one.
        if issubclass(type(value), type):
            find = standard_class
        elif self.judging and type(value) in (FunctionType, BuiltinFunctionType):
            find = _standard_function
        else:
            return None
        module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
        if type(module) is str and type(name) is str and find(module, name) is value:
            return ["n", module, name]
        return None

    def _encode_container(self, value: Any, tag: str) -> Any:
        key = self.shared.key(value)
        if key is not None:
            return ["r", key]
        key = self.shared.add(value)
        extra = None
        if tag == "q":
            extra = value.maxlen
        elif tag == "D":
            extra = self.encode(value.default_factory)
        return [tag, key, self.items(value), extra]

    def items(self, container: Any) -> Any:
        """The content of a container that crosses."""
        if isinstance(container, bytearray):
            return container.hex()
        found = content(container)
        if isinstance(container, dict):
            return [[self.encode(name), self.encode(value)] for name, value in found]
        return self._encode_all(found)

    def _encode_all(self, values: Collection[Any]) -> list[Any]:
        kinds = set(map(type, values))
        # A long list of numbers or texts takes a tenth of the time this way.
        if kinds <= _PLAIN or (kinds == {int} and -_SMALL < min(values) <= max(values) < _SMALL):
            return list(values)
        return [self.encode(item) for item in values]

    def _decode_all(self, data: list[Any]) -> list[Any]:
        if set(map(type, data)) <= _CROSSING:
            return list(data)
        return [self.decode(item) for item in data]

    def decode(self, data: Any) -> Any:
        """The value of `data`; raises Garbled for what no encoder makes."""
        if not isinstance(data, list):
            if data is None or isinstance(data, str | bool | float | int):
                return data
            raise Garbled("not a value")
        try:
            return self._decode(data[0], data)
        except (IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise Garbled(f"not a value: {type(error).__name__}: {error}") from error

    def _decode(self, tag: Any, data: list[Any]) -> Any:
        if tag == "t":
            return tuple(self._decode_all(data[1]))
        if tag in TYPES:
            return self._decode_container(tag, data)
        if tag == "r":
            return self.shared.get(data[1])
        if tag == "f":
            return frozenset(self._decode_all(data[1]))
        if tag == "i":
            return int(data[1], 16)
        if tag == "b":
            return bytes.fromhex(data[1])
        if tag == "c":
            return complex(data[1], data[2])
        if tag == "R":
            return range(data[1], data[2], data[3])
        if tag == "S":
            return slice(*map(self.decode, data[1:4]))
        if tag in ("E", "N"):
            return ... if tag == "E" else NotImplemented
        if tag == "v":
            return self._decode_rebuilt(data)
        if tag == "n":
            found = standard_class(data[1], data[2])
            if found is None and not self.judging:
                found = _standard_function(data[1], data[2])
            if found is None:
                raise Garbled("no such thing in the standard library")
            return found
        if tag == "m":
            if data[1] not in _MODULES:
                raise Garbled("no module that crosses")
            return importlib.import_module(data[1])
        return self.import_(tag, data)

    def _decode_rebuilt(self, data: list[Any]) -> Any:
        if (data[1], data[2]) not in _REBUILT:
            raise Garbled("no such value type")
        arguments = [self.decode(item) for item in data[3:]]
        kind = _find(data[1], data[2])
        if data[1] == "datetime" and data[2] in ("time", "datetime"):
            return kind(*arguments[:-1], fold=arguments[-1])
        return kind(*arguments)

    def _decode_container(self, tag: str, data: list[Any]) -> Any:
        kind: Any = TYPES[tag]
        container: Any
        if kind is deque:
            container = deque(maxlen=data[3])
        elif kind is defaultdict:
            factory = self.decode(data[3])
            # Another process's function as the factory adds nothing to what the content tells.
            container = defaultdict(factory if isinstance(factory, type) else None)
        else:
            container = {Counter: Counter, OrderedDict: OrderedDict}.get(kind, kind)()
        self.shared.add(container, data[1])
        self.refill(container, data[2])
        return container

    def refill(self, container: Any, items: Any) -> None:
        """Give `container` the content that crossed."""
        tag = KINDS[type(container)]
        if tag == "y":
            fill(container, tag, list(bytes.fromhex(items)))
        elif tag in MAPPINGS:
            fill(container, tag, [(self.decode(name), self.decode(item)) for name, item in items])
        else:
            fill(container, tag, self._decode_all(items))

    def export(self, value: Any) -> Any:
        """What crosses in place of an object without a value."""
        raise NotImplementedError

    def import_(self, tag: Any, data: list[Any]) -> Any:
        """What stands here for an object of the other side."""
        raise NotImplementedError


def _is_standard_module(module: ModuleType) -> bool:
    return module.__name__ in _MODULES and sys.modules.get(module.__name__) is module

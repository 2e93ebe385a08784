"""The file of measurements as values. It may be old, or anybody's: every entry is checked."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cattrs

from core.endpoints.names import canonical
from core.qualify_result import Qualification

MODEL_LIMIT, TEXT_LIMIT, NUMBER_LIMIT = 200, 4000, 1e12
Book = dict[tuple[str, str], Qualification]


@dataclass(frozen=True, slots=True)
class Read:
    """What a file holds; `faults` says what in it is no measurement."""

    book: Book
    faults: tuple[str, ...] = ()


def key_of(found: Qualification) -> tuple[str, str]:
    """What it is kept under: endpoint and model."""
    return found.place, canonical(found.model)


def is_model(name: str) -> bool:
    """Whether a model can be called that."""
    return 0 < len(name) <= MODEL_LIMIT and name.isprintable() and " " not in name


def read(path: Path) -> Read:
    """All that can be read of the file; nothing where there is none."""
    try:
        listed = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return Read({})
    except (OSError, ValueError, RecursionError) as error:
        return Read({}, (f"can't be read: {error or 'nested too deep'}",))
    if not isinstance(listed, list):
        return Read({}, ("is no list of measurements",))
    book, faults = Book(), list[str]()
    for number, item in enumerate(listed):
        try:
            found = _entry(item)
        except (ValueError, TypeError, KeyError) as error:
            faults.append(f"entry {number + 1}: {error}")
        else:
            book[key_of(found)] = found
    return Read(book, tuple(faults))


def _entry(item: Any) -> Qualification:
    if not isinstance(item, dict) or not isinstance(item.get("failed"), list):
        raise ValueError("no measurement")
    found = _converter.structure(item, Qualification)
    if not found.url.startswith(("http://", "https://")) or not found.place.isprintable():
        raise ValueError("`url` is no address")
    if not is_model(found.model):
        raise ValueError("`model` is no name of a model")
    if found.passed > found.asked:
        raise ValueError("more tasks passed than were asked")
    return found


def _text(value: Any, _: object) -> str:
    if not isinstance(value, str) or len(value) > TEXT_LIMIT:
        raise ValueError("a text is none, or too long")
    return value


def _number(value: Any, _: object) -> float:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    if not known or not math.isfinite(value) or not 0 <= value <= NUMBER_LIMIT:
        raise ValueError("a number is none, or out of range")
    return float(value)


def _count(value: Any, _: object) -> int:
    if not isinstance(value, int) or not _number(value, _).is_integer():
        raise ValueError("a number is not whole")
    return value


_converter = cattrs.Converter(detailed_validation=False)
_converter.register_structure_hook(str, _text)
_converter.register_structure_hook(float, _number)
_converter.register_structure_hook(int, _count)

"""The collecting of what is wrong with a configuration, so that all of it is told at once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from pathlib import Path
from typing import NoReturn

import yaml
from yaml.nodes import Node

from core.errors import ConfigError, Problem

MAX_CHARACTERS = 1024 * 1024
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
Place = tuple[int, int]  # index into the text, 1-based line


class Problems:
    """What was found wrong or odd so far, to be told in file order.

    `directory` is where relative paths in the configuration count from.
    """

    def __init__(self, source: str, directory: Path | None = None) -> None:
        self.source = source
        self.directory = directory or Path()
        self._problems: list[tuple[int, Problem]] = []
        self._warnings: list[tuple[int, str]] = []

    def add(
        self, mark: yaml.Mark | Node | Place | None, path: str, message: str, mend: str
    ) -> None:
        """Note a problem at a mark, node or place; None: not in any line."""
        index, line = _place(mark)
        self._problems.append((index, Problem(path, line, message, mend)))

    def warn(self, node: Node, path: str, message: str) -> None:
        """Note something that works, but surely is not what the user meant."""
        index, line = _place(node)
        self._warnings.append((index, f"line {line}, {path}: {message}."))

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings in file order."""
        return tuple(text for _, text in sorted(self._warnings, key=lambda pair: pair[0]))

    def raise_any(self) -> None:
        """Raise ConfigError with all problems in file order, if there are any."""
        if self._problems:
            ordered = sorted(self._problems, key=lambda pair: pair[0])
            raise ConfigError(self.source, tuple(problem for _, problem in ordered))

    def fail(
        self, mark: yaml.Mark | Node | Place | None, path: str, message: str, mend: str
    ) -> NoReturn:
        """Raise ConfigError with this problem after all earlier ones."""
        self.add(mark, path, message, mend)
        self.raise_any()
        raise AssertionError("unreachable")


def _place(at: yaml.Mark | Node | Place | None) -> Place:
    if at is None or isinstance(at, tuple):
        return at or (0, 0)
    mark = at.start_mark if isinstance(at, Node) else at
    return mark.index, mark.line + 1


def join(path: str, key: str) -> str:
    """The dotted path of `key` below `path`."""
    if not _WORD.fullmatch(key):
        return f'{path}["{key[:60]}"]'
    return f"{path}.{key}" if path else key


def did_you_mean(word: str, known: Collection[str]) -> str:
    """The nearest known word as a question, else all known words."""
    near = difflib.get_close_matches(word[:60].lower(), list(known), n=1)
    return f"Did you mean `{near[0]}`?" if near else f"Known here: {', '.join(known)}"

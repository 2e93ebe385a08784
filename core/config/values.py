"""Single values out of nodes: text, numbers in a range, switches. Each notes its problem and
then gives None, so that the reading goes on and finds the next problem too."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from yaml.nodes import Node

from core.config.nodes import ALIAS_TAG, describe, is_null, mapping, scalar, wrong_type
from core.config.problems import Problems, join

T = TypeVar("T")
MAX_TEXT = 4096
_DURATION = re.compile(r"-?([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+")


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`, both included; `whole` ones only, if set."""

    low: float
    high: float
    whole: bool = True

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        return f"{kind} from {self.low:,} to {self.high:,}".replace(",", "_")


# How a section's key is read: a number in a range, or by a function that notes its problem.
Reader: TypeAlias = Callable[[Problems, Node, str], Any]
Rule: TypeAlias = "Range | Reader"


def number(problems: Problems, node: Node, path: str, allowed: Range) -> int | float | None:
    """A number in the range; true and false are no numbers, nor is text that looks like one."""
    try:
        value = scalar(node)
    except ValueError:
        value = None
    wanted = (int,) if allowed.whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, wanted):
        wrong_type(problems, node, path, str(allowed), "Write the number without quotes or unit")
        return None
    if not allowed.low <= value <= allowed.high:  # also refuses NaN
        mend = f"It must be {allowed}"
        problems.add(node, path, f"{describe(node)} is out of range", mend)
        return None
    return int(value) if allowed.whole else float(value)


def switch(problems: Problems, node: Node, path: str) -> bool | None:
    """true or false."""
    try:
        value = scalar(node)
    except ValueError:
        value = None
    if isinstance(value, bool):
        return value
    wrong_type(problems, node, path, "true or false", "Write true or false without quotes")
    return None


def text(problems: Problems, node: Node, path: str, wanted: str) -> str | None:
    """Text that is not empty and holds no control characters; outer spaces are dropped."""
    if node.tag != "tag:yaml.org,2002:str":
        mend = f'Put it in quotes: "{node.value}"' if isinstance(node.value, str) else ""
        wrong_type(problems, node, path, wanted, "" if is_null(node) else mend)
        return None
    value = str(node.value).strip()
    if not value or len(value) > MAX_TEXT or not value.isprintable():
        fault = "is empty" if not value else "is too long or holds control characters"
        problems.add(node, path, f"the text {fault}", f"It should be {wanted}")
        return None
    return value


def model_name(problems: Problems, node: Node, path: str) -> str | None:
    """A model as its server calls it, like `qwen2.5-coder:14b`."""
    name = text(problems, node, path, "a model name")
    if name is not None and (len(name) > 200 or any(char.isspace() for char in name)):
        mend = "Write it as `ollama list` shows it"
        problems.add(node, path, "this is no model name", mend)
        return None
    return name


def keep_alive(problems: Problems, node: Node, path: str) -> str | int | None:
    """Seconds as a number, or a duration like "10m"; negative: for ever."""
    if node.tag.endswith(":int"):
        seconds = number(problems, node, path, Range(-1, 10_000_000))
        return None if seconds is None else int(seconds)
    wanted = 'seconds or a duration like "10m"'
    duration = text(problems, node, path, wanted)
    if duration is not None and not _DURATION.fullmatch(duration):
        mend = 'Write a number with its unit, like "30s", "10m" or "1h30m", or -1 for ever'
        problems.add(node, path, f"{duration!r} is no duration", mend)
        return None
    return duration


def choice(problems: Problems, node: Node, path: str, allowed: Sequence[str]) -> str | None:
    """One of a few words."""
    wanted = " or ".join(allowed)
    if node.tag == "tag:yaml.org,2002:str" and node.value in allowed:
        return str(node.value)
    wrong_type(problems, node, path, wanted, f"Write {wanted}")
    return None


def section(
    problems: Problems,
    entry: tuple[Node, Node] | None,
    path: str,
    cls: type[T],
    rules: Mapping[str, Rule],
) -> T:
    """A dataclass filled from a mapping by each key's rule; what is absent keeps its default.

    A key written without a value counts as absent.
    """
    values: dict[str, Any] = {}
    for key, (_, node) in mapping(problems, entry and entry[1], path, rules).items():
        rule = rules[key]
        if is_null(node) or node.tag == ALIAS_TAG:
            continue
        if isinstance(rule, Range):
            value: Any = number(problems, node, join(path, key), rule)
        else:
            value = rule(problems, node, join(path, key))
        if value is not None:
            values[key] = value
    return cls(**values)

"""A changed document -> new YAML text that keeps the user's comments, order and quotes."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import yaml
from ruamel.yaml.error import YAMLError as RuamelError

from core.config.comments import Path, comment_lines, lift, weave
from core.config.nodes import compose, plain, unify_line_breaks
from core.config.parse import parse
from core.config.problems import Problems
from core.config.roundtrip import dumper, fresh, written_key
from core.errors import ConfigError, Problem

# A list and a single endpoint are the same entry in two forms: comments go along.
_SAME_ENTRY = {"endpoint": "endpoints", "endpoints": "endpoint"}


def document_of(text: str, source: str) -> dict[str, Any]:
    """The document as plain values, as written. `text` must be one that `parse` accepts."""
    values: dict[str, Any] = plain(compose(text, Problems(source)))
    return values


def dump_plain(document: Mapping[str, Any]) -> str:
    """The document as YAML of its own, to be checked. Raises TypeError for what YAML can't hold."""
    try:
        text: str = yaml.dump(document, Dumper=_NoAliases, sort_keys=False, width=2**16)
    except (yaml.YAMLError, RecursionError) as error:
        raise TypeError(str(error)) from error
    return text


class _NoAliases(yaml.SafeDumper):
    """The same object in two places is written twice: `parse` refuses aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def merged(text: str, document: Mapping[str, Any], source: str) -> str:
    """`text` with the values of `document`, a good one, and all else as the user left it.

    Raises ConfigError if the layout is too odd to be kept; the caller then changes nothing.
    """
    mark = "\ufeff" if text.startswith("\ufeff") else ""
    windows = "\r\n" in text
    text = unify_line_breaks(text)
    old = document_of(text, source)
    bare, comments = lift(text)
    mend = "Edit the file by hand, or simplify its layout"
    message = "the change can't be made without disturbing other lines"
    refusal = ConfigError(source, (Problem("file", 0, message, mend),))
    try:
        changed = _round_trip(bare, old, document)
        result = weave(changed, comments, _moves(old, document))
        parse(result, source)
    except (RuamelError, LookupError, ConfigError) as error:
        # The two YAML libraries read it differently: an odd key like 0o17.
        raise refusal from error
    kept = comment_lines(result) == comment_lines(text)
    if not kept or not same(document_of(result, source), document):
        raise refusal
    return mark + (result.replace("\n", "\r\n") if windows else result)


def _round_trip(bare: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    ruamel = dumper(bare)
    tree = ruamel.load(bare)
    _merge_mapping(tree, old, new)
    stream = io.StringIO()
    ruamel.dump(tree, stream)
    return stream.getvalue()


def same(one: Any, other: Any) -> bool:
    """Equality that tells true from 1, at every depth; the order of keys does not count."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _merge_mapping(node: Any, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Make ruamel's `node`, which holds `old`, hold `new`; what stays the same is not touched."""
    after = None
    for key, value in new.items():
        if key in old:
            _merge_entry(node, key, old[key], value)
        else:
            keys = list(node)
            neighbour = _SAME_ENTRY.get(key) if _SAME_ENTRY.get(key) in old else after
            place = keys.index(neighbour) + 1 if neighbour in keys else len(keys)
            node.insert(place, written_key(key), fresh(value))
        after = key
    for key in old:
        if key not in new:
            del node[key]


def _merge_entry(node: Any, key: str, old: Any, new: Any) -> None:
    if same(old, new):
        return
    if isinstance(old, dict) and old and isinstance(new, Mapping):
        _merge_mapping(node[key], old, new)
    elif isinstance(old, list) and isinstance(new, list):
        _merge_list(node[key], old, new)
    else:
        node[key] = fresh(new)


def _merge_list(node: Any, old: list[Any], new: list[Any]) -> None:
    """Items that stay, and the entries in those that change, keep the form that they were written
    in."""
    origin = {target: index for index, target in _pairs(old, new).items()}
    written, items = list(node), []
    for index, value in enumerate(new):
        before = old[origin[index]] if index in origin else None
        if index in origin and same(before, value):
            items.append(written[origin[index]])
        elif isinstance(before, dict) and before and isinstance(value, Mapping):
            _merge_mapping(written[origin[index]], before, value)
            items.append(written[origin[index]])
        else:
            items.append(fresh(value))
    while len(node):
        node.pop()
    node.extend(items)


def _pairs(old: list[Any], new: list[Any]) -> dict[int, int]:
    """{old index: new index}: equal items first; a lone one in the same place was edited there."""
    pairs: dict[int, int] = {}
    free = list(range(len(new)))
    for index, item in enumerate(old):
        target = next((place for place in free if same(item, new[place])), None)
        if target is not None:
            pairs[index] = target
            free.remove(target)
    for index in range(len(old)):
        if index not in pairs and index in free:
            pairs[index] = index
            free.remove(index)
    return pairs


def _same_entries(one: Any, other: Any) -> dict[Any, Any]:
    """{key or index in `one`: the same entry's in `other`}."""
    if isinstance(one, list) and isinstance(other, list):
        return dict(_pairs(one, other))
    if not (isinstance(one, dict) and isinstance(other, Mapping)):
        return {}
    pairs = {key: key for key in one if key in other}
    for key, twin in _SAME_ENTRY.items():
        if key in one and key not in other and twin in other and twin not in one:
            pairs[key] = twin
    return pairs


def _moves(old: Any, new: Any) -> Callable[[Path], Path | None]:
    """Where each of the old entries is now; None for one that is gone."""
    table: dict[Path, Path | None] = {}

    def fill(one: Any, other: Any, before: Path, after: Path) -> None:
        for old_key, new_key in _same_entries(one, other).items():
            here, there = (*before, old_key), (*after, new_key)
            table[here] = there
            fill(one[old_key], other[new_key], here, there)

    fill(old, new, (), ())
    return table.get

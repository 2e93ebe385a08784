"""ruamel.yaml, set up to write a file back as it was: quotes, numbers, nulls, indentation."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.scalarstring import DoubleQuotedScalarString
from yaml.nodes import MappingNode, Node, SequenceNode

from core.config.nodes import compose
from core.config.problems import Problems

# Without quotes YAML 1.1 reads these words as something else than text.
_AMBIGUOUS = {"on", "off", "yes", "no", "true", "false", "null", "y", "n"}


def fresh(value: Any) -> Any:
    """A value as this project writes it: text in double quotes, block style."""
    if isinstance(value, str):
        return DoubleQuotedScalarString(value)
    if isinstance(value, Mapping):
        mapping = CommentedMap()
        for key, item in value.items():
            mapping[written_key(key)] = fresh(item)
        return mapping
    if isinstance(value, list):
        return CommentedSeq([fresh(item) for item in value])
    return _Null("null") if value is None else value


def written_key(key: str) -> str:
    """A key, in quotes where YAML could take it for something else than text."""
    bare = re.fullmatch("[a-z_][a-z0-9_]*", key) and key not in _AMBIGUOUS
    return key if bare else DoubleQuotedScalarString(key)


@dataclass(frozen=True, slots=True)
class _Null:
    """A null and how it is written: `null`, `~` or nothing."""

    written: str


class _Constructor(RoundTripConstructor):
    """ruamel's, which else forgets how a null was written."""

    def construct_null(self, node: Any) -> _Null:
        return _Null(node.value)


_Constructor.add_constructor("tag:yaml.org,2002:null", _Constructor.construct_null)


class _Representer(RoundTripRepresenter):
    """Writes nulls as they were written."""

    def represent_written_null(self, data: _Null) -> Any:
        return self.represent_scalar("tag:yaml.org,2002:null", data.written)


_Representer.add_representer(_Null, _Representer.represent_written_null)


def dumper(bare: str) -> YAML:
    """A round-trip dumper with the indentation that the file has; it never folds lines."""
    ruamel = YAML()
    ruamel.Constructor = _Constructor
    ruamel.Representer = _Representer
    ruamel.preserve_quotes = True
    ruamel.width = 2**16
    ruamel.explicit_start = bare.startswith("---")
    deeper, dash = _indents(compose(bare, Problems("text")))
    dash = 2 if dash is None else dash
    ruamel.indent(mapping=deeper or 2, sequence=2 + dash, offset=dash)
    return ruamel


def _indents(node: Node) -> tuple[int | None, int | None]:
    """How much further right than their key the first nested mapping and list stand."""
    deeper, dash = None, None
    for key, value in node.value if isinstance(node, MappingNode) and not node.flow_style else ():
        step = value.start_mark.column - key.start_mark.column
        if value.start_mark.line == key.start_mark.line:
            continue  # a scalar, or in flow style
        if isinstance(value, SequenceNode):
            dash = step if dash is None else dash
        elif isinstance(value, MappingNode):
            inner = _indents(value)
            deeper = step if deeper is None else deeper
            dash = inner[1] if dash is None else dash
    return deeper, dash

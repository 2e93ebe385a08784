"""YAML text -> PyYAML nodes, which know their lines; and the reading of mappings and lists.

PyYAML's safe loader, stopped before it makes objects: nodes carry the line of every key and
value. Aliases are refused (a few lines of them expand to gigabytes), nesting is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from core.config.problems import MAX_CHARACTERS, Place, Problems, did_you_mean, join

MAX_DEPTH = 20
ALIAS_TAG = "!alias"  # stands where an alias stood, so that all other problems are still found
_TAG = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """Composes nodes only; notes aliases, refuses bottomless nesting."""

    def __init__(self, text: str, problems: Problems) -> None:
        super().__init__(text)
        self._found = problems
        self._depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.get_event()  # type: ignore[no-untyped-call]  # the stubs lack it
            mend = "Write the value out again"
            self._found.add(event.start_mark, "YAML", "aliases (`*name`) are not allowed", mend)
            return ScalarNode(ALIAS_TAG, "", event.start_mark, event.end_mark)
        if self._depth >= MAX_DEPTH:
            event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs lack it
            self._found.fail(
                event.start_mark, "YAML", "nested too deeply", "No key needs more than 6 levels"
            )
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def unify_line_breaks(text: str) -> str:
    """Windows' and old Macs' line ends as `\\n`, no byte order mark; line numbers stay."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def compose(text: str, problems: Problems) -> Node:
    """The root node. Raises ConfigError for what is no single YAML document."""
    if len(text) > MAX_CHARACTERS:
        problems.fail(
            None, "file", f"larger than {MAX_CHARACTERS} characters", "This is no config.yaml"
        )
    text = unify_line_breaks(text)
    odd_break = re.search("[\x85\u2028\u2029]", text)
    if odd_break:
        name = f"U+{ord(odd_break.group()):04X}"
        place = _line_at(text, odd_break.start())
        problems.fail(place, "YAML", f"the odd line break {name}", "Replace it by a normal one")
    try:
        loader = _Loader(text, problems)
        try:
            root = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problems.fail(mark, "YAML", _in_words(error), _mend(error))
    except yaml.reader.ReaderError as error:
        place = _line_at(text, error.position)
        problems.fail(place, "YAML", "a character that YAML does not allow", "Remove it")
    if root is None or (is_null(root) and not root.value):
        problems.fail(None, "file", "empty", "Copy the config.yaml that the project ships")
    return root


def _line_at(text: str, index: int) -> Place:
    return index, text.count("\n", 0, index) + 1


def _in_words(error: yaml.MarkedYAMLError) -> str:
    if "'\\t'" in (error.problem or ""):
        return "a tab where only spaces may stand"
    context = f"{error.context}: " if error.context else ""
    return f"{context}{error.problem or 'not YAML'}"


def _mend(error: yaml.MarkedYAMLError) -> str:
    if "'\\t'" in (error.problem or ""):
        return "Indent with spaces"
    if "single document" in (error.context or ""):
        return "Remove the second `---` and what follows"
    return "Look at the indentation, colons and quotes of this line and the one above"


def is_null(node: Node | None) -> bool:
    """Absent, or written as null, ~ or nothing at all."""
    return node is None or node.tag == f"{_TAG}null"


def describe(node: Node) -> str:
    """What the user wrote, in a few words."""
    kind = node.tag.removeprefix(_TAG)
    if isinstance(node, SequenceNode):
        return "a list" if kind == "seq" else f"a list of type {kind}"
    if isinstance(node, MappingNode):
        return "a mapping" if kind == "map" else f"a mapping of type {kind}"
    value = str(node.value)
    shown = value if len(value) <= 40 else f"{value[:40]}..."
    words = {"null": "nothing", "bool": f"the switch {shown}", "int": f"the number {shown}"}
    words |= {"float": f"the number {shown}", "str": f"the text {shown!r}"}
    return words.get(kind, f"{shown!r} of type {kind}")


def wrong_type(problems: Problems, node: Node, path: str, wanted: str, mend: str = "") -> None:
    """Note that `node` should be `wanted`; an alias was noted already."""
    if node.tag != ALIAS_TAG:
        problems.add(node, path, f"should be {wanted}, not {describe(node)}", mend)


def mapping(
    problems: Problems, node: Node | None, path: str, known: Collection[str] | None
) -> dict[str, tuple[Node, Node]]:
    """{key: (key node, value node)}; unknown (None: any is known) and double keys are noted.

    Null counts as empty: a heading whose keys are all commented out.
    """
    if node is None or (is_null(node) and path):
        return {}
    if not isinstance(node, MappingNode) or node.tag != f"{_TAG}map":
        mend = "Write `key: value` lines" + (f" with: {', '.join(known)}" if known else "")
        wrong_type(problems, node, path or "top level", "a mapping", mend)
        return {}
    entries: dict[str, tuple[Node, Node]] = {}
    for key, value in node.value:
        if key.tag == ALIAS_TAG:
            continue
        if not isinstance(key, ScalarNode) or key.tag != f"{_TAG}str":
            message = f"the key {describe(key)} is not text"
            problems.add(key, path or "top level", message, "Put it in quotes, or remove it")
        elif key.value in entries:
            first = entries[key.value][0].start_mark.line + 1
            message = f"the key is there twice, first in line {first}"
            problems.add(key, join(path, key.value), message, "Remove one of them")
        elif known is not None and key.value not in known:
            problems.add(key, join(path, key.value), "unknown key", did_you_mean(key.value, known))
        else:
            entries[key.value] = (key, value)
    return entries


def items(problems: Problems, node: Node, path: str, wanted: str, mend: str) -> list[Node] | None:
    """The items of a list, or None after noting that it is none."""
    if isinstance(node, SequenceNode) and node.tag == f"{_TAG}seq":
        return list(node.value)
    wrong_type(problems, node, path, wanted, mend)
    return None


def plain(node: Node) -> Any:
    """The node as plain Python values; for nodes that were found good, so it can't fail."""
    if isinstance(node, MappingNode):
        return {key.value: plain(value) for key, value in node.value}
    if isinstance(node, SequenceNode):
        return [plain(item) for item in node.value]
    return scalar(node)


def scalar(node: Node) -> str | int | float | bool | None:
    """A scalar node's value; ValueError for what only pretends to be one (`!!int x`)."""
    constructors: Mapping[str, Any] = {
        "null": yaml.constructor.SafeConstructor.construct_yaml_null,
        "bool": yaml.constructor.SafeConstructor.construct_yaml_bool,
        "int": yaml.constructor.SafeConstructor.construct_yaml_int,
        "float": yaml.constructor.SafeConstructor.construct_yaml_float,
        "str": yaml.constructor.SafeConstructor.construct_yaml_str,
    }
    construct = constructors.get(node.tag.removeprefix(_TAG))
    if construct is None or not isinstance(node, ScalarNode):
        raise ValueError(f"{node.tag} is not a scalar that a configuration can hold")
    try:
        value: str | int | float | bool | None = construct(yaml.constructor.SafeConstructor(), node)
    except (LookupError, yaml.YAMLError) as error:  # `!!bool x`, `!!int ''`
        raise ValueError(f"not a {node.tag}") from error
    return value

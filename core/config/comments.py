"""Comments and blank lines: lifted off a YAML text, and woven into its changed successor.

ruamel.yaml ties a comment to the value before it, so taking an endpoint out of a list or
turning `endpoint: null` into a list would take the next role's heading comment along. Here a
comment belongs to what it stands above or beside, by path, and nothing that a user wrote is
dropped: the comment of a removed entry moves to the entry after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from core.config.nodes import compose
from core.config.problems import Problems

Path = tuple[str | int, ...]


@dataclass(slots=True)
class Comments:
    """What stood in a text besides its values.

    Keyed by the path of an entry: lines `above` it, the comment `beside` it (with the spaces
    before it, and its line's indentation). `order` is all paths in file order.
    """

    above: dict[Path, list[str]] = field(default_factory=dict)
    beside: dict[Path, tuple[str, str]] = field(default_factory=dict)
    order: list[Path] = field(default_factory=list)
    end: list[str] = field(default_factory=list)


def lift(text: str) -> tuple[str, Comments]:
    """The text without comments and blank lines, and the comments. `text` must be valid YAML
    with `\\n` line ends."""
    root = compose(text, Problems("text"))
    comments = Comments(order=[path for path, _ in _entries(root)])
    outermost = _outermost(root)
    spans = [(node.start_mark.index, node.end_mark.index) for node in _scalars(root)]
    bare: list[str] = []
    waiting: list[str] = []
    start = 0
    for number, line in enumerate(text.split("\n")):
        content, comment = _cut(line, start, spans)
        inside = any(low < start < high for low, high in spans)
        start += len(line) + 1
        if not content.strip() and not inside:
            waiting.append(line.rstrip())
            continue
        bare.append(content if inside else content.rstrip())
        path = outermost.get(number)
        if path is not None and waiting:
            comments.above[path], waiting = waiting, []
        if comment and path is not None:
            comments.beside[path] = (content[len(content.rstrip()) :] + comment, _indent(line))
        elif comment:
            waiting.append(_indent(line) + comment)
    comments.end = waiting[:-1] if waiting and not waiting[-1] else waiting
    return "\n".join(bare) + "\n", comments


def weave(text: str, comments: Comments, moved: Callable[[Path], Path | None]) -> str:
    """Put the comments into `text`; `moved` gives an old path's new one, None: no longer there."""
    lines = text.rstrip("\n").split("\n")
    root = compose(text, Problems("text"))
    line_of = {path: node.start_mark.line for path, node in _entries(root)}
    above: dict[int, list[str]] = {}
    taken: set[int] = set()
    waiting: list[str] = []
    for old in comments.order:
        new = moved(old)
        waiting += comments.above.get(old, [])
        beside, indent = comments.beside.get(old, ("", ""))
        if new is None or new not in line_of:
            # Its comment goes on as a line of its own, above the next entry that is left.
            waiting += [indent + beside.strip()] if beside else []
            continue
        number = line_of[new]
        above[number] = above.get(number, []) + waiting
        waiting = []
        if beside and number in taken:  # flow style: entries of several lines came into one
            above[number].append(indent + beside.strip())
        elif beside:
            lines[number] += beside
            taken.add(number)
    woven: list[str] = []
    for number, line in enumerate(lines):
        woven += [*above.get(number, []), line]
    return "\n".join([*woven, *waiting, *comments.end]) + "\n"


def comment_lines(text: str) -> list[str]:
    """Every comment in `text`, sorted, without what stands around it."""
    _, comments = lift(text)
    above = [line for lines in comments.above.values() for line in lines]
    every = [*above, *(beside for beside, _ in comments.beside.values()), *comments.end]
    return sorted(line.strip() for line in every if line.strip())


def _indent(line: str) -> str:
    return " " * (len(line) - len(line.lstrip(" ")))


def _cut(line: str, start: int, spans: list[tuple[int, int]]) -> tuple[str, str]:
    """The line's content and its comment: from the first `#` that is in no scalar."""
    for column, char in enumerate(line):
        if char == "#" and not any(low <= start + column < high for low, high in spans):
            return line[:column], line[column:].rstrip()
    return line, ""


def _outermost(root: Node) -> Mapping[int, Path]:
    """{line: the outermost entry that starts in it}."""
    found: dict[int, Path] = {}
    for path, node in _entries(root):
        found.setdefault(node.start_mark.line, path)
    return found


def _entries(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Every key and list item with the node that it starts with, in file order."""
    if isinstance(node, MappingNode):
        for key, value in node.value:
            yield (*path, key.value), key
            yield from _entries(value, (*path, key.value))
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            yield (*path, index), item
            yield from _entries(item, (*path, index))


def _scalars(node: Node) -> Iterator[ScalarNode]:
    if isinstance(node, ScalarNode):
        yield node
    elif isinstance(node, MappingNode):
        for key, value in node.value:
            yield from _scalars(key)
            yield from _scalars(value)
    elif isinstance(node, SequenceNode):
        for item in node.value:
            yield from _scalars(item)

"""Statements out of a reply that as a whole need not parse."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from core.reading.pysource import parse

_ITEM = re.compile(r"^\s*(?:(?:[-*\u2022]|\d{1,3}[.):])\s*)?`*(assert\b.*?)`*\s*$")


def statements(piece: str) -> Iterator[str]:
    """Top-level statements that parse, whatever stands between them."""
    lines = piece.split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    lines = [line[margin:] for line in lines]
    tree = parse("\n".join(lines))
    if tree is not None:
        yield from _sources(lines, tree)
        return
    chunk: list[str] = []
    for line in lines:
        begins = line[:1].strip() and not re.match(r"[)\]}]|(?:else|elif|except|finally)\b", line)
        if begins and not (chunk and chunk[-1].startswith("@")):
            yield from _mended(chunk)
            chunk = []
        chunk.append(line)
    yield from _mended(chunk)


def _sources(lines: Sequence[str], tree: ast.Module) -> Iterator[str]:
    text = "\n".join(lines)
    for number, node in enumerate(tree.body):
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        last = node.end_lineno or node.lineno
        alone = node.col_offset == 0 and all(
            other.lineno > last for other in tree.body[number + 1 : number + 2]
        )
        if alone:
            yield "\n".join(lines[first - 1 : last])
        else:
            yield ast.get_source_segment(text, node) or ast.unparse(node)


def _mended(chunk: Sequence[str]) -> Iterator[str]:
    """A chunk that parses, or what is left of it without its broken-off end."""
    for end in range(len(chunk), max(0, len(chunk) - 4), -1):
        text = "\n".join(chunk[:end])
        if text.strip() and parse(text) is not None:
            yield text
            return
    for line in chunk:
        match = _ITEM.match(line)
        if match is None or parse(match[1]) is None:
            continue
        if not line.startswith((" ", "\t")) or _stands_alone(chunk):
            yield match[1]


def _stands_alone(chunk: Sequence[str]) -> bool:
    """Whether a broken test function holds only asserts, so that each works by itself."""
    body = [line.strip() for line in chunk[1:] if line.strip()]
    return sum(not line.startswith(("assert", '"""', "'''", "#")) for line in body) <= 1

"""Function and class headers in text that need not be a program."""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass

from core.reading.pysource import BUILTINS, is_stub, parse
from core.reading.scan import balanced_end

_HEADER = re.compile(
    r"(?P<indent>(?:^[ \t]*)?)(?P<word>(?:async[ \t]+)?def|class)[ \t]+(?P<name>[A-Za-z_]\w*)[ \t]*"
    r"(?P<next>[(:\n]|$)",
    re.MULTILINE,
)
_TYPE = r"[\w.]+[ \t]*(?:\[[^\n:]*\])?|['\"][\w.\[\], ]+['\"]"
_RETURNS = re.compile(rf"[ \t]*->[ \t]*(?:{_TYPE})(?:[ \t]*\|[ \t]*(?:{_TYPE}))*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stub:
    """A header found in text: `signature` has no colon; `own_line` is False inside a sentence."""

    name: str
    signature: str
    start: int
    end: int
    own_line: bool
    indent: int

    @property
    def is_class(self) -> bool:
        """Whether it is a class header."""
        return self.signature.startswith("class")


def headers(text: str) -> Iterator[Stub]:
    """Every readable `def name(...)` and `class Name` header, in order."""
    for match in _HEADER.finditer(text):
        name = match["name"]
        own_line = not text[
            text.rfind("\n", 0, match.start("word")) + 1 : match.start("word")
        ].strip()
        end = match.end("name")
        if match["next"] == "(":
            closed = balanced_end(text, match.start("next"))
            if closed is None:
                continue
            returns = _RETURNS.match(text, closed)
            end = returns.end() if returns is not None else closed
        elif match["word"] != "class" or (match["next"] != ":" and not own_line):
            continue
        header = _flat(text[match.start("word") : end])
        if not usable(name) or parse(header + ": pass") is None:
            continue
        yield Stub(
            name=name,
            signature=header,
            start=match.start("word"),
            end=end,
            own_line=own_line,
            indent=len(match["indent"].expandtabs()),
        )


def _flat(header: str) -> str:
    flat = " ".join(line.strip() for line in header.split("\n"))
    return flat.replace("( ", "(").replace(", )", ")").replace(" )", ")")


def usable(name: str) -> bool:
    """Whether `name` can name what a candidate defines: no keyword, no builtin."""
    return name.isidentifier() and not keyword.iskeyword(name) and name not in BUILTINS


def outermost(text: str) -> list[Stub]:
    """The least indented headers on lines of their own: no methods, no inner functions."""
    own = [stub for stub in headers(text) if stub.own_line]
    least = min((stub.indent for stub in own), default=0)
    return [stub for stub in own if stub.indent == least]


def is_finished(text: str, stub: Stub, following: int) -> bool:
    """Whether the header's body, up to offset `following`, is written out already."""
    start = text.rfind("\n", 0, stub.start) + 1
    lines = text[start:following].split("\n")
    tree = parse("\n".join(line[stub.indent :] for line in lines))
    return tree is not None and not is_stub(tree, stub.name)


def takes(signature: str, count: int) -> bool | None:
    """Whether the function can be called with `count` positional arguments; None: not known."""
    if not signature:
        return None
    tree = parse(signature.rstrip(": ") + ": pass")
    if tree is None or not isinstance(tree.body[0], (ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    spec = tree.body[0].args
    positional = len(spec.posonlyargs) + len(spec.args)
    required = positional - len(spec.defaults)
    if any(default is None for default in spec.kw_defaults):
        return False
    return required <= count and (count <= positional or spec.vararg is not None)


def parameters(signature: str) -> tuple[str, ...]:
    """Names of the parameters, in order; () where the signature is not known."""
    tree = parse(signature.rstrip(": ") + ": pass") if signature else None
    if tree is None or not isinstance(tree.body[0], (ast.FunctionDef, ast.AsyncFunctionDef)):
        return ()
    spec = tree.body[0].args
    return tuple(arg.arg for arg in [*spec.posonlyargs, *spec.args, *spec.kwonlyargs])

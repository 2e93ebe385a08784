"""Python code as highlighted lines, and the difference of two texts as typed lines."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

LIGHT, DARK = "xcode", "github-dark"


@lru_cache(maxsize=256)
def python_lines(code: str) -> tuple[Markup, ...]:
    """Each line of `code` as safe HTML: Pygments escapes the text and closes its tags per line."""
    html = highlight(code, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True))
    return tuple(Markup(line) for line in html.rstrip("\n").split("\n"))


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffLine:
    """One line of a unified diff; `change` is hunk for the @@ lines between far-off changes."""

    change: Literal["same", "added", "removed", "hunk"]
    text: str


@lru_cache(maxsize=256)
def diff_lines(before: str, after: str) -> tuple[DiffLine, ...]:
    """What changed from `before` to `after`, with 3 lines around; empty when nothing did."""
    return tuple(_diff(before, after))


def _diff(before: str, after: str) -> Iterator[DiffLine]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3)
    for number, line in enumerate(lines):
        if number < 2:  # the two file names
            continue
        mark, text = line[:1], line[1:]
        if mark == "+":
            yield DiffLine(change="added", text=text)
        elif mark == "-":
            yield DiffLine(change="removed", text=text)
        elif mark == "@":
            if number > 2:
                yield DiffLine(change="hunk", text="⋯")
        else:
            yield DiffLine(change="same", text=text)


def stylesheet() -> str:
    """The text of static/highlight.css: both colour schemes, only the token colours."""
    light = "\n".join(_token_rules(LIGHT))
    dark = "\n".join(f"  {rule}" for rule in _token_rules(DARK))
    head = "/* Made by `python -m webui.highlight`; not edited by hand. */"
    return f"{head}\n{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def _token_rules(style: str) -> Iterator[str]:
    formatter: Any = HtmlFormatter(style=style)  # its method has no types
    rules: str = formatter.get_style_defs(".code")
    for rule in rules.splitlines():
        if rule.startswith(".code .") and not rule.startswith((".code .hll", ".code .w ")):
            yield rule.split("/*")[0].strip()


if __name__ == "__main__":
    print(stylesheet(), end="")

"""The goal as the beginning of the code: small models complete better than they follow orders."""

from __future__ import annotations

import ast
import re
import textwrap
import typing

from core.packet import MAX_STRATEGY, head, surroundings
from core.prompts import render
from core.reading.parameters import parameters
from core.reading.plans import extract_plan
from core.reading.pysource import DEFINITIONS, does_something, is_stub, missing, parse
from core.state import RunState
from core.suite import cases_from_goal

_HEAD = re.compile(r"^\s*(?:async def|def|class) \w", re.MULTILINE)


def code_prompt(state: RunState, tools: str, strategy: str, *, in_other_words: bool = False) -> str:
    """What a model is asked that writes the code afresh; `strategy` '' leaves the plan out.

    `in_other_words` the same is asked for, which makes a model's mistakes more independent.
    """
    return render(
        "code",
        stub=code_stub(state.goal, state.name, state.signature),
        strategy=head(strategy, MAX_STRATEGY),
        tools=tools,
        in_other_words=in_other_words,
        **surroundings(state),
    )


def code_begin(state: RunState) -> str:
    """How a reply to `code_prompt` may be begun; '' where it had better begin by itself.

    That is with the function's head and the goal below it, which most replies repeat word for word:
    it is what they take longest for. Not where the parameters were made up from examples, the code
    goes on already, or the head needs a name that is not there.
    """
    if not (state.signature or _HEAD.search(state.goal)):
        return ""
    stub = code_stub(state.goal, state.name, state.signature).strip("\n").rstrip()
    tree = parse(stub)
    is_said = tree is not None
    tree = tree or parse(f"{stub}\n    pass")
    if tree is None or not tree.body or not all(map(_is_finished, tree.body[:-1])):
        return ""
    last = tree.body[-1]
    if not isinstance(last, ast.FunctionDef) or last.name != state.name:
        return ""
    if is_said and not _is_only_said(stub, last):
        return ""
    lacking = missing(tree)
    future = any(
        isinstance(one, ast.ImportFrom) and one.module == "__future__" for one in tree.body
    )
    if not lacking <= set(typing.__all__) or (lacking and future):
        return ""
    return render("begin", stub=stub, typing=", ".join(sorted(lacking)))


def _is_only_said(stub: str, function: ast.FunctionDef) -> bool:
    """Whether a docstring, on lines of its own, is all that the function has."""
    first = function.body[0]
    before = stub.split("\n")[first.lineno - 1][: first.col_offset]
    return (
        len(function.body) == 1 and ast.get_docstring(function) is not None and not before.strip()
    )


def _is_finished(statement: ast.stmt) -> bool:
    """Whether it is code, and neither prose that happens to parse nor a head without a body."""
    alone = ast.Module([statement], type_ignores=[])
    if isinstance(statement, DEFINITIONS):
        return not is_stub(alone, statement.name)
    said = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return said or does_something(alone)


def code_stub(goal: str, name: str, signature: str) -> str:
    """The goal as the beginning of the code.

    A goal that is code itself stays as it is. Without a signature the goal's examples tell how many
    parameters there are.
    """
    if _HEAD.search(goal):
        return goal
    line = signature.strip().rstrip(":") or f"def {name}({_parameters(goal, name)})"
    text = re.sub(r"(?<=[.;:]) +(?=[A-Z])", "\n", goal)  # a sentence a line
    quoted = text.replace("\\", "\\\\").replace('"""', "'''")
    indented = textwrap.indent(quoted, "    ").lstrip()
    end = "\n    " if indented.endswith('"') else ""  # four quotes in a row would be no Python
    return f'{line}:\n    """{indented}{end}"""'


def _parameters(goal: str, name: str) -> str:
    cases = cases_from_goal(goal, extract_plan("", goal))
    return ", ".join(parameters([case.source for case in cases], name)) or "..."

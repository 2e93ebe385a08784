"""The goal as the beginning of the code: small models complete better than they follow orders."""

from __future__ import annotations

import ast
import re
import textwrap
import typing
from collections.abc import Iterator

from core.packet import MAX_STRATEGY, head, surroundings
from core.prompts import render
from core.reading.parameters import parameters
from core.reading.plans import extract_plan
from core.reading.pysource import BUILTINS, parse
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
    tree = parse(stub) or parse(f"{stub}\n    pass")
    last = tree.body[-1] if tree is not None and tree.body else None
    if tree is None or not isinstance(last, ast.FunctionDef) or last.name != state.name:
        return ""
    only_said = all(isinstance(one, ast.Expr | ast.Pass) for one in last.body)
    lacking = set(_lacking(tree, last))
    if not only_said or len(last.body) > 1 or not lacking <= set(typing.__all__):
        return ""
    return render("begin", stub=stub, typing=", ".join(sorted(lacking)))


def _lacking(tree: ast.Module, function: ast.FunctionDef) -> Iterator[str]:
    """The names in the function's head that neither Python nor the code above it has."""
    above = [node for one in tree.body if one is not function for node in ast.walk(one)]
    known = {node.name for node in above if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    known |= {name.asname or name.name for name in above if isinstance(name, ast.alias)}
    known |= {
        node.id for node in above if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    shown = [function.args, *function.decorator_list, *filter(None, [function.returns])]
    for node in (node for part in shown for node in ast.walk(part)):
        if isinstance(node, ast.Name) and node.id not in BUILTINS | known:
            yield node.id


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
    return f'{line}:\n    """{indented}"""'


def _parameters(goal: str, name: str) -> str:
    cases = cases_from_goal(goal, extract_plan("", goal))
    return ", ".join(parameters([case.source for case in cases], name)) or "..."

"""Whether candidates are one and the same program, and how many of them are enough."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from core.state import CandidateState

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def same_program(a: str, b: str) -> bool:
    """Whether two sources are the same program, whatever their layout and comments."""
    return _form(a) == _form(b)


def different_programs(sources: Sequence[str]) -> int:
    """How many different programs these are, whatever their layout, comments and docstrings."""
    return len({_form(source, docstrings=False) for source in sources})


def _form(source: str, *, docstrings: bool = True) -> str:
    """What is equal where programs are the same: the syntax tree, else the words."""
    try:
        tree = ast.parse(source)
        for node in () if docstrings else ast.walk(tree):
            if isinstance(node, _DOCUMENTED) and ast.get_docstring(node) is not None:
                del node.body[0]
        return ast.dump(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return " ".join(source.split())


AGREEING = 2
# Without a case of the user's, candidates of one model may share its mistake.
AGREEING_OF_ONE_MODEL = 3


def enough(models: Sequence[str], *, alone: bool) -> bool:
    """Whether independent programs by these models that say the same outweigh another.

    `alone` where no case is the user's.
    """
    of_one = alone and len(set(models)) == 1
    return len(models) >= (AGREEING_OF_ONE_MODEL if of_one else AGREEING)


def independent(candidates: Sequence[CandidateState]) -> tuple[CandidateState, ...]:
    """Without those that are the same program by the same model as an earlier one."""
    kept: list[CandidateState] = []
    for candidate in candidates:
        if not any(
            one.model == candidate.model and same_program(one.code, candidate.code) for one in kept
        ):
            kept.append(candidate)
    return tuple(kept)

"""What kind of failure an execution is, as far as that decides what helps next."""

from __future__ import annotations

import re
from typing import Literal

from core.events import ExecutionFinished

Kind = Literal["none", "name", "syntax", "slow", "wrong", "broken"]
"""`name`: a name or an import is missing. `syntax`: Python refuses the code. `slow`: it ran into a
limit of time. `wrong`: it gives other results than expected. `broken`: whatever else ended it."""

_SYNTAX = re.compile(r"\b(?:SyntaxError|IndentationError|TabError)\b")
_NAME = re.compile(r"\b(?:NameError|UnboundLocalError|ImportError|ModuleNotFoundError)\b")


def kind(execution: ExecutionFinished) -> Kind:
    """What went wrong in most of the cases that don't pass; 'none' for a pass."""
    if execution.status == "passed":
        return "none"
    failing = [case for case in execution.cases if case.result in ("failed", "error", "timeout")]
    messages = [case.message for case in failing] or [execution.message]
    slow = sum(case.result == "timeout" for case in failing)
    if execution.status == "timeout" and not failing or 2 * slow > len(messages):
        return "slow"
    if _most(_SYNTAX, messages):
        return "syntax"
    if _most(_NAME, messages):
        return "name"
    return "wrong" if execution.status == "failed" else "broken"


def _most(pattern: re.Pattern[str], messages: list[str]) -> bool:
    return 2 * sum(bool(pattern.search(message)) for message in messages) > len(messages)

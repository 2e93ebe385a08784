"""Runs in which the built-in models' programs are held against each other."""

from __future__ import annotations

from pathlib import Path

from builtin_play import builtin_services
from play import Play, carry_out

from core.state import RunState

GOAL = '''def add(a, b):
    """The sum.

    >>> add(2, 3)
    5
    >>> add(1, 0)
    1
    """
'''
BARE_GOAL = 'def add(a, b):\n    """The sum."""\n'
MORE_GOAL = GOAL.replace("    >>> add(1, 0)\n    1\n", "")
ALIKE = "def add(a, b):\n    return b + a\n"


def odd(otherwise: int) -> str:
    """Right for the user's cases, wrong from a = 3 on."""
    return f"def add(a, b):\n    return a + b if a < 3 else {otherwise}\n"


WRONG_TESTS = "```python\nassert add(1, 2) == 4\nassert add(0, 4) == 5\n```"
OTHERWISE = "def add(a, b):\n    return sum((a, b))\n"
ALONE = "But no second program confirms it. More examples would tell."
DIFFER = "But programs differ where no case decides, so it is unconfirmed."


def run(folder: Path, small: Play, large: Play | None, goal: str = GOAL) -> RunState:
    with builtin_services(folder, small, large) as services:
        return carry_out(services, goal)


def names(state: RunState) -> list[str]:
    return [candidate.candidate for candidate in state.candidates]

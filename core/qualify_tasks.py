"""The small set that endpoints are measured with, each prompt with a rule for its answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from core.reading.thinking import without_thinking

# Room for the question and the reply, and characters per token of the plain text that fills it.
RESERVED_TOKENS, CHARACTERS_PER_TOKEN = 500, 3.5
LONG_CHARACTERS = 10_500
PASSWORD = "marble-falcon"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """`right` judges the text of the reply; `cases` judge its code, in the sandbox.

    `hint` says what to look at where a model fails it that others with its name pass.
    """

    name: str
    prompt: str
    hint: str
    max_tokens: int = 60
    right: Callable[[str], bool] | None = None
    function: str = ""
    cases: tuple[str, ...] = ()


def tasks(context_size: int) -> tuple[Task, ...]:
    """All of them, for a context of so many tokens (0: unknown); the longest comes last."""
    return (*_SHORT, _long(context_size))


def answer(text: str) -> str:
    """The reply without reasoning, fences and the quotes and marks around it."""
    found = without_thinking(text)[0][0].strip()
    fenced = re.fullmatch(r"```\w*\n(.*?)\n?```", found, re.DOTALL)
    return (fenced[1] if fenced else found).strip(" \n\t`\"'*.")


def _is_object(text: str) -> bool:
    try:
        found = json.loads(answer(text))
    except ValueError:
        return False
    return bool(found == {"city": "Oslo", "count": 4})


_TEMPLATE = "its prompt template may be wrong"
_WEIGHTS = "its weights may be quantised too far, or be another model's"

_SHORT = (
    Task(
        name="one word",
        prompt="Reply with the single word PINEAPPLE, in capital letters, and nothing else.",
        right=lambda text: answer(text) == "PINEAPPLE",
        hint=_TEMPLATE,
    ),
    Task(
        name="exact format",
        prompt="Write the whole numbers from 3 to 7 in one line, separated by commas, without "
        "blanks. Write nothing else.",
        right=lambda text: answer(text) == "3,4,5,6,7",
        hint=_TEMPLATE,
    ),
    Task(
        name="JSON",
        prompt='Answer with one JSON object and nothing else. It has the key "city" with the text '
        'Oslo and the key "count" with the number 4.',
        right=_is_object,
        hint=_TEMPLATE,
    ),
    Task(
        name="short function",
        prompt="Write a Python function middle(text) that returns the text without its first and "
        "its last character. Answer with the code only.",
        function="middle",
        cases=("assert middle('abcd') == 'bc'", "assert middle('xy') == ''"),
        max_tokens=150,
        hint=_WEIGHTS,
    ),
    Task(
        name="longer function",
        prompt="Write a Python function streaks(word) that returns a list of pairs (letter, "
        "count), one for each streak of equal letters next to each other, in order. "
        "streaks('aab') is [('a', 2), ('b', 1)]. Answer with the code only.",
        function="streaks",
        cases=(
            "assert [tuple(p) for p in streaks('aab')] == [('a', 2), ('b', 1)]",
            "assert [tuple(p) for p in streaks('xyyx')] == [('x', 1), ('y', 2), ('x', 1)]",
            "assert list(streaks('')) == []",
        ),
        max_tokens=300,
        hint=_WEIGHTS,
    ),
)


def _long(context_size: int) -> Task:
    room = int(max(0, context_size - RESERVED_TOKENS) * CHARACTERS_PER_TOKEN)
    length = min(LONG_CHARACTERS, room) if context_size else LONG_CHARACTERS
    lines, size = [f"The password of the archive is {PASSWORD}."], 0
    for line in _filler():
        size += len(line) + 1
        if size > length:
            break
        lines.append(line)
    text = "\n".join(lines)
    return Task(
        name="long text",
        prompt=f"Here are notes about a house.\n\n{text}\n\nWhat is the password of the archive, "
        "as the first note says? Answer with the password only.",
        right=lambda reply: PASSWORD in reply.lower(),
        hint="its context may be cut short",
    )


def _filler() -> Iterator[str]:
    """Notes without end, each different from its neighbours."""
    things = ("lamp", "mirror", "basket", "ladder", "kettle", "curtain", "bench")
    colours = ("green", "yellow", "white", "grey", "brown")
    rooms = ("kitchen", "cellar", "attic", "hall", "study", "garden", "pantry", "stable", "porch")
    number = 0
    while True:
        thing, colour = things[number % 7], colours[number % 5]
        yield f"The {colour} {thing} stands in the {rooms[number % 9]}, near the window."
        number += 1

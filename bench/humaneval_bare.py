"""Goals without the examples of their prompts: what most people type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from bench.humaneval_tasks import Task
from core.reading.examples import examples
from core.reading.plans import extract_plan
from core.reading.pysource import parse

FEWEST_WORDS = 5
_QUOTES = re.compile("\"\"\"|'''")
_HEADING = re.compile(
    r"\s*(?:(?:here are|some|for)\s+)*(?:examples?\b.{0,30}|explanation.*"
    # Of an example only where a value follows; else it says what the function takes or gives.
    r"|(?:in|out)puts?\s*:\s*(?:(?:\w+\s*=\s*)?(?:[\[({'\"\d-]|true\b|false\b|none\b).*)?)$",
    re.IGNORECASE,
)


def bare(tasks: Iterable[Task]) -> Iterator[Task]:
    """The tasks, their goals without examples; left out where one stays, or hardly a word does.

    Left out as well: a goal that is not the head of the function that is asked for.
    """
    for task in tasks:
        if not parse(task.empty) or f"def {task.entry_point}" not in task.goal:
            continue
        stripped = replace(task, goal=without_examples(task.goal, task.entry_point))
        goal = stripped.goal
        said = goal[goal.rindex(f"def {task.entry_point}") :].partition("\n")[2]
        enough = len(re.findall(r"[A-Za-z]{2,}", said)) >= FEWEST_WORDS
        if enough and parse(stripped.empty) and not list(examples(goal, extract_plan("", goal))):
            yield stripped


def without_examples(goal: str, name: str) -> str:
    """The goal without the lines that show calls of `name`, their results or a heading for them."""
    head, start, asked = goal.rpartition(f"def {name}")
    first, *lines = asked.split("\n")
    kept: list[str] = []
    shown = False  # the lines after a prompt are its result
    for line in lines:
        quotes = _QUOTES.search(line)
        shown = ">>>" in line or (shown and bool(line.strip()))
        called = re.search(rf"\b{name}\s*\(", line) or _HEADING.match(_QUOTES.sub("", line))
        if not (shown or called):
            kept.append(line)
        elif quotes:
            kept.append(line[: len(line) - len(line.lstrip())] + quotes[0])
            shown = False
    return head + start + re.sub(r"\n(\s*\n)+", "\n", "\n".join([first, *kept]))

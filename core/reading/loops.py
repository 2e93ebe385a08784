"""Whether a reply that was cut off only repeats itself, so that more room would not end it.

A small model at temperature 0 that has begun to enumerate goes on for as long as it may: a code
reply that was asked for three times, with ever more room, took five minutes and said nothing new.
"""

from __future__ import annotations

import re

LINES = 40
SHAPES = 3
CHARACTERS = 1500
LONGEST_PERIOD = 200
_NUMBER = re.compile(r"\d+")


def repeats_itself(text: str) -> bool:
    """Whether its last LINES lines, or its last CHARACTERS characters, are the same over and over.

    What differs in its numbers alone is the same, so that counting is seen as well.
    """
    shape = _NUMBER.sub("0", text)
    lines = [line.strip() for line in shape.splitlines() if line.strip()][:-1]  # the last is cut
    same_lines = len(lines) >= LINES and len(set(lines[-LINES:])) <= SHAPES
    return same_lines or _is_periodic(text) or _is_periodic(shape)


def _is_periodic(text: str) -> bool:
    end = text[-CHARACTERS:]
    periods = range(1, LONGEST_PERIOD + 1)
    return len(end) == CHARACTERS and any(end[period:] == end[:-period] for period in periods)

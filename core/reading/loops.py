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
_WORD = re.compile(r"[^\W\d_]{2}")


def repeats_itself(text: str) -> bool:
    """Whether its last LINES lines, or its last CHARACTERS characters, are the same over and over.

    Lines with words that differ in their numbers alone are the same, so that counting is seen as
    well; a table of numbers is not.
    """
    shape = _NUMBER.sub("0", text)
    lines = [line.strip() for line in shape.splitlines() if line.strip()][:-1]  # the last is cut
    end = set(lines[-LINES:])
    counts = len(lines) >= LINES and len(end) <= SHAPES and all(map(_WORD.search, end))
    return counts or _is_periodic(text)


def _is_periodic(text: str) -> bool:
    end = text[-CHARACTERS:]
    periods = range(1, LONGEST_PERIOD + 1)
    return len(end) == CHARACTERS and any(end[period:] == end[:-period] for period in periods)

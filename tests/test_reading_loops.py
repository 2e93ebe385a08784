"""When a reply that was cut off is not worth more room."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.reading.loops import repeats_itself

ROOT = Path(__file__).resolve().parent.parent
COUNTING = "".join(f"    if n == {n}:\n        return x == {n * n}\n" for n in range(60))


@given(st.text(max_size=300), st.text(min_size=1, max_size=30), st.integers(0, 29))
def test_a_block_over_and_over_repeats(before: str, block: str, cut: int) -> None:
    assert repeats_itself(before + block * 1600 + block[:cut])


@pytest.mark.parametrize(
    ("text", "repeats"),
    [
        ("def power(x, n):\n" + COUNTING + "    if n ==", True),
        ('"abcde" -> "bacde", ' * 80, True),
        ("".join(f"    if n == {n}: return {n % 3 > 0}\n" for n in range(60)), True),
        (COUNTING[:600], False),  # sixteen branches may be meant
        ("T = (\n" + "".join(f"    {n}, {n + 2}, {n + 6},\n" for n in range(5, 400, 7)), False),
        ("", False),
        ("".join(f"    {n}: 'name {chr(97 + n)}',\n" for n in range(60)), False),
    ],
)
def test_counting_is_repeating_and_a_table_of_names_is_not(text: str, repeats: bool) -> None:
    assert repeats_itself(text) is repeats


def test_code_that_people_wrote_does_not_repeat_wherever_it_is_cut() -> None:
    for path in sorted((ROOT / "core").rglob("*.py")):
        text = path.read_text("utf-8")
        for end in range(400, len(text), 977):
            assert not repeats_itself(text[:end]), path

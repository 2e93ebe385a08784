"""Which rows tables may have."""

from __future__ import annotations

import pytest

from core.reading.tables import Rows


@pytest.mark.parametrize(
    ("known", "value", "expected"),
    [
        ([[[1, 2], [3, 4]]], [[5, 6]], True),
        ([[[1, 2], [3, 4]]], [], True),
        ([[[1, 2], [3, 4]]], [[5]], False),
        ([[[1, 2]], [[1], [2]]], [[5, 6, 7]], True),
        ([[[1, 2]], [[1], [2]]], [[5, 6], [7]], False),
        ([[[1, 2], [3]]], [[5], [6, 7, 8]], True),
        ([[(1, 2), [3, 4]]], [(5,)], False),
        ([[("a", 1), ("b", 2.5)]], [("c", 3)], True),
        ([[("a", 1), ("b", 2)]], [("a", 1), (2, "b")], False),
        ([[("a", 1), (2, "b")]], [(3, "c")], True),
        ([{"a": [[1, 2]]}], {"a": [[1]]}, False),
        ([[1, [2, 3]]], [[2, 3, 4]], True),
        ([[]], [[1], [2, 3]], False),
    ],
)
def test_tables_like_known_ones(known: list[object], value: object, expected: bool) -> None:
    assert Rows.of(known).fit(value) is expected

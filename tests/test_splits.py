"""Calls like known ones, and the cases made where programs differ on them."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given as over
from hypothesis import strategies as st

from core.comparison import compared_calls
from core.events import Case
from core.reading.variations import longer, variations
from core.splits import (
    BROKE,
    Given,
    findings,
    gives_one_result,
    is_settled,
    same,
    telling,
    with_findings,
)


@pytest.mark.parametrize(
    ("sources", "limit", "expected"),
    [
        (["assert f(3) == 1"], 5, ["f(3)", "f(4)", "f(2)", "f(5)", "f(6)"]),
        (["assert f(0) == 1"], 3, ["f(0)", "f(1)", "f(2)"]),
        (["assert f(-1) == 1"], 3, ["f(-1)", "f(0)", "f(1)"]),
        (["assert f(True) == 1"], 9, ["f(True)", "f(False)"]),
        (["assert f('a1') == 1"], 4, ["f('a1')", "f('a')", "f('a2')", "f('a0')"]),
        (["assert f('a-b') == 1", "assert f('c-d') == 1"], 3, ["f('a-b')", "f('c-d')", "f('a-d')"]),
        (["assert f([7]) == 1"], 4, ["f([7])", "f([])", "f([7, 7])", "f([8])"]),
        (["assert f({'a': 1}) == 1"], 3, ["f({'a': 1})", "f({})", "f({'a': 2})"]),
        (["assert f(a=1, b=None) == 1"], 2, ["f(a=1, b=None)", "f(a=2, b=None)"]),
        (["x = [1]\nassert f(x) == 1"], 1, ["f([1])"]),
        (["assert not f(2)"], 1, ["f(2)"]),
        (["assert f(2)"], 1, ["f(2)"]),
        (["assert abs((got := f(2)) - 0.5) < 1e-06, f'got {got!r}, expected 0.5'"], 1, ["f(2)"]),
        (["assert f() == 1"], 5, ["f()"]),
        # What can't be read, or is compared by way of something else.
        (["assert sorted(f([2, 1])) == [1, 2]", "assert f(1) in (1, 2)", "assert f(1) > 2"], 5, []),
        (["assert f(g(2)) == 1", "assert f(*[1]) == 1", "assert f(**{}) == 1"], 5, []),
        (["assert C(2).f(1) == 1", "assert g(1) == 1", "f(1)", "assert f(1 ==", ""], 5, []),
        ([f'assert f("{"1" * 5000}") == 1', f"assert f(0x{'f' * 5000}) == 1"], 5, []),
    ],
)
def test_calls_like_those_of_the_cases(sources: list[str], limit: int, expected: list[str]) -> None:
    assert list(variations(sources, "f", limit)) == expected


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["assert f('abc') == 1"], {"f('a')"}),
        (["assert f([4, 5, 6]) == 1"], {"f([4])"}),
        (["assert f(3.5) == 1", "assert f(5) == 1"], {"f(5.0)", "f(4)"}),
        (["assert f([1, 2], [3]) == 1"], {"f([3], [3])", "f([1, 2], [1, 2])"}),
        (["assert f(1e999) == 1", "assert f(5) == 1"], {"f(5.0)"}),
        (["assert f(1223) == 1"], {"f(3221)", "f(1111)"}),
        (["assert f([4, 5, 6], [7]) == 1"], {"f([4, 5, 6], [4, 5])", "f([4, 5, 6], [5, 6])"}),
        (["assert f('abc', 'd') == 1"], {"f('abc', 'ab')"}),
    ],
    ids=[
        "one letter",
        "one item",
        "whole and broken numbers",
        "two alike",
        "endless",
        "other digits",
        "a part of the other list",
        "a part of the other text",
    ],
)
def test_calls_where_programs_often_differ(sources: list[str], expected: set[str]) -> None:
    assert expected <= set(variations(sources, "f", 20))


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["assert f(47, 5) == 1", "assert f(38, 2) == 1"], ["f(478, 5)", "f(389, 2)"]),
        (["assert f(19, b=30) == 1"], ["f(190, b=30)", "f(19, b=301)"]),
        (["assert f(99_999) == 1"], ["f(999990)"]),
        (["assert f(-12) == 1", "assert f(12.5) == 1", "assert f(True) == 1"], []),
        (["assert f('12') == 1", "assert f([12]) == 1"], []),
        (["assert f(9) == 1", "assert f(100_000) == 1"], []),
    ],
)
def test_calls_with_a_digit_more(sources: list[str], expected: list[str]) -> None:
    assert list(longer(sources, "f", 9)) == expected


def test_longer_numbers_come_last_and_breaking_off_there_is_no_ground_for_doubt() -> None:
    found = compared_calls("f", [Case(id="y1", source="assert f(500) == 1", origin="yours")])
    assert found["calls"][-1] == "f(5001)"
    assert "f(5001)" not in found["fair"]
    assert "f(501)" in found["fair"]


def test_a_whole_number_where_all_are_whole_stays_one() -> None:
    assert not any("." in call for call in variations(["assert f(3) == 1"], "f", 60))


@pytest.mark.parametrize(
    ("sources", "expected", "never"),
    [
        (["assert f(0, 3) == 1", "assert f(6, 3) == 1"], {"f(1, 3)"}, {"f(0, 0)", "f(6, 0)"}),
        (["assert f(0.5, 0) == 1", "assert f(2, 0) == 1"], {"f(1.5, 0)"}, {"f(0, 0)"}),
        (
            ["assert f([[1, 2], [3, 4]]) == 1"],
            {"f([[2, 2], [3, 4]])", "f([[1, 2]])"},
            {"f([[1, 2], [3]])", "f([[1], [3, 4]])"},
        ),
        (
            ["assert f([('a', 1), ('b', 2)]) == 1"],
            {"f([('a', 2), ('b', 2)])"},
            {"f([(1, 'a'), ('b', 2)])"},
        ),
    ],
    ids=["no zero where none is", "nor by rounding", "rows of other lengths", "of other types"],
)
def test_calls_that_no_case_hints_at(
    sources: list[str], expected: set[str], never: set[str]
) -> None:
    found = set(variations(sources, "f", 200))
    assert expected <= found
    assert not never & found


@over(st.lists(st.lists(PLAIN, max_size=3), max_size=3), st.integers(0, 40))
def test_whatever_the_arguments_are(rows: list[list[object]], limit: int) -> None:
    sources = [f"assert f({', '.join(map(repr, row))}) == 1" for row in rows]
    found = variations(sources, "f", limit)
    assert len(found) <= limit
    assert len(set(found)) == len(found)
    assert found == variations(sources, "f", limit)
    for call in found:
        assert isinstance(ast.parse(call, mode="eval").body, ast.Call)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "1", "2"], ("1", False)),
        (["1", "2", "2"], ("2", False)),
        (["1", "2", "3"], ("2", True)),
        (["1", "2"], ("2", True)),
        (["7.5", "0.30000000000000004", "0.3"], ("0.30000000000000004", False)),
        (["{}", "{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}"], ("{'a': 1, 'b': 2}", False)),
        (["2", "2.0"], None),
        (["0.1", "0.10000000001"], None),
        (["1"], None),
        # A program that breaks off outvotes no value, and makes no case of what others give.
        ([BROKE, "2"], ("2", True)),
        ([BROKE, "2", "2"], None),
        ([BROKE, "2", "2", "3"], ("2", False)),
        ([BROKE, "2", BROKE], ("2", True)),
        (["1", BROKE, BROKE], ("1", True)),
        ([BROKE, BROKE], None),
    ],
)
def test_what_the_most_give(values: list[str], expected: tuple[str, bool] | None) -> None:
    found = findings(programs(*values), ["f(1)", "f(2)"], alone=False)
    splits = [(one["value"], one["disputed"]) for one in found if one["split"]]
    assert splits == ([expected] if expected else [])


def programs(*values: str, models: str = "slll") -> list[Given]:
    """What programs give for f(1), the first by model s, all others by l."""
    by = zip(values, models, strict=False)
    return [Given(model=model, values={"f(1)": value} if value else {}) for value, model in by]


@pytest.mark.parametrize(
    ("values", "settled", "cases"),
    [
        (["1", "1"], True, [("1", False)]),
        (["None", "None"], False, []),
        (["1"], False, []),
        (["1", "2"], False, [("2", True)]),
        (["1", "2", "2"], False, [("2", True)]),
        (["1", "2", "1"], True, [("1", False)]),
        (["1", "2", "2", "2"], True, [("2", False)]),
        (["1", "None", "None", "None"], False, [("None", False)]),
        (["1", "2", "2", "1"], False, [("2", True)]),
        (["", "2", "2"], False, []),
        (["", "2", "2", "2"], True, [("2", False)]),
    ],
)
def test_without_a_case_of_yours_two_models_must_agree_or_three_programs(
    values: list[str], settled: bool, cases: list[tuple[str, bool]]
) -> None:
    found = findings(programs(*values), ["f(1)"], alone=True)
    assert is_settled(found, alone=True) == settled
    assert [(one["value"], one["disputed"]) for one in telling(found, alone=True)] == cases


CALLS = [f"f({number})" for number in range(12)]


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        ([["True"] * 12], True),
        ([["True"] * 12, ["True"] * 12], True),
        ([["1"] * 6 + ["1.0"] * 6], True),
        ([["True"] * 11 + ["False"]], False),
        ([["True"] * 11 + [BROKE]], True),
        ([["True"] * 9], False),
        ([["True"] * 12, ["True"] * 11 + ["False"], ["True"] * 12], True),
        ([["True"] * 12, ["True"] * 11 + ["False"], ["True"] * 11 + ["False"]], False),
        ([[]], False),
        ([], False),
    ],
)
def test_whether_programs_give_the_same_for_every_call(
    results: list[list[str]], expected: bool
) -> None:
    given = [
        Given(model=model, values=dict(zip(CALLS, values, strict=False)))
        for model, values in zip("sll", results, strict=False)
    ]
    assert gives_one_result(given, findings(given, CALLS, alone=False)) is expected


def test_what_is_clear_comes_before_what_is_in_dispute() -> None:
    calls = [f"f({number})" for number in range(5)]
    given = [
        Given(model=model, values={call: "0" if call == "f(4)" else value for call in calls})
        for model, value in (("s", "1"), ("l", "2"), ("l", "3"))
    ]
    found = telling(findings(given, calls, alone=True), alone=True)
    assert [(one["call"], one["disputed"]) for one in found][:2] == [
        ("f(4)", False),
        ("f(0)", True),
    ]


def test_a_value_is_the_same_as_a_test_case_takes_it() -> None:
    assert same("1.0000001", "1")
    assert not same("1.1", "1")
    assert not same("'a'", "0.5")
    assert not same("0.5", "1" + 400 * "0")
    assert not same("'a  b'", "'a b'")


def case(number: int, source: str, **more: bool) -> Case:
    return Case(id=f"g{number}", source=source, origin="generated", **more)


def test_the_suite_takes_in_what_it_does_not_have() -> None:
    yours = Case(id="y1", source="assert f(9) == 1", origin="yours")
    suite = (
        yours,
        case(1, "assert f(1) == 1"),
        case(2, "x = 2\nassert f(x) == 1"),
        case(3, "assert not f(3)", disputed=True),
        case(4, "assert sorted(f(4)) == []"),
        case(5, "assert f(5) == 9"),  # and no two agree
    )
    splits = [
        {"call": "f(1)", "value": "1", "disputed": False},  # as the suite has it
        {"call": "f(2)", "value": "7", "disputed": False},  # against the suite
        {"call": "f(3)", "value": "False", "disputed": False},  # disputed before, and right
        {"call": "f(9)", "value": "2", "disputed": False},  # the user has spoken on it
        {"call": "f(5)", "value": "0.5", "disputed": True},
        {"call": "f(6)", "value": "6", "disputed": True},
    ]
    found = with_findings(suite, "f", splits)
    assert [one.disputed for one in found[:6]] == [False, False, True, True, False, True]
    assert found[0] == yours
    assert [(one.id, one.disputed) for one in found[6:]] == [
        ("g6", False),
        ("g7", False),
        ("g8", True),
    ]
    assert [one.voted for one in found[6:]] == [True, True, False]
    undecided = with_findings(suite, "f", splits, decided=False)
    assert [one.id for one in undecided if one.counts] == ["y1"]
    assert [one.source for one in found[6:8]] == ["assert f(2) == 7", "assert f(3) == False"]
    assert "got" in found[8].source  # a float, compared as such

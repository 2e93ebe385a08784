"""What parameters are called where the goal gives no more than calls."""

import pytest

from core.reading.parameters import parameters


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["assert f('a') == 1"], ["text"]),
        (["assert f([1], 2, 3.5) == 1"], ["items", "number1", "number2"]),
        (["assert f({'a': 1}, True, None)"], ["mapping", "flag", "value"]),
        (["assert f([1]) == 1", "assert f((1, 2)) == 1"], ["items"]),
        (["assert f('a') == 1", "assert f(-1) == 1"], ["value"]),
        (["assert sorted(f(x, -1)) == [1]"], ["value", "number"]),
        (["assert f(f(1)) == 1"], ["value"]),
        (["assert f() == 1"], []),
        (["assert f(1) == 1", "assert f(1, 2) == 1"], []),
        (["assert f(1, step=2) == 1"], []),
        (["assert f(*[1]) == 1"], []),
        (["x = f(1)\nassert x.size == 1"], []),
        (["assert f(1).size == 1"], []),
        (["assert callable(f)"], []),
        (["assert f(1"], []),
        (["assert g(1)"], []),
        ([], []),
    ],
)
def test_parameters_by_what_calls_give(sources: list[str], expected: list[str]) -> None:
    assert list(parameters(sources, "f")) == expected

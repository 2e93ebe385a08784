"""Code that breaks off by accident, told from code that says no."""

from __future__ import annotations

import pytest

from core.cancel import Cancel
from core.events import Case
from core.reading.breaks import broke_off, fair
from core.sandbox import Limits, Sandbox

CODE = """
def f(x):
    if x == "index":
        return [][0]
    if x == "far":
        return max(y for y in ())
    if x == "raised":
        raise ValueError("not for me")
    if x == "asserted":
        assert x == "", "not for me"
    if x == "wrong":
        return 2
    if x == "slow":
        while True:
            pass
    return 1
"""


def test_only_an_error_that_the_code_did_not_mean() -> None:
    inputs = ["index", "far", "raised", "asserted", "wrong", "slow", "good"]
    cases = [Case(id=x, source=f"assert f({x!r}) == 1", origin="generated") for x in inputs]
    sandbox = Sandbox(Limits(case_s=1.0))
    try:
        execution = sandbox.run(CODE, cases, cancel=Cancel())
    finally:
        sandbox.close()
    broke = {result.id: broke_off(result) for result in execution.cases}
    assert [name for name, error in broke.items() if error] == ["index", "far"]
    assert broke["index"].startswith("IndexError: list index out of range")


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (["f('ab', [1])"], ["f('a', [1])"]),
        (["f('', [1])"], ["f('a', [1])", "f('', [1])"]),
        (["f('ab', [''])", "f('a', [])"], ["f('a', [1])", "f('', [1])", "f('a', [])"]),
        ([], ["f('a', [1])"]),
    ],
)
def test_empty_is_an_input_where_a_known_call_has_it(known: list[str], expected: list[str]) -> None:
    assert list(fair(["f('a', [1])", "f('', [1])", "f('a', [])"], known)) == expected

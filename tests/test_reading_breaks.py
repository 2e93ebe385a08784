"""Code that breaks off by accident, told from code that says no."""

from __future__ import annotations

import pytest

from core.cancel import Cancel
from core.events import Case
from core.reading.breaks import broke_off, fair
from core.reading.variations import variations
from core.sandbox import Limits, Sandbox

CODE = """
class Endless:
    def __eq__(self, other):
        return False
    def __repr__(self):
        return str(10 ** 5000)

def f(x):
    if x == "index":
        return [][0]
    if x == "far":
        return max(y for y in ())
    if x == "words":
        return min(y for y in () if y not in "aeiou")
    if x == "raised":
        raise ValueError("not for me")
    if x == "at once": raise ValueError("not for me")
    if x == "left":
        exit(2)
    if x == "endless":
        return Endless()
    if x == "asserted":
        assert x == "", "not for me"
    if x == "wrong":
        return 2
    if x == "key":
        return {}[x]
    if x == "item":
        return [].index(x)
    if x == "part":
        return x.index("z")
    if x == "bytes":
        return b"".index(b"z")
    if x == "tuple":
        return ().index(x)
    if x == "removed":
        return [].remove(x)
    if x == "set":
        return set().pop()
    if x == "dict":
        return {}.popitem()
    if x == "slow":
        while True:
            pass
    return 1
"""


def test_only_an_error_that_the_code_did_not_mean() -> None:
    inputs = [
        "index",
        "far",
        "words",
        "raised",
        "at once",
        "left",
        "endless",
        "asserted",
        "wrong",
        "slow",
        "key",
        "item",
        "part",
        "bytes",
        "tuple",
        "removed",
        "set",
        "dict",
        "good",
    ]
    cases = [Case(id=x, source=f"assert f({x!r}) == 1", origin="generated") for x in inputs]
    sandbox = Sandbox(Limits(case_s=1.0))
    try:
        execution = sandbox.run(CODE, cases, cancel=Cancel())
    finally:
        sandbox.close()
    broke = {result.id: broke_off(result) for result in execution.cases}
    assert [name for name, error in broke.items() if error] == [
        "index",
        "far",
        "words",
        "set",
        "dict",
    ]
    assert broke["index"].startswith("IndexError: list index out of range")


@pytest.mark.parametrize(
    ("known", "call", "expected"),
    [
        (["f('ab', [1])"], "f('a', [1])", True),
        (["f('ab', [1])"], "f('', [1])", False),
        (["f('', [1])"], "f('', [1, 1])", True),
        (["f('ab', [''])"], "f('', [1])", True),
        (["f('ab')"], "f('x y')", True),
        (["f('2024-01-31')"], "f('2')", False),
        (["f('2024-01-31')", "f('2')"], "f('2')", True),
        (["f([5, 3, 1], 2)"], "f([5], 2)", False),
        (["f([5, 3, 1], 2)"], "f([5, 3, 1], 1)", False),
        (["f([5, 3, 1], 2)", "f([5, 3, 1], 1)"], "f([5, 3, 1], 1)", True),
        (["f([5, 3, 1], True)"], "f([5], False)", True),
        (["f({'a': 1}, 'a')"], "f({'a': 1}, 'b')", False),
        (["f([{'a': 1}], 'a')"], "f([{'a': 2}], 'a')", False),
        (["f({'a': 1})"], "f({'b': 1})", False),
        (["f({'a': 1})"], "f({'a': 2})", True),
        (["f([{'a': 1}, {'b': 1, 'c': 2}])"], "f([{'b': 1}])", True),
        (["f([1, 2], [3, 4])"], "f([1], [3, 4])", False),
        (["f('ab', 'cd')"], "f('ab', 'c')", False),
        (["f([1, 2], [3])"], "f([1], [3, 4])", True),
        (["f([5, 3, 1])"], "f([5])", True),
        (["f((1, 2))"], "f((1,))", False),
        (["f((1, 2))"], "f((1, 3))", True),
        (["f((1, 2), (3, 4))"], "f((1, 2), (1, 2))", False),
        (["f(2, 2)"], "f(3, 3)", True),
        (["f(x=2)"], "f(x=3)", True),
        (["f(b'ab')"], "f(b'')", False),
        (["f([[1, 2], [3, 4]])"], "f([[1, 2]])", False),
        (["f([[1, 2]])"], "f([[1, 2], [3, 4], [5, 6]])", True),
        (["f(['1:30', '0:45'])"], "f(['1', '0:45'])", False),
        (["f(['ab', 'cd'])"], "f(['ab', 'c'])", False),
        (["f(['ab', 'c'])"], "f(['a', 'c'])", True),
        (["f((5, 3, 1), 2)"], "f((5, 3, 1), 3)", False),
        (["f([1, 5], [2, 6])"], "f([1], [2])", False),
        (["f('a')"], "f('ab')", False),
        (["f('a')"], "f('b')", True),
        (["f(['a', 'b'])"], "f(['aa', 'bb'])", False),
        ([], "f(2)", True),
        ([], "f(inf)", False),
        ([], "f", False),
    ],
)
def test_calls_that_a_goal_likely_means(known: list[str], call: str, expected: bool) -> None:
    assert fair([call], known) == ((call,) if expected else ())


@pytest.mark.parametrize(
    ("code", "known"),
    [
        ("lambda m: [[row[i] for row in m] for i in range(len(m[0]))]", ["f([[1, 2], [3, 4]])"]),
        ("lambda m: m[0][0] * m[1][1] - m[0][1] * m[1][0]", ["f([[1, 2], [3, 4]])"]),
        ("lambda spans: [end - start for start, end in spans]", ["f([[1, 3], [2, 6], [8, 10]])"]),
        ("lambda part, all_: 100 * part / all_", ["f(0, 50)", "f(5, 10)"]),
        ("lambda items, k: items[k]", ["f([5, 3, 1], 2)", "f((5, 3, 1), 0)"]),
        ("lambda text, place: text[place]", ["f('abc', 2)"]),
        ("lambda a, b: [a[i] * b[i] for i in range(len(a))]", ["f([1, 2], [3, 4])"]),
        ("lambda rows, key: [row[key] + 1 for row in rows]", ["f([{'a': 1}, {'a': 2}], 'a')"]),
        ("lambda one: one.get('a') + one.get('b')", ["f({'a': 1, 'b': 2})"]),
        ("lambda all_: [int(t.split(':')[1]) for t in all_]", ["f(['1:30', '0:45'])"]),
        ("lambda grid: [row[len(grid[0]) - 1] for row in grid]", ["f(['#.#', '..#'])"]),
        ("lambda pairs: sorted(pairs, key=lambda p: p[1])", ["f([('a', 1), ('b', 2)])"]),
        ("lambda a, b: a[1] - b[1]", ["f([1, 5], [2, 6])"]),
    ],
)
def test_right_code_breaks_off_on_no_such_call(code: str, known: list[str]) -> None:
    names = {"f": eval(code)}
    calls = fair(variations([f"assert {call} == 0" for call in known], "f", 60), known)
    assert set(known) <= set(calls)
    for call in calls:
        eval(call, names)

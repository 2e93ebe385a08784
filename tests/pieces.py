"""Hypothesis strategies: Python modules and model replies, put together from telling pieces."""

from __future__ import annotations

from hypothesis import strategies as st

_FENCED_DOC = (
    '    """Doc.\n\n    ```{lang}\n    >>> wanted(1)\n    ```\n    Done: it\'s (so.\n    """\n'
)
_TEXTS = [
    '"a\\\\n\\t"', r"r'\d+\1'", "'it\\'s'", '"```"', "'''\n```\nx\n```\n'''",
    '"{\\"code\\": 1}"', "b'\\x00'", '"\u2028\u00e9"', "'</think>'", '"#"', "'\x0c'",
]  # fmt: skip
_STRINGS = st.sampled_from(_TEXTS)
_NAMES = st.sampled_from(["helper", "other", "_third", "Fourth"])


@st.composite
def _functions(draw: st.DrawFn, name: str) -> str:
    doc = draw(
        st.sampled_from(["", _FENCED_DOC.format(lang=""), _FENCED_DOC.format(lang="python")])
    )
    value = draw(_STRINGS)
    decorator = draw(st.sampled_from(["", "@staticmethod\n", "# It's a comment (so\n"]))
    tab = draw(st.sampled_from(["    if x:\n        pass\n", "    if x:\n    \tpass\n", ""]))
    return f"{decorator}def {name}(x):\n{doc}{tab}    return x, {value}\n"


@st.composite
def _classes(draw: st.DrawFn, name: str) -> str:
    value = draw(_STRINGS)
    return f"class {name}:\n    LIMIT = {value}\n\n    def go(self):\n        return self.LIMIT\n"


@st.composite
def _others(draw: st.DrawFn) -> str:
    name, value = draw(_NAMES), draw(_STRINGS)
    return draw(
        st.sampled_from(
            [
                f"{name.upper()} = {value}\n",
                "import re, os\n",
                "from typing import (\n    Any,\n    List,\n)\n",
                f"TABLE = {{\n    'code': {value},\n    'b': [1, 2],\n}}\n",
                f"if True:\n    SPARE = {value}\nelse:\n    SPARE = None\n",
                "try:\n    import json\nexcept ImportError:\n    json = None\n",
                f'"""Module.\n\n```python\nwanted({1})\n```\n"""\n',
            ]
        )
    )


@st.composite
def modules(draw: st.DrawFn) -> str:
    """A module that defines `wanted`, in the form that a reply's code is given back in."""
    extra = st.one_of(_others(), _NAMES.flatmap(_functions), _NAMES.flatmap(_classes))
    before = draw(st.lists(extra, max_size=3))
    wanted = draw(st.one_of(_functions("wanted"), _classes("wanted")))
    after = draw(st.lists(extra, max_size=2))
    tail = draw(
        st.sampled_from(
            ["", "main = wanted\nmain(1)\n", "if __name__ == '__main__':\n    print(wanted(1))\n"]
        )
    )
    gap = draw(st.sampled_from(["\n", "\n\n"]))
    code = gap.join([*before, wanted, *after, *([tail] if tail else [])])
    return code.strip("\n") + "\n"


_PIECES = [
    "```", "```python", "~~~", "````", "\n", "\n\n", "    ", "\t", "def f(x):", "return x",
    "class F:", "f(2) == 4", "assert f(2) == 4", "assert f(", ">>> f(2)", "... ", "4", "3.5",
    '"a b"', "'", '"""', "->", "=>", "returns", "gives", "==", "=", "is", "[1, 2]", "(", ")",
    "{", "}", '{"code": "', "<think>", "</think>", "Input:", "Output:", "PASS", "FAIL",
    "Correctness: 8/10", "a class", "add 1 plus 1 gives 2", "\0", "\r", "\x0c", "\u2028",
    "\ufeff", "# ", "not", "raises ValueError", "Traceback (most recent call last):",
    "ValueError: x", "import os", "with pytest.raises(ValueError):", "def test_f():",
    "self.assertEqual(f(1), 2)", "class TestF(unittest.TestCase):", "...", "\\", "1e999",
    "f(f(1))", "lambda: f(1)", "x = f(2)", "x == 4", "`f(3)`", "**", "for n in 1:", "@a",
    "\u201ca\u201d becomes \u201cb\u201d", "'\\x", "f'{x}'", "0x", "1_0",
]  # fmt: skip


def replies() -> st.SearchStrategy[str]:
    """Text that looks like a reply or a goal, and is mostly nonsense."""
    joined = st.lists(st.sampled_from(_PIECES), max_size=25).flatmap(
        lambda parts: st.sampled_from(["", " ", "\n"]).map(lambda glue: glue.join(parts))
    )
    return st.one_of(joined, st.text(max_size=200))

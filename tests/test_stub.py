"""The goal as the beginning of the code, and of the reply."""

from __future__ import annotations

import ast

import pytest

from core.reading.begun import whole_reply
from core.reading.pysource import parse
from core.replies import extract_code
from core.state import RunState
from core.stub import code_begin, code_stub

HEAD = 'def add(a: int, b: int) -> int:\n    """The sum."""\n'


def run_of(goal: str, signature: str = "", name: str = "add") -> RunState:
    return RunState(run_id="r", goal=goal, name=name, signature=signature)


def test_the_beginning_of_the_code_has_as_many_parameters_as_the_examples() -> None:
    goal = "Count how often a letter occurs.\nassert count('aba', 'a') == 2"
    assert code_stub(goal, "count", "").startswith("def count(text1, text2):\n")
    assert code_stub("Count letters.", "count", "").startswith("def count(...):\n")
    assert code_stub(goal, "count", "def count(where, what)").startswith("def count(where, what):")


def test_a_goal_that_ends_with_a_quote_is_python_all_the_same() -> None:
    stub = code_stub('The letters. initials("a b") == "AB"', "initials", "def initials(name)")
    tree = parse(f"{stub}\n    return name\n")
    assert tree is not None
    (function,) = tree.body
    assert isinstance(function, ast.FunctionDef)
    said = ast.get_docstring(function) or ""
    assert said.strip() == 'The letters. initials("a b") == "AB"'


@pytest.mark.parametrize(
    ("goal", "signature", "begin"),
    [
        (f"\n\n{HEAD}\n", "", HEAD),
        (HEAD.replace("    ", "\t"), "", HEAD.replace("    ", "\t")),
        ("def add(a, b):", "", "def add(a, b):\n"),
        (f"import math\n\ndef half(x):\n    return x / 2\n\n{HEAD}", "", None),
        ("The sum.", "def add(a, b)", 'def add(a, b):\n    """The sum."""\n'),
        (
            "The sum.",
            "def add(a: List[int], b: Optional[int] = None) -> List[int]:",
            "from typing import List, Optional\n\n\n"
            "def add(a: List[int], b: Optional[int] = None) -> List[int]:\n"
            '    """The sum."""\n',
        ),
    ],
    ids=["a head", "tabs", "no words", "code above", "by the plan", "typing"],
)
def test_a_reply_is_begun_with_the_head_and_the_goal(
    goal: str, signature: str, begin: str | None
) -> None:
    found = code_begin(run_of(goal, signature))
    assert found == f"```python\n{goal if begin is None else begin}"
    reply = whole_reply(found, "    return a + b\n```\nThat is all.", "stop")
    code = extract_code(reply, "add").code
    assert "def add(" in code
    assert code.endswith("return a + b\n")


@pytest.mark.parametrize(
    ("goal", "signature"),
    [
        ("The sum: add(2, 3) == 5", ""),
        (f"{HEAD}    return a - b  # wrong, mend it\n", ""),
        (f"Write this:\n\n{HEAD}", ""),
        ("class add:\n    def __init__(self):\n", ""),
        ("The sum.", "class add"),
        ("The sum.", "def add(a: np.ndarray)"),
        ("The sum.", "def plus(a, b)"),
        (f"async {HEAD}", ""),
        (f"Task: add\n\n{HEAD}", ""),
        (f"Implement\n\n{HEAD}", ""),
        ("def add(a, b): ...", ""),
        ("def add(a,\n        b): 'The sum.'", ""),
        ("def add(a, b):\n    pass", ""),
        ("def add(a, b):\n    print(a)", ""),
        (f"def half(a):\n    'The half.'\n\n{HEAD}", ""),
        ("from __future__ import annotations\ndef add(a: List[int]):\n    'The sum.'", ""),
    ],
    ids=[
        *("made up", "a body", "words around", "a class", "planned", "unknown", "other", "async"),
        *(
            "a label",
            "a word",
            "on its line",
            "broken head",
            "pass",
            "begun",
            "two heads",
            "future",
        ),
    ],
)
def test_other_replies_begin_by_themselves(goal: str, signature: str) -> None:
    assert code_begin(run_of(goal, signature)) == ""


BEGUN = f"```python\n{HEAD}"


@pytest.mark.parametrize(
    "reply",
    [
        "    return a + b\n```",
        "    return a + b\n```\n\nUse it so:\n\n```python\nprint(add(1, 2))\n```\n",
        "    return a + b",
        "    return a + b\n",
        "Of course:\n\n```python\ndef add(a, b):\n    return a + b\n```\n",
        "~~~py\ndef add(a, b):\n    return a + b\n~~~",
        "```\ndef add(a, b):\n    return a + b\n```\n",
        "Here is the code:\n```\ndef add(a, b):\n    return a + b\n```\n",
        "```{.python}\ndef add(a, b):\n    return a + b\n```\n",
        "def add(a, b):\n    return a + b\n```\n",
        "def add(a, b):\n    return a + b\n",
        "# As asked.\n    return a + b\n```\n",
        "    note = '''\n```python\n'''\n    return a + b\n```\n",
        "```\n\nHere is the code:\n```python\ndef add(a, b):\n    return a + b\n```\n",
        "\n```\n```python\ndef add(a, b):\n    return a + b\n```\nThat is all.\n",
        " Here is the code:\n```python\ndef add(a, b):\n    return a + b\n```\n",
        "    retrun a\n```\nThat was wrong:\n```python\ndef add(a, b):\n    return a + b\n```\n",
    ],
    ids=[
        *("closed", "an example below", "open", "a line end", "anew", "tildes", "no language"),
        *("after words", "braces", "no fence", "bare", "a comment", "a fence in a text"),
        *("closed and anew", "closed at once", "after a space", "mended below"),
    ],
)
def test_a_reply_goes_on_from_its_beginning_or_begins_anew(reply: str) -> None:
    found = extract_code(whole_reply(BEGUN, reply, "stop"), "add")
    assert not found.truncated
    assert found.code.endswith("    return a + b\n")
    assert parse(found.code) is not None
    assert found.code.count("def add") == 1


def test_a_begun_reply_that_breaks_off_is_no_whole_one() -> None:
    assert extract_code(whole_reply(BEGUN, "    return a +", "length"), "add").truncated
    assert extract_code(
        whole_reply(BEGUN, "```\ndef add(a, b):\n    ret", "length"), "add"
    ).truncated
    assert whole_reply(BEGUN, " \n", "stop") == " \n"

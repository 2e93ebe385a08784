"""core.replies: code comes out of every shape of reply whole and unchanged."""

from __future__ import annotations

import json
import time

import pytest

from core.errors import ModelAnswerError
from core.reading.owntests import without_asserts
from core.replies import extract_code

ADD = "def add(a, b):\n    return a + b\n"
MODULE = (
    "import sys\n\nLIMIT = 10\n\n\ndef add(a, b):\n    return a + b\n\n\ndef main():\n"
    "    print(add(1, 2), LIMIT, file=sys.stderr)\n\n\nmain()\n"
)
FENCES_INSIDE = (
    'def add(a, b):\n    """Sum.\n\n    ```python\n    add(1, 2)\n    ```\n\n'
    "    ```\n    3\n    ```\n"
    '    """\n    return a + b\n'
)
ESCAPES = (
    'import re\n\n\ndef add(a, b):\n    return re.sub("\\\\d+\\n", r"\\1", a) + \'"\\t{}\' + b\n'
)
BROKEN = "def add(a, b)  # missing colon\n    return a + b\n"
PRINT = "def add(a, b):\n    print a\n    return a + b\n\n\nprint add(1, 2)\n"
INDENTED = "   " + ADD.replace("\n    ", "\n       ")

SHAPES = {
    "bare": "{code}",
    "fence with a language": "```python\n{code}```",
    "fence without a language": "```\n{code}```",
    "capital language and spaces": "``` Python  \n{code}```  ",
    "tildes": "~~~python\n{code}~~~",
    "long fence": "````python\n{code}````",
    "prose around a fence": "Here's it:\n\n```python\n{code}```\n\nIt doesn't (need more.",
    "prose before and after, no fence": "So it's:\n\n{code}\nIt isn't (more.\nDone",
    "usage in its own fence": "```python\n{code}```\nUse it:\n```python\nprint(add(1, 2))\n```",
    "usage fence first": "Call it so:\n```python\nprint(add(1, 2))\n```\n\n```python\n{code}```",
    "shell fence first": "```bash\npip install it's\n```\n\n```python\n{code}```",
    "output fence last": "```python\n{code}```\nOutput:\n```\n3 it's\n```",
    "think first": "<think>\n```python\ndef add(x): pass\n```\nno</think>\n\n```python\n{code}```",
    "think first, then bare": "<think>def add(x): hm</think>\n{code}",
    "only the end of thinking": "so I do that\n</think>\n\n```python\n{code}```",
    "the prompt opened the fence": "{code}```\nThat's it.",
    "code tags": "[PYTHON]\n{code}[/PYTHON]\nThat's it.",
    "answer tags around a fence": "<answer>\n```python\n{code}```\n</answer>",
    "markdown fence around it": "````markdown\n# Answer\n```python\n{code}```\n````",
    "a later fence is left open": "```python\n{code}```\nExample:\n```python\nadd(1,",
    "first fence never closed": "```python\n{code}\n```python\nadd(1, 2)\n```",
    "signature repeated last": "```python\n{code}```\nSo:\n```python\ndef add(a, b): ...\n```",
    "an older version first": "```python\ndef add(a):\n    return a\n```\n```python\n{code}```",
    "quoted": "> {quoted}",
    "json": "{json}",
    "json in a fence": "```json\n{json}\n```",
    "json with prose": "Here it is:\n{json}\nBye {{}}",
    "json string": "{string}",
    "byte order mark": "\ufeff{code}",
}


def wrapped(shape: str, code: str) -> str:
    return SHAPES[shape].format(
        code=code,
        json=json.dumps({"fixes_applied": ["none"], "code": code, "analysis": "it's right"}),
        string=json.dumps(code),
        quoted="```python\n> " + code.replace("\n", "\n> ") + "```",
    )


@pytest.mark.parametrize(
    "code", [ADD, MODULE, FENCES_INSIDE, ESCAPES], ids=["add", "module", "fences", "escapes"]
)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_code_comes_out_unchanged(shape: str, code: str, line_end: str) -> None:
    text = wrapped(shape, code).replace("\n", line_end)
    found = extract_code(text, "add")
    assert (found.code, found.truncated) == (code, False), found.how


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1. First:\n   ```python\n" + INDENTED + "   ```\n2. Done", ADD),
        ("- ```python\n  def add(a, b):\n      return a + b\n  ```", ADD),
        ("   ```python\n" + ADD + "   ```", ADD),
        ("```python\n    def add(a, b):\n        return a + b\n```", ADD),
        ("Here: ```python\n" + ADD + "```", ADD),
        ('{"code": """' + ADD + '"""}', ADD),
        (
            '{"code": "import re\\nadd = re.compile(\'\\d+\').sub"}',
            "import re\nadd = re.compile('\\d+').sub\n",
        ),
        ("```python\nadd = lambda a, b: a + b\n```", "add = lambda a, b: a + b\n"),
        (ADD + "\n\nUsage:\n```python\nadd(1, 2)\n```", ADD),
        ("    def add(a, b):\n        return a + b\n\n", ADD),
        ("\tdef add(a, b):\n\t\treturn a + b\n", "def add(a, b):\n\treturn a + b\n"),
    ],
)
def test_odd_shapes(text: str, code: str) -> None:
    assert extract_code(text, "add").code == code


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_every_kind_of_line_end_is_one(end: str) -> None:
    reply = "def add(a, b):\n    return a + b\n\n# t\nassert add(1, 1) == 2\n".replace("\n", end)
    assert without_asserts(extract_code(reply, "add").code) == "def add(a, b):\n    return a + b\n"


def test_helpers_in_other_fences_are_joined_and_usage_is_not() -> None:
    text = (
        "```python\nimport re\nWORD = re.compile('a')\n```\nThen:\n```python\n"
        "def add(a, b):\n    return helper(WORD, a + b)\n```\nand\n```python\n"
        "def helper(word, text):\n    return word.sub('', text)\n```\n```python\nadd('a', 'b')\n```"
    )
    found = extract_code(text, "add")
    names: dict[str, object] = {}
    exec(found.code, names)
    assert found.how == "joined"
    assert "add('a'" not in found.code
    assert eval("add('a', 'bc')", names) == "bc"


@pytest.mark.parametrize("code", [BROKEN, PRINT], ids=["missing colon", "python 2"])
@pytest.mark.parametrize(
    "shape",
    ["bare", "fence with a language", "fence without a language", "usage in its own fence", "json"],
)
def test_broken_code_comes_back_as_it_is(shape: str, code: str) -> None:
    found = extract_code(wrapped(shape, code), "add")
    assert (found.code, found.truncated) == (code, False)


def test_broken_code_between_sentences_comes_back_whole() -> None:
    assert extract_code("Here's the fix:\n\n" + BROKEN + "\nI'm done", "add").code == BROKEN


def test_bytes_that_python_refuses_come_back_too() -> None:
    for character in ("\0", "\x0c", "\x1b", "\u2028"):
        code = f"def add(a, b):\n    return '{character}'\n"
        assert extract_code("```python\n" + code + "```", "add").code == code


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("```python\ndef add(a, b):\n    return a +", "stop"),
        ("```python\n" + ADD, "stop"),
        ("def add(a, b):\n    return (a +", "length"),
        ('{"code": "def add(a, b):\\n    return a', "length"),
        ("```python\n" + FENCES_INSIDE[:-18] + "x = [", "stop"),
        ("```python\n" + FENCES_INSIDE[:60], "stop"),
        ("<think>I could write\n```python\n" + ADD + "```", "stop"),
        ("", "length"),
        ("First I plan it, then", "length"),
        ("```python\nimport os\n```\n```python\ndef add(a, b):\n    x = [", "length"),
    ],
)
def test_a_reply_that_breaks_off_is_called_truncated(text: str, reason: str) -> None:
    assert extract_code(text, "add", finish_reason=reason).truncated


def test_a_whole_program_is_not_truncated_by_what_follows_it() -> None:
    text = "```python\n" + ADD + "```\nThis works because"
    assert extract_code(text, "add", finish_reason="length").code == ADD
    assert not extract_code(text, "add", finish_reason="length").truncated
    assert not extract_code(ADD, "add", finish_reason="length").truncated


@pytest.mark.parametrize(
    "text", ["", "  \n", "I can't help with that.", "yes", "42", "```\n```", "{}"]
)
def test_no_code_is_an_error_that_shows_the_reply(text: str) -> None:
    with pytest.raises(ModelAnswerError, match="no Python code"):
        extract_code(text, "add")


def test_without_a_wanted_name_the_longest_definition_wins() -> None:
    text = "```python\nprint(1)\n```\n```python\n" + MODULE + "```\n```python\ndef x(): pass\n```"
    assert extract_code(text).code == MODULE


def test_another_name_is_better_than_nothing() -> None:
    assert extract_code("```python\n" + ADD + "```", "plus").code == ADD


HUGE = "".join(
    f"def g{n}(x):\n    '''\n    ```\n    y\n    ```\n    '''\n    return x\n\n\n"
    for n in range(2500)
)


@pytest.mark.parametrize(
    "text",
    [
        ADD + HUGE,
        "```python\n" + HUGE + ADD + "```",
        "It's here:\n\n" + ADD + "\n\n" + HUGE + "\nIt's done",
        "```python\nfoo bar it's\n```\n" * 900 + "```python\n" + ADD + "```",
        "```python\ndef f(:\n```\n" * 900 + "```python\n" + ADD + "```",
        "```\n" * 20_000 + ADD,
        "'''\n```python\n" * 10_000 + ADD,
        '{"code": "' * 20_000 + ADD,
        "`" * 200_000 + ADD,
        "(" * 200_000 + ADD,
        "def add(:\n" * 20_000,
    ],
)
def test_huge_replies_take_less_than_a_second(text: str) -> None:
    extract_code("x = 1", None)
    start = time.process_time()
    assert "def add(" in extract_code(text, "add", finish_reason="length").code + "def add("
    assert time.process_time() - start < 1

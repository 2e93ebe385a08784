"""Imports that a model forgot."""

from __future__ import annotations

import pytest

from core.reading.imports import with_imports


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("def f(x):\n    return hashlib.md5(x).hexdigest()\n", "import hashlib"),
        ("def f(x):\n    return factorial(x)\n", "from math import factorial"),
        ("def f(x):\n    return Counter(x)\n", "from collections import Counter"),
        ("def f(x: List[int]) -> int:\n    return 1\n", "from typing import List"),
        ("def f(x):\n    return datetime.strptime(x, '%Y')\n", "from datetime import datetime"),
        ("def f(x):\n    return datetime.datetime.now()\n", "import datetime"),
        (
            "def f(x):\n    return sorted(x, key=cmp_to_key(g))\n",
            "from functools import cmp_to_key",
        ),
        ("@dataclass\nclass A:\n    x: int\n", "from dataclasses import dataclass"),
        ("def f(x):\n    return [math.sqrt(math.pi) for y in x]\n", "import math"),
        ("def f(x):\n    return list(chain.from_iterable(x))\n", "from itertools import chain"),
        ("def f(x):\n    return Path.cwd()\n", "from pathlib import Path"),
        ("def f(x):\n    return max(x, key=log)\n", "from math import log"),
        (
            "def f(x):\n    return functools.reduce(gcd, x)\n",
            "from math import gcd\nimport functools",
        ),
        ("def f(x):\n    return list(accumulate(x, max))\n", "from itertools import accumulate"),
        ("import itertools\nx = itertools.accumulate([1], lcm)\n", "from math import lcm"),
        ("def f(x):\n    return array.array('i', x)\n", "import array"),
        ("class Odd(Exception):\n    pass\n\n\ndef f(x):\n    re.match('a', x)\n", "import re"),
    ],
)
def test_what_is_surely_meant_is_imported(code: str, line: str) -> None:
    assert with_imports(code) == f"{line}\n{code}"


@pytest.mark.parametrize(
    "code",
    [
        "import hashlib\ndef f(x):\n    return hashlib.md5(x)\n",
        "from math import *\ndef f(x):\n    return factorial(x)\n",
        "def factorial(x):\n    return x\ndef f(x):\n    return factorial(x)\n",
        "def f(x):\n    return score[x]\n",
        "def f(queue):\n    queue.append(1)\n",
        "def f(x):\n    queue.append(x)\n",
        "def f(x):\n    return math\n",
        "def f(x):\n    return antigravity.fly(x)\n",
        "def f(x):\n    return np.array(x)\n",
        "def f(x):\n    try:\n        pass\n    except ValueError as re:\n        re.args\n",
        "def f(x):\n    match x:\n        case [re, *math]:\n            return re.a, math.b\n",
        "def f(x):\n    return datetime.nonsense(x)\n",
        "def f(x:\n    return math.pi\n",
        "def f(x):\n    return sum(x)\n",
        "def f(x):\n    return log if x else floor\n",
        "def f(x):\n    return round(dist, 2)\n",
        "def f(x):\n    return max(product)\n",
        "def f(x):\n    return array.count(x)\n",
        "def f(x):\n    return thing.__class__.__name__\n",
        "class A:\n    def f(self):\n        return __class__.__doc__\n",
        "from threading import *\nclass T(Thread):\n    x = Thread.__init__\n",
        "def f(x):\n    match x:\n        case {'a': 1, **math}:\n            return math.pi\n",
        "'What it does.'; VALUE = math.pi\n",
        "",
    ],
)
def test_all_else_stays_as_it_is(code: str) -> None:
    assert with_imports(code) == code


def test_below_what_must_come_first_and_all_at_once() -> None:
    top = '"""What it does."""\n\nfrom __future__ import annotations\n'
    code = "\nVALUE = math.tau\n\n\ndef f(x):\n    return Counter(re.split(' ', x))\n"
    added = "from collections import Counter\nimport math\nimport re\n"
    assert with_imports(top + code) == top + added + code


def test_line_ends_that_are_none_to_python_hide_no_place() -> None:
    code = "'a\x0cb\u2028c'\ndef f(x):\n    return math.pi\n"
    assert with_imports(code) == code.replace("\ndef", "\nimport math\ndef")


def test_what_the_goal_defines_is_not_taken_from_elsewhere() -> None:
    code = "def last_digit(x):\n    return remainder(x, 10)\n"
    assert with_imports(code, {"remainder"}) == code
    assert with_imports(code).startswith("from math import remainder\n")

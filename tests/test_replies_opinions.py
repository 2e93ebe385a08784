"""core.replies: plans, verdicts and scores."""

from __future__ import annotations

import pytest

from core.replies import extract_plan, extract_scores, extract_verdict


@pytest.mark.parametrize(
    ("plan", "goal", "name", "signature"),
    [
        ("", "add 1 plus 1", "add", ""),
        (
            "Use `def total(x)`",
            "def f(x: int) -> int:\n    '''It.\n    >>> f(1)\n    '''",
            "f",
            "def f(x: int) -> int",
        ),
        (
            "",
            "def f(\n    x: list[int],\n    y=3,\n) -> int:\n    '''It.'''",
            "f",
            "def f(x: list[int], y=3) -> int",
        ),
        (
            "",
            "def helper(x):\n    return x\n\n\ndef g(y):\n    '''Uses helper.'''",
            "g",
            "def g(y)",
        ),
        (
            "",
            "def a(x):\n    '''\n    >>> a(1)\n    2\n    '''\n\ndef b(x):\n    '''Other.'''",
            "a",
            "def a(x)",
        ),
        (
            "",
            "class Stack:\n    def push(self, x): ...\n    def pop(self): ...",
            "Stack",
            "class Stack",
        ),
        ("SIGNATURE: def slug(text)", 'slugify("A b") == "a-b"', "slugify", ""),
        (
            "SIGNATURE: def slugify(text: str) -> str",
            'slugify("A b") == "a-b"',
            "slugify",
            "def slugify(text: str) -> str",
        ),
        ("", ">>> f2(2)\n4", "f2", ""),
        ("", "Write a function called `count_words`.", "count_words", ""),
        ("", "Write is_prime(n) that tells primes", "is_prime", "def is_prime(n)"),
        ("", "Write `to_roman` for numbers", "to_roman", ""),
        (
            "**Signature:** `def merge(spans: list) -> list`",
            "merge intervals",
            "merge",
            "def merge(spans: list) -> list",
        ),
        (
            "```python\ndef helper(x):\n    pass\n```\nSIGNATURE: def merge(a)",
            "merge them",
            "merge",
            "def merge(a)",
        ),
        ("<think>def no(x)</think>\ndef yes(x): does", "something", "yes", "def yes(x)"),
        ("", "a bank-account class", "BankAccount", "class BankAccount"),
        (
            "class Account:\n    ...",
            "a bank-account class with deposit",
            "Account",
            "class Account",
        ),
        ("", "Create a class for an LRU cache", "LRUCache", "class LRUCache"),
        ("", "Write a function that checks if a number is prime", "checks_number_prime", ""),
        ("", "sum", "sum_result", ""),
        ("", "Print the list", "print_list", ""),
        ("", "42", "solution", ""),
        ("", "计算", "solution", ""),
        ("", "Write `def twice(x: int) -> int` that doubles", "twice", "def twice(x: int) -> int"),
        ("", "len(x) == 3 and sorted(x)", "len_x_sorted_x", ""),
    ],
)
def test_the_plan_names_what_the_candidate_must_define(
    plan: str, goal: str, name: str, signature: str
) -> None:
    found = extract_plan(plan, goal)
    assert (found.name, found.signature) == (name, signature)


@pytest.mark.parametrize(
    ("text", "passed", "reason"),
    [
        ("PASS", True, ""),
        ("FAIL: misses zero", False, "misses zero"),
        ("**PASS** - looks right", True, "looks right"),
        ("Verdict: fail\nReason: it loops", False, "it loops"),
        ("passed.", True, ""),
        ('{"verdict": "PASS", "reason": "fine"}', True, "fine"),
        ('```json\n{"passed": false, "reason": "no"}\n```', False, "no"),
        ("The code passes.", True, "The code passes."),
        ("The code does not pass the edge case", False, None),
        ("PASS/FAIL?", None, None),
        ("I cannot say", None, "I cannot say"),
        ("", None, ""),
        ("<think>FAIL?</think>PASS", True, ""),
    ],
)
def test_verdicts(text: str, passed: bool | None, reason: str | None) -> None:
    found = extract_verdict(text)
    assert found[0] is passed
    assert reason is None or found[1] == reason


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        (
            "Correctness: 8/10 - good\nClarity: 7\nRobustness: 6.5 (no checks)",
            {"correctness": (8, "good"), "clarity": (7, ""), "robustness": (7, "no checks)")},
        ),
        ("**Clarity**: 7", {"clarity": (7, "")}),
        ("- **Correctness (9/10)**: fine", {"correctness": (9, "fine")}),
        ("1. Robustness = 4 out of 5, brittle", {"robustness": (8, "brittle")}),
        (
            '{"correctness": 9, "clarity": {"score": "8/10", "reason": "short"}}',
            {"correctness": (9, ""), "clarity": (8, "short")},
        ),
        ('```json\n{"scores": {"Correctness": 10}}\n```', {"correctness": (10, "")}),
        ("| Clarity | 7 | ok |", {"clarity": (7, "ok")}),
        ("Clarity: 70", {}),
        ("Clarity: great", {}),
        ("", {}),
        ('{"clarity": 1' + "0" * 400 + "}", {}),
    ],
)
def test_scores(text: str, scores: dict[str, tuple[int, str]]) -> None:
    found, _ = extract_scores(text)
    assert {score.name: (score.value, score.reason) for score in found} == scores


def test_scores_keep_the_closing_remark() -> None:
    assert extract_scores("Clarity: 7\nSummary: fine for now")[1] == "fine for now"
    assert extract_scores('{"clarity": 7, "reason": "fine"}')[1] == "fine"

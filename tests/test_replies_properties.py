"""Laws of core.replies that hold for any program and any text."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pieces import modules, replies

from core.errors import ModelAnswerError
from core.replies import extract_code, extract_plan, extract_scores, extract_verdict
from core.suite import cases_from_goal, cases_from_replies

WRAPPINGS = [
    lambda code: code,
    lambda code: f"```python\n{code}```",
    lambda code: f"```\n{code}```\n",
    lambda code: f"~~~python\n{code}~~~",
    lambda code: f"````py\n{code}````",
    lambda code: f"Here's what you want:\n\n```python\n{code}```\n\nIt's (about) right.",
    lambda code: f"Here's what you want:\n\n{code}\n\nIt's (about) right.",
    lambda code: f"```python\n{code}```\nUse it:\n```python\nprint(wanted(1))\n```",
    lambda code: f"```sh\npip install x\n```\n```python\n{code}```\n```\n3 it's\n```",
    lambda code: f"<think>\n```python\ndef wanted(): no\n```\n</think>\n```python\n{code}```",
    lambda code: "1. So:\n\n" + "   " + f"```python\n{code}```".replace("\n", "\n   "),
    lambda code: json.dumps({"code": code, "analysis": "I've fixed it"}),
    lambda code: "```json\n" + json.dumps({"code": code}, indent=2) + "\n```",
    lambda code: "Here it is: " + json.dumps({"code": code}) + "\nIt's {right}.",
]

quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(code=modules(), wrap=st.sampled_from(WRAPPINGS), crlf=st.booleans())
@quick
def test_any_program_comes_back_unchanged_from_any_shape(
    code: str, wrap: Callable[[str], str], crlf: bool
) -> None:
    text = wrap(code)
    if crlf:
        text = text.replace("\n", "\r\n")
    found = extract_code(text, "wanted")
    assert found.code == code
    assert not found.truncated


@given(code=modules(), share=st.floats(0.05, 0.95))
@quick
def test_a_program_cut_off_in_its_fence_is_truncated_and_nothing_is_added(
    code: str, share: float
) -> None:
    cut = code[: int(len(code) * share)]
    found = extract_code(f"```python\n{cut}", "wanted", finish_reason="length")
    assert found.truncated
    assert found.code.strip() in cut


@given(
    text=replies(),
    wanted=st.sampled_from(["wanted", "f", None]),
    reason=st.sampled_from(["stop", "length"]),
)
@quick
@example(text="`" * 50, wanted=None, reason="stop")
@example(text="<think>", wanted="f", reason="length")
@example(text="\ufeff\r\n\0def f(:", wanted="f", reason="stop")
def test_any_text_yields_code_or_the_one_error(text: str, wanted: str | None, reason: str) -> None:
    try:
        found = extract_code(text, wanted, finish_reason=reason)
    except ModelAnswerError:
        assert reason == "stop"
    else:
        assert found.truncated or found.code.strip()


@given(text=replies(), goal=replies())
@quick
@example(text="def \ud800(x)", goal="class class: '\ud800'")
def test_any_text_makes_a_plan_and_opinions(text: str, goal: str) -> None:
    plan = extract_plan(text, goal)
    assert plan.name.isidentifier()
    if plan.signature:
        ast.parse(f"{plan.signature}: pass")
    extract_verdict(text)
    scores, _ = extract_scores(text)
    assert all(0 <= score.value <= 10 for score in scores)


@given(text=replies(), goal=replies())
@quick
def test_any_text_makes_cases_that_compile(text: str, goal: str) -> None:
    plan = extract_plan("", goal)
    yours = cases_from_goal(goal, plan)
    generated = cases_from_replies([text, goal], plan, yours=yours)
    cases = [*yours, *generated]
    for case in cases:
        compile(case.source, "<case>", "exec")
    assert len(yours) <= 20
    assert sum(not case.disputed for case in generated) <= 8
    assert len(generated) <= 16
    assert len({case.id for case in cases}) == len(cases)
    assert len({case.source for case in cases}) == len(cases)

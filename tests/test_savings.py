"""The rule of the savings: worked examples and laws that hold for any calls."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import events as ev
from core.savings import NEEDED, Savings, Use, reckon
from core.savings_words import HOW, by_model, count, headline, missing, report, summary
from core.state import CallState

STRONG, WEAK = "qwen2.5-coder:14b", "codellama"
FIRST_SERVER = "http://127.0.0.1:1"


def call(
    role: ev.Role,
    purpose: str,
    model: str,
    tokens: tuple[int, int] = (0, 0),
    *,
    status: str = "done",
    finish: str = "stop",
    failed: tuple[str, ...] = (),
    endpoint: str = FIRST_SERVER,
) -> CallState:
    """A call with its `tokens` in and out, and with what `failed` before at another server."""
    failures = [
        ev.EndpointFailed(
            call="c",
            role=role,
            endpoint="http://127.0.0.1:2",
            error=error,
            message="",
            cooldown_s=1.0,
        )
        for error in failed
    ]
    return CallState(
        call="c",
        role=role,
        purpose=purpose,
        prompt="",
        started_at=0.0,
        status=status,
        model=model,
        endpoint=endpoint,
        tokens_in=tokens[0],
        tokens_out=tokens[1],
        finish_reason=finish,
        failures=tuple(failures),
    )


PLAN = call("overseer", "strategy", "llama3", (100, 50))
CODE = call("generator", "code", WEAK, (200, 80))
TESTS = call("generator", "tests", WEAK, (150, 40))
MEND = call("escalation", "escalate", STRONG, (300, 90))
OPINIONS = (
    call("triage", "triage", "tinyllama", (60, 10)),
    call("evaluator", "evaluate", "llama3", (70, 20)),
)
NEEDED_TOKENS = 150 + 280 + 190 + 70 + 90


def ended(*calls: CallState, strongest: str = STRONG) -> Savings:
    return reckon(calls, strongest, ended=True)


def test_a_run_that_needed_no_mending_saves_all_of_it() -> None:
    found = ended(PLAN, CODE, TESTS, *OPINIONS)
    assert (found.estimate, found.used, found.saved) == (NEEDED_TOKENS, 0, NEEDED_TOKENS)
    assert "Saved about 780 tokens of qwen2.5-coder:14b (100 %)" in summary(found)


def test_a_mend_by_the_strongest_counts_against_it() -> None:
    found = ended(PLAN, CODE, TESTS, MEND, *OPINIONS)
    assert (found.estimate, found.used, found.saved) == (780, 390, 390)
    assert found.strongest == (STRONG,)
    assert [use.model for use in found.uses if use.strong] == [STRONG]


def test_many_mends_use_more_than_the_strongest_alone() -> None:
    found = ended(PLAN, CODE, TESTS, MEND, MEND, MEND, *OPINIONS)
    assert found.saved == 780 - 3 * 390
    assert summary(found) == (
        "Used 390 tokens more than qwen2.5-coder:14b alone would have: 1,170 against about 780."
    )


def test_what_the_strongest_does_in_other_roles_counts_too() -> None:
    plan = replace(PLAN, model=STRONG)
    assert ended(plan, CODE, TESTS).used == 150


def test_one_name_with_and_without_latest_is_one_model() -> None:
    plan = replace(PLAN, model="codellama:latest")
    found = ended(plan, CODE, strongest="Codellama")
    assert found.why == "one_model"
    assert [row.use.model for row in by_model(found.uses)] == ["codellama"]


def test_one_model_for_everything_saves_nothing_to_speak_of() -> None:
    found = ended(*(replace(one, model=STRONG) for one in (PLAN, CODE, TESTS, MEND)))
    assert (found.why, found.estimate, found.saved) == ("one_model", None, None)
    assert summary(found) == "One model did all of it, so there is nothing to compare."


def test_whoever_answers_in_the_escalation_role_is_the_strongest() -> None:
    """The configured model was down, and another stood in for it."""
    stood_in = replace(MEND, model="qwen2.5-coder-1.5b-instruct")
    assert ended(PLAN, CODE, stood_in).strongest == ("qwen2.5-coder-1.5b-instruct",)


def test_a_cut_off_reply_is_not_what_the_strongest_would_have_needed() -> None:
    cut = replace(CODE, finish_reason="length", tokens_out=1)
    assert ended(PLAN, cut, CODE, TESTS).estimate == 150 + 280 + 190
    assert ended(PLAN, cut, TESTS).estimate == 150 + 201 + 190  # all there is to go by


def test_further_drafts_are_not_what_the_strongest_would_have_needed() -> None:
    draft = call("escalation", "code", STRONG, (210, 95))
    assert ended(PLAN, CODE, TESTS, draft).saved == 150 + 280 + 190 - 305


def test_a_server_without_counts_gives_no_estimate_and_no_zero() -> None:
    found = ended(PLAN, replace(CODE, tokens_in=0, tokens_out=0), TESTS)
    assert (found.why, found.saved) == ("tokens_unknown", None)
    weak = next(use for use in found.uses if use.model == WEAK)
    assert (weak.uncounted, weak.calls) == (1, 2)
    assert "  codellama: 150+ read, 40+ written (generator)" in report(found)
    assert missing(found.uses).startswith("1 request gave no full token count")


def test_half_a_count_is_not_a_count() -> None:
    assert ended(PLAN, replace(CODE, tokens_in=0), TESTS).why == "tokens_unknown"


def test_a_stopped_call_of_the_strongest_makes_the_saving_an_upper_bound() -> None:
    stopped = replace(MEND, status="failed", tokens_in=0, tokens_out=0)
    found = ended(PLAN, CODE, TESTS, MEND, stopped)
    assert (found.used, found.at_most, found.saved) == (390, True, 230)
    assert summary(found).startswith("Saved at most 230 tokens")
    only = ended(PLAN, CODE, TESTS, stopped)
    assert (only.at_most, only.saved) == (True, 620)
    assert "it used only what its stopped requests took, uncounted; alone" in summary(only)


def test_an_answer_of_the_strongest_without_a_count_gives_no_estimate() -> None:
    found = ended(PLAN, CODE, TESTS, MEND, replace(MEND, tokens_in=0, tokens_out=0))
    assert (found.why, found.saved) == ("tokens_unknown", None)


def test_a_server_that_was_never_reached_read_nothing() -> None:
    refused = replace(CODE, failures=call("generator", "code", WEAK, failed=("refused",)).failures)
    began = replace(CODE, failures=call("generator", "code", WEAK, failed=("cut",)).failures)
    assert [use.uncounted for use in ended(refused).uses] == [0]
    assert [use.uncounted for use in ended(began).uses] == [1]


@pytest.mark.parametrize(
    ("error", "uncounted"), [("refused", 0), ("model_missing", 0), ("first_byte_timeout", 1)]
)
def test_a_call_that_failed_everywhere(error: str, uncounted: int) -> None:
    lost = call("generator", "code", WEAK, status="failed", failed=(error,))
    lost = replace(lost, endpoint=lost.failures[-1].endpoint)
    assert [use.uncounted for use in ended(lost).uses] == [uncounted]


def test_a_run_under_way_has_tokens_and_no_estimate() -> None:
    running = replace(CODE, status="running", tokens_in=0, tokens_out=0)
    found = reckon((PLAN, running), "", ended=False)
    assert (found.why, found.estimate) == ("under_way", None)
    assert found.uses == (
        Use(model="llama3", role="overseer", calls=1, tokens_in=100, tokens_out=50),
    )


def test_a_run_that_reached_nobody() -> None:
    asked = replace(PLAN, model="", endpoint="", status="failed", tokens_in=0, tokens_out=0)
    found = ended(asked)
    assert (found.uses, found.why, report(found)) == ((), "nothing_answered", ())


def test_an_old_run_that_did_not_note_its_strongest_model() -> None:
    assert ended(PLAN, CODE, strongest="").why == "strongest_unknown"
    assert ended(PLAN, CODE, MEND, strongest="").saved == 430 - 390


def test_the_words_for_counts_and_sums() -> None:
    assert [count(1234, 0), count(1234, 2), count(0, 1)] == ["1,234", "1,234+", "unknown"]
    assert headline(10, 10, at_most=False, model="m").startswith("Saved nothing")
    assert "at least 5 tokens more" in headline(10, 15, at_most=True, model="m")
    assert any("below zero" in sentence for sentence in HOW)


PURPOSES = (*NEEDED, "escalate", "another")
MODELS = ("a", "b:7b", "A:latest", "")
CALLS = st.lists(
    st.builds(
        call,
        role=st.sampled_from(get_args(ev.Role)),
        purpose=st.sampled_from(PURPOSES),
        model=st.sampled_from(MODELS),
        tokens=st.tuples(st.integers(0, 900), st.integers(0, 900)),
        status=st.sampled_from(["running", "done", "failed", "interrupted"]),
        finish=st.sampled_from(["stop", "length"]),
        failed=st.lists(st.sampled_from(["refused", "cut"]), max_size=2).map(tuple),
    ).map(lambda c: c if c.status == "done" else replace(c, tokens_in=0, tokens_out=0)),
    max_size=12,
)


@given(CALLS, st.sampled_from(MODELS))
def test_no_token_is_lost_or_made_up(calls: list[CallState], strongest: str) -> None:
    found = reckon(calls, strongest, ended=True)
    asked = [c for c in calls if c.model and c.status != "running"]
    assert sum(use.tokens for use in found.uses) == sum(c.tokens_in + c.tokens_out for c in asked)
    assert sum(use.calls for use in found.uses) == len(asked)
    assert found.used == sum(use.tokens for use in found.uses if use.strong)
    assert (found.estimate is None) == (found.why != "")
    if found.estimate is not None:
        assert 0 < found.estimate <= sum(use.tokens for use in found.uses)
    without = [c for c in asked if c.status == "done" and not (c.tokens_in and c.tokens_out)]
    assert sum(use.uncounted for use in found.uses) >= len(without)
    assert summary(found)


@given(CALLS, st.sampled_from(["escalate", "another"]), st.integers(1, 999))
def test_a_further_call_of_the_strongest_costs_its_tokens_and_a_weak_one_nothing(
    calls: list[CallState], purpose: str, tokens: int
) -> None:
    before = reckon(calls, "a", ended=True)
    if before.saved is None or before.strongest != ("a",):
        return
    strong = call("escalation", purpose, "a", (tokens, 1))
    weak = call("generator", purpose, "weak", (tokens, 1))
    assert reckon([*calls, strong], "a", ended=True).saved == before.saved - tokens - 1
    assert reckon([*calls, weak], "a", ended=True).saved == before.saved


@given(CALLS, CALLS)
def test_calls_under_way_change_nothing(calls: list[CallState], others: list[CallState]) -> None:
    running = [replace(c, status="running") for c in others]
    assert reckon([*calls, *running], "a", ended=True) == reckon(calls, "a", ended=True)

"""The stages of opinion: triage, then the evaluator. Neither overrules an executed test."""

from __future__ import annotations

from collections.abc import Callable

from core.ask import StepFailed
from core.context import Context
from core.events import Role, Score, ScoreGiven, TriageGiven
from core.packet import judged_code, judged_output
from core.prompts import render
from core.replies import extract_scores, extract_verdict
from core.verdict import best_candidate


def judge(context: Context) -> None:
    """Ask for both opinions on the best candidate; a model that can't be had stops nothing."""
    state = context.state()
    best = best_candidate(state)
    shown = {
        "goal": state.goal,
        "code": judged_code(best.code, state.goal),
        "output": judged_output(best, state.cases),
    }
    with context.writer.stage("triage"):
        text, fault = _opinion(context, "triage", "triage", lambda: render("triage", **shown), 60)
        passed, reason = extract_verdict(text) if not fault else (None, fault)
        context.writer.write(TriageGiven(passed=passed, reason=reason), key="triage")
    with context.writer.stage("evaluate"):
        text, fault = _opinion(
            context, "evaluate", "evaluator", lambda: render("evaluate", **shown), 160
        )
        none: tuple[Score, ...] = ()
        scores, reason = extract_scores(text) if not fault else (none, fault)
        context.writer.write(ScoreGiven(scores=scores, reason=reason), key="score")


def _opinion(
    context: Context, name: str, role: Role, prompt: Callable[[], str], max_tokens: int
) -> tuple[str, str]:
    """The model's text and '', or '' and why there is none."""
    try:
        answer = context.ask(name, role, prompt, temperature=0.0, max_tokens=max_tokens)
    except StepFailed as error:
        return "", f"No answer: {error.message}"
    return answer.text, ""

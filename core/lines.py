"""A run on the terminal: one event, at most a few plain lines."""

from __future__ import annotations

from core import events as ev
from core.sandbox.names import size


def lines(event: ev.Event) -> tuple[str, ...]:
    """What the terminal shows for this event; most kinds that repeat show nothing."""
    match event.payload:
        case ev.RunStarted() as p:
            files = ", ".join(f"{file.name} ({size(file.size_bytes)})" for file in p.files)
            first = (f"Run {event.run_id} (sandbox: {p.rung})", f"Goal: {_short(p.goal)}")
            return (*first, f"Files: {files}") if files else first
        case ev.RunResumed():
            return ("Taken up again at its last finished step",)
        case ev.PackagesAwaited() as p:
            return (f"Waiting for packages: {', '.join(p.wanted)}...",)
        case ev.PackagesOffered() as p:
            if p.problem:
                return (f"✗ No packages: {_short(p.problem, 600)}",)
            return (f"Packages: {', '.join(p.packages)}",)
        case ev.ToolsFound() as p:
            return (f"Tools: {', '.join(p.names) or 'none'} ({p.why})",)
        case ev.CallQueued() as p:
            return (f"{p.role}: waiting for a free endpoint (place {p.position} in the queue)...",)
        case ev.RequestSent() as p:
            return (f"{p.role}: asking {p.model} at {p.endpoint}...",)
        case ev.EndpointFailed() as p:
            return (f"✗ {p.role}: {p.endpoint} failed: {p.message}",)
        case ev.CallFailed() as p:
            return (f"✗ {_short(p.message)}",)
        case ev.ReplyReceived() as p:
            return (f"✓ {p.tokens_out} tokens in {p.seconds:.1f} s",)
        case ev.StrategyWritten() as p:
            return (f"✓ Strategy received: {p.signature or p.name}",)
        case ev.TestsWritten() as p:
            yours = sum(case.is_yours and case.counts for case in p.cases)
            return (f"✓ {len(p.cases)} test cases, {yours} of them yours",)
        case ev.CandidateWritten() as p:
            return (f"✓ Code written: candidate {p.candidate}",)
        case ev.ExecutionFinished() as p:
            return _execution(p)
        case ev.EscalationStarted() as p:
            return (f"Escalation attempt {p.attempt}/{p.of} using {p.model}...",)
        case ev.EscalationEnded() as p:
            return (p.reason,)
        case ev.CandidateRolledBack() as p:
            return (f"Rolled back to {p.kept}: {p.reason}",)
        case ev.CandidateBroke() as p:
            return (f"✗ {p.candidate} breaks off on {_short(p.call)}: {_short(p.error)}",)
        case ev.TriageGiven() as p:
            opinion = {True: "PASS", False: "FAIL", None: "no opinion"}[p.passed]
            return (f"Triage: {opinion} {_short(p.reason)}",)
        case ev.ScoreGiven() as p:
            scores = ", ".join(f"{score.name} {score.value}/10" for score in p.scores)
            return (f"Evaluation: {scores or _short(p.reason) or 'none'}",)
        case ev.SkillSaved() as p:
            return (f"Kept as skill {p.name}",)
        case ev.SkillWithdrawn() as p:
            return (f"Skill {p.name} is offered no longer: {p.reason}",)
        case ev.CaseAnswered() as p:
            return (f"You on case {p.case}: {p.answer} {_short(p.source)}".rstrip(),)
        case ev.AnswersAwaited() as p:
            return (f"Waiting up to {p.limit_s:.0f} s for your answers about the cases...",)
        case ev.WaitSkipped():
            return ("Going on without further answers",)
        case ev.AnswersWeighed() as p:
            return tuple(line for ran in p.executions for line in _execution(ran))
        case ev.CancelRequested():
            return ("Stopping...",)
        case ev.RunFinished() | ev.VerdictRevised() as p:
            code = ("", p.code.rstrip("\n"), "") if p.code else ()
            sign = {"passed": "✓", "unconfirmed": "?"}.get(p.outcome, "✗")
            return (*code, f"{sign} {p.outcome}: {p.reason}")
        case ev.StageStarted() | ev.StageFinished() | ev.PromptWritten() | ev.TokensArrived():
            return ()


def _execution(p: ev.ExecutionFinished) -> tuple[str, ...]:
    passed = sum(result.result == "passed" for result in p.cases)
    sign = "✓" if p.status == "passed" else "✗"
    first = f"{sign} Tests {p.status}: {passed} of {len(p.cases)} cases in {p.seconds:.2f} s"
    bad = [f"  {r.id}: {_short(r.message)}" for r in p.cases if r.message]
    return (first, *([f"  {_short(p.message)}"] if p.message else []), *bad[:5])


def _short(text: str, limit: int = 200) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"

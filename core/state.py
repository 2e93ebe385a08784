"""Everything that is known of a run, folded from its events.

`apply` is the one place where a run's state changes. ALLOWED says which events a phase admits;
anything else raises IllegalEvent and leaves the state alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from enum import Enum
from typing import get_args

from typing_extensions import assert_never

from core import events as ev
from core.answered import in_force, judged, must_execute, with_results
from core.errors import IllegalEvent


class Phase(Enum):
    """Where a run stands."""

    NEW = "new"
    RUNNING = "running"
    CANCELLING = "cancelling"
    FINISHED = "finished"


_ALL = frozenset(get_args(ev.Payload))
ALLOWED: dict[Phase, frozenset[type]] = {
    Phase.NEW: frozenset({ev.RunStarted}),
    Phase.RUNNING: _ALL - {ev.RunStarted} - ev.ONLY_AFTER_END,
    Phase.CANCELLING: _ALL - {ev.RunStarted, ev.CancelRequested} - ev.ONLY_AFTER_END,
    Phase.FINISHED: ev.AFTER_END,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StageState:
    """A stage that began: `seconds` is None while it runs."""

    stage: ev.Stage
    started_at: float
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallState:
    """One question to a model: `status` is running, done, failed or interrupted.

    `queued` is its place in the queue for an endpoint when it began to wait, 0 while it doesn't.
    """

    call: str
    role: ev.Role
    purpose: str
    prompt: str
    started_at: float
    status: str = "running"
    queued: int = 0
    model: str = ""
    endpoint: str = ""
    context_size: int = 0
    prompt_tokens_estimated: int = 0
    text: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    first_token_s: float = 0.0
    seconds: float = 0.0
    finish_reason: str = ""
    error: str = ""
    message: str = ""
    failures: tuple[ev.EndpointFailed, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateState:
    """A version of the code and what happened when it ran; `execution` is None before.

    `executed` is its last execution as it was, `execution` the same with the cases that count now:
    they differ once answers of the user count. `known` is the newest result of each case that it
    was ever given.
    """

    candidate: str
    attempt: int
    code: str
    model: str
    endpoint: str
    execution: ev.ExecutionFinished | None = None
    rolled_back: str = ""
    executed: ev.ExecutionFinished | None = None
    known: tuple[ev.CaseResult, ...] = ()
    broke: ev.CandidateBroke | None = None

    @property
    def passes(self) -> bool:
        """Whether it was executed and passed every case that it was given."""
        return self.execution is not None and self.execution.status == "passed"

    @property
    def is_fresh(self) -> bool:
        """Whether it was written from the goal alone, without a look at an earlier one."""
        return self.attempt == 0 and not self.candidate.startswith("r")

    @property
    def passed_ids(self) -> frozenset[str]:
        """The cases it passed."""
        ran = self.execution.cases if self.execution else ()
        return frozenset(result.id for result in ran if result.result == "passed")

    @property
    def passed(self) -> int:
        """How many cases it passed."""
        return len(self.passed_ids)

    @property
    def total(self) -> int:
        """How many cases it was given."""
        return 0 if self.execution is None else len(self.execution.cases)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    """A run as of event `seq` (-1: no event yet). Times are Unix seconds.

    The first `weighed` of the `answers` count. `waiting` is set while the run waits for more of
    them, since `waiting_since`. `finished` is the verdict as last revised, `ended_as` the outcome
    that the run itself came to, with the candidate `ended_on`.
    """

    run_id: str
    seq: int = -1
    phase: Phase = Phase.NEW
    goal: str = ""
    rung: str = ""
    config_digest: str = ""
    started_at: float = 0.0
    finished_at: float | None = None
    resumed: int = 0
    files: tuple[ev.InputFile, ...] = ()
    packages: ev.PackagesOffered | None = None
    packages_awaited: tuple[str, ...] = ()
    stages: tuple[StageState, ...] = ()
    tools: tuple[str, ...] = ()
    tools_why: str = ""
    strategy: str = ""
    name: str = ""
    signature: str = ""
    cases: tuple[ev.Case, ...] = ()
    candidates: tuple[CandidateState, ...] = ()
    escalations: tuple[ev.EscalationStarted, ...] = ()
    escalation_ended: str = ""
    calls: tuple[CallState, ...] = ()
    triage: ev.TriageGiven | None = None
    score: ev.ScoreGiven | None = None
    skill: str = ""
    finished: ev.RunFinished | None = None
    wait_for_answers: bool = False
    answers: tuple[ev.CaseAnswered, ...] = ()
    weighed: int = 0
    waiting: ev.AnswersAwaited | None = None
    waiting_since: float = 0.0
    wait_skipped: bool = False
    withdrawn: ev.SkillWithdrawn | None = None
    ended_as: ev.Outcome | None = None
    ended_on: str = ""

    @property
    def vouched(self) -> bool:
        """Whether the user has called a case right; a "no" says nothing for the code."""
        return any(case.confirmed or case.is_by_answer for case in self.counted)

    @property
    def counted(self) -> tuple[ev.Case, ...]:
        """The cases that have a say in the verdict."""
        return tuple(case for case in self.cases if case.counts)

    @property
    def outcome(self) -> ev.Outcome | None:
        """How it ended; None while it is under way."""
        return self.finished.outcome if self.finished else None

    @property
    def code(self) -> str:
        """The final code, or before that the newest candidate's."""
        if self.finished:
            return self.finished.code
        return self.candidates[-1].code if self.candidates else ""

    def candidate(self, candidate: str) -> CandidateState | None:
        """The candidate of this id."""
        return next((c for c in self.candidates if c.candidate == candidate), None)

    def case(self, case: str) -> ev.Case | None:
        """The case of this id."""
        return next((c for c in self.cases if c.id == case), None)

    def answer(self, case: str) -> ev.CaseAnswered | None:
        """The user's last answer about this case, whether it counts yet or not."""
        return next((a for a in reversed(self.answers) if a.case == case), None)

    def call(self, call: str) -> CallState | None:
        """The call of this id."""
        return next((c for c in self.calls if c.call == call), None)


def fold(events: Iterable[ev.Event], start: RunState | None = None) -> RunState:
    """All events applied in order, to `start` or to a new run; an empty log needs a `start`."""
    state = start
    for event in events:
        state = apply(state or RunState(run_id=event.run_id), event)
    if state is None:
        raise ValueError("nothing to fold: no events and no state to start from")
    return state


def calls_of(events: Iterable[ev.Event]) -> tuple[CallState, ...]:
    """A run's calls alone; `events` in order, and only those that tell of calls are needed."""
    calls: tuple[CallState, ...] = ()
    for event in events:
        if isinstance(event.payload, ev.RunResumed | ev.RunFinished):
            calls = _interrupted(calls)
        elif isinstance(event.payload, _CallPayload):
            calls = _calls_changed(calls, event.payload, event.at)
    return calls


def apply(state: RunState, event: ev.Event) -> RunState:
    """The state after one more event; IllegalEvent when its phase or its place forbids it."""
    _check(state, event)
    return replace(_changed(state, event), seq=event.seq)


def passed_over(state: RunState, event: ev.Event) -> RunState:
    """The state of who takes no notice of this event yet; IllegalEvent as `apply`."""
    _check(state, event)
    return replace(state, seq=event.seq)


def _check(state: RunState, event: ev.Event) -> None:
    if type(event.payload) not in ALLOWED[state.phase] or event.seq != state.seq + 1:
        raise IllegalEvent(state.phase.value, f"{event.kind} (seq {event.seq})")


def _changed(state: RunState, event: ev.Event) -> RunState:
    at = event.at
    match event.payload:
        case ev.RunStarted() as p:
            return replace(
                state,
                phase=Phase.RUNNING,
                goal=p.goal,
                rung=p.rung,
                config_digest=p.config_digest,
                files=p.files,
                wait_for_answers=p.wait_for_answers,
                started_at=at,
            )
        case ev.RunResumed() as p:
            return replace(state, resumed=p.times, calls=_interrupted(state.calls))
        case ev.PackagesAwaited() as p:
            return replace(state, packages_awaited=p.wanted)
        case ev.PackagesOffered() as p:
            return replace(state, packages=p, packages_awaited=())
        case ev.StageStarted() as p:
            stages = _stage_started(state.stages, p.stage, at)
            return replace(state, stages=stages, waiting=None)
        case ev.StageFinished() as p:
            stages = tuple(
                replace(s, seconds=p.seconds) if s.stage == p.stage else s for s in state.stages
            )
            return replace(state, stages=stages)
        case ev.ToolsFound() as p:
            return replace(state, tools=p.names, tools_why=p.why)
        case ev.StrategyWritten() as p:
            return replace(state, strategy=p.text, name=p.name, signature=p.signature)
        case ev.TestsWritten() as p:
            return _judged_again(replace(state, cases=p.cases))
        case ev.CandidateWritten() as p:
            written = CandidateState(
                candidate=p.candidate,
                attempt=p.attempt,
                code=p.code,
                model=p.model,
                endpoint=p.endpoint,
            )
            return replace(state, candidates=(*state.candidates, written))
        case ev.ExecutionFinished() as p:
            return _judged_again(_candidate_changed(state, p.candidate, execution=p))
        case ev.CandidateRolledBack() as p:
            return _candidate_changed(state, p.candidate, rolled_back=p.reason)
        case ev.CandidateBroke() as p:
            return _candidate_changed(state, p.candidate, broke=p)
        case ev.EscalationStarted() as p:
            return replace(state, escalations=(*state.escalations, p))
        case ev.EscalationEnded() as p:
            return replace(state, escalation_ended=p.reason)
        case ev.TriageGiven() as p:
            return replace(state, triage=p)
        case ev.ScoreGiven() as p:
            return replace(state, score=p)
        case ev.SkillSaved() as p:
            return replace(state, skill=p.name, withdrawn=None)
        case ev.SkillWithdrawn() as p:
            return replace(state, withdrawn=p)
        case ev.CaseAnswered() as p:
            return replace(state, answers=(*state.answers, p))
        case ev.AnswersWeighed() as p:
            for execution in p.executions:
                state = _candidate_changed(state, execution.candidate, execution=execution)
            return _judged_again(replace(state, weighed=max(p.answers, state.weighed)))
        case ev.AnswersAwaited() as p:
            return replace(state, waiting=p, waiting_since=at)
        case ev.WaitSkipped():
            return replace(state, waiting=None, wait_skipped=True)
        case ev.CancelRequested():
            return replace(state, phase=Phase.CANCELLING, waiting=None)
        case ev.RunFinished() as p:
            return replace(
                state,
                phase=Phase.FINISHED,
                finished=p,
                finished_at=at,
                ended_as=p.outcome,
                ended_on=p.candidate,
                waiting=None,
                calls=_interrupted(state.calls),
            )
        case ev.VerdictRevised() as p:
            values = {field.name: getattr(p, field.name) for field in fields(p)}
            return replace(
                state, finished=replace(state.finished or ev.RunFinished(**values), **values)
            )
        case (
            ev.PromptWritten()
            | ev.CallQueued()
            | ev.RequestSent()
            | ev.TokensArrived()
            | ev.EndpointFailed()
            | ev.ReplyReceived()
            | ev.CallFailed() as p
        ):
            return replace(state, calls=_calls_changed(state.calls, p, at))
        case _ as unknown:
            assert_never(unknown)


def _interrupted(calls: tuple[CallState, ...]) -> tuple[CallState, ...]:
    return tuple(
        replace(c, status="interrupted", queued=0) if c.status == "running" else c for c in calls
    )


def _stage_started(
    stages: tuple[StageState, ...], stage: ev.Stage, at: float
) -> tuple[StageState, ...]:
    """A stage that starts again (each attempt executes) counts on from its first start."""
    if any(s.stage == stage for s in stages):
        return tuple(replace(s, seconds=None) if s.stage == stage else s for s in stages)
    return (*stages, StageState(stage=stage, started_at=at))


def _candidate_changed(
    state: RunState,
    candidate: str,
    *,
    execution: ev.ExecutionFinished | None = None,
    rolled_back: str = "",
    broke: ev.CandidateBroke | None = None,
) -> RunState:
    def change(c: CandidateState) -> CandidateState:
        if c.candidate != candidate:
            return c
        return replace(
            c,
            execution=execution or c.execution,
            rolled_back=rolled_back or c.rolled_back,
            broke=broke or c.broke,
            executed=execution or c.executed,
            known=with_results(c.known, execution.cases) if execution else c.known,
        )

    return replace(state, candidates=tuple(change(c) for c in state.candidates))


def _judged_again(state: RunState) -> RunState:
    """With the answers that count put upon the suite, and the suite upon the candidates."""
    if not state.weighed:
        return state
    cases = in_force(state.cases, state.answers[: state.weighed])
    candidates = tuple(
        replace(c, execution=judged(c.executed, c.known, cases)) if c.executed else c
        for c in state.candidates
    )
    return replace(state, cases=cases, candidates=candidates)


_CallPayload = (
    ev.PromptWritten
    | ev.CallQueued
    | ev.RequestSent
    | ev.TokensArrived
    | ev.EndpointFailed
    | ev.ReplyReceived
    | ev.CallFailed
)


def _calls_changed(
    calls: tuple[CallState, ...], payload: _CallPayload, at: float
) -> tuple[CallState, ...]:
    if isinstance(payload, ev.PromptWritten):
        new = CallState(
            call=payload.call,
            role=payload.role,
            purpose=payload.purpose,
            prompt=payload.text,
            started_at=at,
        )
        return (*calls, new)
    return tuple(_call(c, payload) if c.call == payload.call else c for c in calls)


def _call(
    call: CallState,
    payload: ev.CallQueued
    | ev.RequestSent
    | ev.TokensArrived
    | ev.EndpointFailed
    | ev.ReplyReceived
    | ev.CallFailed,
) -> CallState:
    match payload:
        case ev.CallQueued() as p:
            return replace(call, queued=p.position)
        case ev.RequestSent() as p:
            return replace(
                call,
                queued=0,
                model=p.model,
                endpoint=p.endpoint,
                context_size=p.context_size,
                prompt_tokens_estimated=p.prompt_tokens_estimated,
                text="",
            )
        case ev.TokensArrived() as p:
            return replace(call, text=call.text + p.text)
        case ev.EndpointFailed() as p:
            return replace(call, failures=(*call.failures, p))
        case ev.ReplyReceived() as p:
            return replace(
                call,
                status="done",
                tokens_in=p.tokens_in,
                tokens_out=p.tokens_out,
                first_token_s=p.first_token_s,
                seconds=p.seconds,
                finish_reason=p.finish_reason,
            )
        case ev.CallFailed() as p:
            return replace(call, status="failed", queued=0, error=p.error, message=p.message)


def unweighed(state: RunState) -> bool:
    """Whether the user's answers ask for work: an execution, or a verdict that rests on them.

    True from an answer to its AnswersWeighed, and where a candidate was executed in between.
    """
    ended = state.finished
    if len(state.answers) > state.weighed:
        return True
    if ended and ended.outcome in ev.JUDGED and ended.answers < state.weighed:
        return True
    return bool(state.weighed) and any(lacking(c, state.cases) for c in state.candidates)


def lacking(candidate: CandidateState, cases: tuple[ev.Case, ...]) -> bool:
    """Whether the candidate ran, and must run again before these cases can judge it."""
    ran = candidate.executed
    return ran is not None and must_execute(ran, candidate.known, cases)

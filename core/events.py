"""The facts a run consists of. Frozen, past tense; never changed, only added to.

A payload is stored and sent as its `kind` (the class name) and a plain JSON object. Kinds may
gain fields with defaults; a field's meaning never changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import cattrs

Stage = Literal["tools", "strategy", "code", "tests", "execute", "escalate", "triage", "evaluate"]
Role = Literal["overseer", "generator", "evaluator", "triage", "escalation"]
Origin = Literal["yours", "generated"]
Result = Literal["passed", "failed", "error", "timeout", "not_run"]
Status = Literal["passed", "failed", "timeout", "memory", "output", "crash", "sandbox-error"]
Outcome = Literal["passed", "unconfirmed", "failed", "cancelled", "error"]
Doubt = Literal["", "alone", "differ", "constant", "breaks", "called"]
"""Why code that passes is unconfirmed.

No other program does the same; others do otherwise; it gives the same for every call; it breaks off
on calls like the cases'; a test calls it in a way that it doesn't take, and the goal doesn't say.
"""
Answer = Literal["yes", "no", "edit", "add"]

JUDGED: tuple[Outcome, ...] = ("passed", "unconfirmed", "failed")
"""The outcomes that rest on executed code.

`unconfirmed`: it passes, but a second opinion was sought in vain, or programs differ.
"""
STAGES: tuple[Stage, ...] = get_args(Stage)
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test case: `source` is Python statements that raise when the candidate is wrong.

    In the sandbox it may also be an expression, which passes whatever its value is.
    The candidate's names are in scope. `origin` is 'yours' for examples out of the user's goal and
    for what the user wrote on the run's page: in place of the case `instead_of`, or `added` to the
    suite. `confirmed` and `rejected` are the user's own word on a generated case; `rejected` an
    added one that was taken back. `voted`: it expects what several programs give.
    """

    id: str
    source: str
    origin: Origin
    disputed: bool = False
    confirmed: bool = False
    rejected: bool = False
    instead_of: str = ""
    voted: bool = False
    added: bool = False

    @property
    def is_yours(self) -> bool:
        """Whether the user wrote or confirmed it."""
        return self.origin == "yours" or self.confirmed

    @property
    def is_by_answer(self) -> bool:
        """Whether the user wrote it on the run's page, not in the goal."""
        return self.added or bool(self.instead_of)

    @property
    def in_doubt(self) -> bool:
        """Whether it is disputed and the user has not said otherwise."""
        return self.disputed and not self.confirmed

    @property
    def counts(self) -> bool:
        """Whether it has a say in the verdict."""
        return not self.rejected and not self.in_doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What one case did: `message` is the last line of its error, '' when it passed; of an
    expression that passed its value as Python source, '' if it is no literal or longer than 300.

    `seconds` is from start to end; `cpu_s` and `peak_bytes` are the candidate's process alone.
    """

    id: str
    result: Result
    message: str = ""
    seconds: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One of the evaluator's opinions: `value` from 0 (worst) to 10 (best)."""

    name: str
    value: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A file that came with a goal: `sha256` is hex, `head` a text's first lines ('' for others).

    Its content is kept beside the log.
    """

    name: str
    size_bytes: int
    sha256: str
    head: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A goal was taken on; `rung` names the sandbox that its code will run in.

    With `wait_for_answers` the run waits, before it ends, for the user's answers about its cases.
    """

    goal: str
    config_digest: str
    rung: str
    files: tuple[InputFile, ...] = ()
    wait_for_answers: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResumed:
    """The process that carried the run ended; another took it up at its last finished step."""

    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagesAwaited:
    """The run waits until these packages (requirement strings) are installed."""

    wanted: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagesOffered:
    """What the code may import besides the standard library, like "numpy 2.1.0"; `problem` says
    why it is nothing."""

    packages: tuple[str, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStarted:
    """A stage began."""

    stage: Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFinished:
    """A stage ended after `seconds` of wall time."""

    stage: Stage
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolsFound:
    """Skills of earlier runs that fit the goal, best first, and why they were offered."""

    names: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptWritten:
    """The whole text that a model is about to be asked, once per call.

    `begin`: how its reply is begun for it, where it is one that can go on from there.
    """

    call: str
    role: Role
    purpose: str
    text: str
    begin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallQueued:
    """A call waits: all its endpoints are full or busy. `position` is its place, 1 for the next."""

    call: str
    role: Role
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSent:
    """A call went to an endpoint; after a failover there is one of these for each endpoint tried.

    `prompt_tokens_estimated` and `context_size` are in tokens; 0 means the size is not known.
    """

    call: str
    role: Role
    model: str
    endpoint: str
    characters: int
    prompt_tokens_estimated: int
    context_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensArrived:
    """More of a reply's text, batched over 100 to 250 ms."""

    call: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFailed:
    """A request failed at this endpoint, which is passed over for `cooldown_s` seconds."""

    call: str
    role: Role
    endpoint: str
    error: str
    message: str
    cooldown_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyReceived:
    """A call's reply is complete. Token counts are the server's own; 0 when it gave none."""

    call: str
    tokens_in: int
    tokens_out: int
    first_token_s: float
    seconds: float
    finish_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFailed:
    """A call ended without a reply."""

    call: str
    error: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyWritten:
    """The plan; `name` is what the candidate must define, `signature` its def or class line."""

    text: str
    name: str
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TestsWritten:
    """The suite. A later one replaces an earlier one."""

    cases: tuple[Case, ...]
    __test__ = False  # pytest collects classes by name; this is not one of its


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateWritten:
    """One version of the code; attempt 0 is the generator's own."""

    candidate: str
    attempt: int
    code: str
    model: str
    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFinished:
    """What the sandbox saw. `peak_bytes` and `cpu_s` are the generated code's own."""

    candidate: str
    status: Status
    message: str
    cases: tuple[CaseResult, ...]
    stdout: str
    stderr: str
    seconds: float
    peak_bytes: int
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationStarted:
    """Attempt `attempt` (from 1) of `of` by the stronger model, because of `reason`.

    `kind` is a word of failures.Kind, '' in old logs. `afresh`: it is written from the goal alone,
    where a further patch would not help; else it mends.
    """

    attempt: int
    of: int
    model: str
    reason: str
    kind: str = ""
    afresh: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationEnded:
    """No further attempt is made, and why."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRolledBack:
    """A fix lost cases that `kept` passes, so the next attempt starts from `kept` again."""

    candidate: str
    kept: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateBroke:
    """On `call`, which is like those of the cases, the candidate breaks off with `error`."""

    candidate: str
    call: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TriageGiven:
    """The triage model's quick opinion; it overrules nothing. None: it gave no clear answer."""

    passed: bool | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreGiven:
    """The evaluator's opinion; advisory."""

    scores: tuple[Score, ...]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillSaved:
    """The verified solution is offered to later goals under this module name."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseAnswered:
    """The user's word on the case `case`: right, wrong, or `source` in its place; or a new case.

    `added` is the id of the case that an edit or "add" adds, '' otherwise; of "add" it is `case`. A
    later answer to the same case replaces an earlier one: "no" takes an added one back. Nothing
    counts differently until the next AnswersWeighed.
    """

    case: str
    answer: Answer
    source: str = ""
    added: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersWeighed:
    """The first `answers` answers of the run count from now on.

    `executions` are of all candidates that had to be executed again because of them.
    """

    answers: int
    executions: tuple[ExecutionFinished, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersAwaited:
    """The run waits up to `limit_s` seconds for the user's answers."""

    limit_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitSkipped:
    """The user wants the run to go on without further answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillWithdrawn:
    """The solution is offered to later goals no longer."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequested:
    """The user asked to stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """How it ended. `passed` of `total` cases of the best candidate; '' and 0 where none.

    It rests on the first `answers` answers of the user. `strongest`: the model that the escalation
    role had then, '' where it is not known. `doubt`: why it is unconfirmed, or would be without the
    user's word.
    """

    outcome: Outcome
    reason: str
    candidate: str = ""
    code: str = ""
    passed: int = 0
    total: int = 0
    strongest: str = ""
    answers: int = 0
    doubt: Doubt = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictRevised:
    """What the ended run's outcome is by the user's answers; the fields are RunFinished's."""

    outcome: Outcome
    reason: str
    candidate: str = ""
    code: str = ""
    passed: int = 0
    total: int = 0
    answers: int = 0


Payload: TypeAlias = (
    RunStarted
    | RunResumed
    | PackagesAwaited
    | PackagesOffered
    | StageStarted
    | StageFinished
    | ToolsFound
    | PromptWritten
    | CallQueued
    | RequestSent
    | TokensArrived
    | EndpointFailed
    | ReplyReceived
    | CallFailed
    | StrategyWritten
    | TestsWritten
    | CandidateWritten
    | ExecutionFinished
    | EscalationStarted
    | EscalationEnded
    | CandidateRolledBack
    | CandidateBroke
    | TriageGiven
    | ScoreGiven
    | SkillSaved
    | CaseAnswered
    | AnswersWeighed
    | AnswersAwaited
    | WaitSkipped
    | SkillWithdrawn
    | CancelRequested
    | RunFinished
    | VerdictRevised
)

# What may still be added to a run that has ended, and what only then.
AFTER_END: frozenset[type] = frozenset(
    {CaseAnswered, AnswersWeighed, VerdictRevised, SkillSaved, SkillWithdrawn}
)
ONLY_AFTER_END: frozenset[type] = frozenset({VerdictRevised})

KINDS: dict[str, type[Payload]] = {kind.__name__: kind for kind in get_args(Payload)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A payload with its place in its run: `seq` from 0 without gaps, `at` in Unix seconds."""

    run_id: str
    seq: int
    at: float
    payload: Payload

    @property
    def kind(self) -> str:
        """The payload's class name."""
        return type(self.payload).__name__


_converter = cattrs.Converter(forbid_extra_keys=False)


def payload_to_dict(payload: Payload) -> dict[str, Any]:
    """The payload as plain JSON values."""
    plain: dict[str, Any] = _converter.unstructure(payload)
    return plain


def payload_from_dict(kind: str, plain: dict[str, Any]) -> Payload:
    """The inverse of `payload_to_dict`; KeyError for an unknown kind."""
    payload: Payload = _converter.structure(plain, KINDS[kind])
    return payload


def event_to_dict(event: Event) -> dict[str, Any]:
    """The wire form: {"run_id", "seq", "at", "kind", "payload"}."""
    return {
        "run_id": event.run_id,
        "seq": event.seq,
        "at": event.at,
        "kind": event.kind,
        "payload": payload_to_dict(event.payload),
    }


def event_from_dict(plain: dict[str, Any]) -> Event:
    """The inverse of `event_to_dict`."""
    return Event(
        run_id=plain["run_id"],
        seq=plain["seq"],
        at=plain["at"],
        payload=payload_from_dict(plain["kind"], plain["payload"]),
    )

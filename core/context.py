"""What every stage of a run works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from core.ask import Answer, ask, recorded
from core.cancel import Cancel
from core.config import Config
from core.embedded import LARGE
from core.endpoints import Client
from core.errors import ModelAnswerError
from core.events import CandidateWritten, Role
from core.reading.begun import whole_reply
from core.reading.imports import with_imports
from core.reading.loops import repeats_itself
from core.reading.owntests import without_asserts
from core.reading.plans import goal_names
from core.replies import Plan, extract_code
from core.sandbox import Sandbox
from core.sandbox.packages import Packages
from core.state import RunState
from core.steps import Json, Steps
from core.tools import SkillLibrary
from core.writer import Writer

# A reply that was cut off is asked for again with this much more room, this often.
MORE_ROOM = 2
CUT_OFF_TRIES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the engine reaches the world through."""

    client: Client
    sandbox: Sandbox
    skills: SkillLibrary
    config: Callable[[], Config]
    packages: Packages = field(default_factory=lambda: Packages((), Path()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One run while its body or part is being executed."""

    writer: Writer
    ports: Ports
    steps: Steps

    def state(self) -> RunState:
        """The run as of now."""
        return self.writer.state()

    def plan(self) -> Plan:
        """The plan as the log has it."""
        state = self.state()
        return Plan(text=state.strategy, name=state.name, signature=state.signature)

    def plan_for(self, role: Role) -> str:
        """The plan's text for this role's prompts.

        Measured: one by the built-in model makes what it writes itself worse, so '' then.
        """
        return "" if self.is_builtin(role) else self.state().strategy

    def is_builtin(self, role: Role) -> bool:
        """Whether the small built-in model serves the role now, because nobody else does."""
        status = self.ports.client.status()
        return any(one.served_by_builtin for one in status if one.role == role)

    def strongest(self) -> str:
        """The model that the escalation role has now."""
        if self.is_builtin("escalation"):
            return LARGE.name
        return self.ports.config().role("escalation").model

    def recorded(self, name: str, work: Callable[[], Json]) -> Json:
        """Do `work` once in the run's life; see core.ask.recorded."""
        return recorded(self.writer, self.steps, name, work)

    def ask(
        self,
        name: str,
        role: Role,
        prompt: Callable[[], str],
        *,
        temperature: float,
        max_tokens: int,
        begin: Callable[[], str] = lambda: "",
        purpose: str = "",
        cancel: Cancel | None = None,
    ) -> Answer:
        """The role's answer, recorded as step `name`; see core.ask.ask.

        `cancel` None: until the run is stopped.
        """
        return ask(
            self.writer,
            self.steps,
            self.ports.client,
            name=name,
            role=role,
            purpose=purpose or name,
            prompt=prompt,
            begin=begin,
            temperature=temperature,
            max_tokens=max_tokens,
            cancel=cancel or self.writer.cancel,
        )

    def ask_code(
        self,
        name: str,
        role: Role,
        prompt: Callable[[], str],
        *,
        temperature: float,
        begin: Callable[[], str] = lambda: "",
        cancel: Cancel | None = None,
    ) -> tuple[Answer, str]:
        """An answer and the code in it, without tests of its own, with the imports that it lacks.

        One that was cut off, and not because it went on and on, is asked for again with more room.

        An answer without any code comes back as it is: executed, it fails, and says why.
        """
        wanted = self.plan().name
        room = self.ports.config().run.max_tokens
        for number in range(CUT_OFF_TRIES + 1):
            answer = self.ask(
                name if number == 0 else f"{name}-room-{number}",
                role,
                prompt,
                begin=begin,
                temperature=temperature,
                max_tokens=room * MORE_ROOM**number,
                purpose=name.split("-")[0],
                cancel=cancel,
            )
            text = whole_reply(answer.begun, answer.text, answer.finish_reason)
            try:
                found = extract_code(text, wanted, finish_reason=answer.finish_reason)
            except ModelAnswerError:
                return answer, text
            if not found.truncated or repeats_itself(answer.text):
                break
        own = goal_names(self.state().goal) | {wanted}
        return answer, with_imports(without_asserts(found.code), own)

    def write_candidate(self, attempt: int, answer: Answer, code: str, *, name: str = "") -> str:
        """Put a version of the code into the log; its id, 'c' and the attempt unless `name`d."""
        candidate = name or f"c{attempt}"
        self.writer.write(
            CandidateWritten(
                candidate=candidate,
                attempt=attempt,
                code=code,
                model=answer.model,
                endpoint=answer.endpoint,
            ),
            key=f"candidate:{candidate}",
        )
        return candidate

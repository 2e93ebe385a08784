"""A whole run's worth of model answers, by what is asked, and real services to carry it out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fake_ollama import FakeOllama, Reply

from core.durable import Durable
from core.executor import SERVER
from core.sandbox import Limits, Sandbox
from core.services import Services, open_services
from core.state import RunState, fold

MARKS = {
    "Does this code do what the goal asks?": "triage",
    "Rate this code from 0 to 10": "evaluate",
    "You plan small": "strategy",
    "Keep name and parameters. No tests": "code",
    "Write test cases": "tests",
    "The code below": "escalate",
}
GOOD = "def add(a, b):\n    return a + b\n"
BROKEN = "def add(a, b)  # Missing colon!\n    return a + b\n"
WRONG = "def add(a, b):\n    return a - b\n"


def fenced(code: str) -> str:
    return f"Here it is:\n\n```python\n{code}```\n"


def asked(body: dict[str, Any]) -> str:
    """What the model is asked; the reply that may have been begun for it is ignored here."""
    return str(next(one["content"] for one in body["messages"] if one["role"] == "user"))


Answer = str | Reply
Lines = Answer | Sequence[Answer]


@dataclass
class Play:
    """What each purpose is answered with; of a list the next each time, the last one repeats."""

    strategy: Lines = "SIGNATURE: def add(a, b):\nSTEPS:\n- return the sum\n"
    code: Lines = fenced(GOOD)
    tests: Lines = "```python\nassert add(2, 3) == 5\nassert add(-1, 1) == 0\n```"
    escalate: Lines = fenced(GOOD)
    triage: Lines = "PASS - it adds"
    evaluate: Lines = "Correctness: 9 - right\nClarity: 8 - short\nRobustness: 7 - fine"
    asked: list[str] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)

    def __call__(self, body: dict[str, Any]) -> Answer:
        prompt = asked(body)
        purpose = next(p for mark, p in MARKS.items() if mark in prompt)
        lines: Lines = getattr(self, purpose)
        turn = self.asked.count(purpose)
        self.asked.append(purpose)
        self.prompts.append(prompt)
        if isinstance(lines, str | Reply):
            return lines
        return lines[min(turn, len(lines) - 1)]

    def prompt(self, purpose: str, turn: int = 0) -> str:
        """The prompt of the turn-th time that it was asked for this."""
        which = [p for p, asked in zip(self.prompts, self.asked, strict=True) if asked == purpose]
        return which[turn]


CONFIG = """
ollama:
  base_url: "{url}"
  models:
    overseer: {{model: "llama3", endpoint: null}}
    generator:
      model: "codellama"
      endpoints: [{endpoints}]
    evaluator: {{model: "llama3", endpoint: null}}
    triage: {{model: "tinyllama", endpoint: null}}
    escalation: {{model: "qwen2.5-coder:14b", endpoint: null}}
embedded: off
data_dir: "{data_dir}"
{more}
"""


def write_config(folder: Path, *servers: FakeOllama, more: str = "") -> Path:
    """A configuration whose generator rotates over the servers; the first takes the other roles."""
    path = folder / "config.yaml"
    endpoints = ", ".join(f'"{server.url}"' for server in servers)
    text = CONFIG.format(
        url=servers[0].url, endpoints=endpoints, data_dir=folder / "data", more=more
    )
    path.write_text(text)
    return path


@cache
def shared_sandbox() -> Sandbox:
    """One for all tests: finding its rung runs attacks in it."""
    return Sandbox(Limits())


@cache
def _used_database() -> bytes:
    """The engine's database as an earlier start leaves it: DBOS looks for new queues only once a
    second, so that the first run ever waits for that."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "durable.db"
        Durable(
            path,
            executor_id=SERVER,
            parallel_runs=1,
            body=lambda run_id, steps: None,
            part=lambda run_id, name, steps: None,
        ).close()
        return path.read_bytes()


def used_data(folder: Path) -> None:
    """Make `folder` a data folder that was used before, unless it is one."""
    path = folder / "durable.db"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_used_database())


@contextmanager
def services(folder: Path, *servers: FakeOllama, more: str = "") -> Iterator[Services]:
    """Services over these servers; with a sandbox of their own where `more` is about it."""
    sandbox = None if "sandbox" in more else shared_sandbox()
    used_data(folder / "data")
    with open_services(write_config(folder, *servers, more=more), sandbox=sandbox) as opened:
        yield opened


def follow(
    services: Services,
    run_id: str,
    until: Callable[[RunState], object] = lambda state: state.outcome,
    timeout_s: float = 30.0,
) -> RunState:
    """The run's state as soon as `until` is true of it."""
    state = fold(services.log.since(run_id))
    while not until(state):
        events = services.log.wait(run_id, state.seq, timeout_s)
        assert events, f"nothing happened for {timeout_s} s; stages: {state.stages}"
        state = fold(events, state)
    return state


def carry_out(services: Services, goal: str) -> RunState:
    return follow(services, services.runs.start(goal))

"""The configuration as frozen values: what the rest of the program sees of config.yaml."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from core.config.endpoint import EndpointConfig, Strategy
from core.config.urls import Kind, normalise
from core.events import ROLES, Role

DEFAULT_BASE_URL = "http://localhost:11434"
DEFAULT_CONTEXT = 8192
DATA_DIR_NAME = ".codeevolver"

# A role that the file leaves out takes the entry of the first of these that the file has.
# Opinions come from the planner, code from the other role that writes code.
FALLBACKS: Mapping[Role, tuple[Role, ...]] = {
    "overseer": ("escalation", "generator", "evaluator", "triage"),
    "generator": ("escalation", "overseer", "evaluator", "triage"),
    "escalation": ("generator", "overseer", "evaluator", "triage"),
    "evaluator": ("overseer", "escalation", "generator", "triage"),
    "triage": ("overseer", "evaluator", "generator", "escalation"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleConfig:
    """A role's model and its endpoints in rotation order; never empty, no duplicates.

    `strategy` says whose turn it is: see core.endpoints.strategies.
    """

    model: str
    endpoints: tuple[EndpointConfig, ...]
    strategy: Strategy = "round_robin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Deadlines of one model call, in seconds: to connect, to the first byte, between two
    bytes, and for the whole call."""

    connect_s: float = 2.0
    first_byte_s: float = 300.0
    idle_s: float = 60.0
    total_s: float = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """What generated code may use; see config.yaml for each. `packages` are requirement strings
    without blanks, no package twice."""

    wall_s: float = 10.0
    case_s: float = 4.0
    cpu_s: int = 10
    memory_bytes: int = 512 * 1024 * 1024
    output_bytes: int = 1024 * 1024
    scratch_bytes: int = 64 * 1024 * 1024
    processes: int = 64
    files_bytes: int = 16 * 1024 * 1024
    files: int = 100
    packages: tuple[str, ...] = ()
    warm: bool = True
    allow_unsandboxed_code: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """`attempts` to mend a candidate (0: none), candidates written at the same time where endpoints
    are idle (1: no more than the first), drafts that the built-in model writes afresh before it is
    asked to mend (0: none), runs at a time, longest reply in tokens, size of all files that come
    with one goal, how long a run waits for answers if it was asked to."""

    attempts: int = 3
    candidates: int = 3
    builtin_drafts: int = 7
    parallel_runs: int = 4
    max_tokens: int = 1536
    input_files_bytes: int = 4 * 1024 * 1024
    answer_wait_s: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One immutable snapshot of the configuration.

    `models` has every role; `inherited` says which of them the file leaves out and whose entry
    they take. `num_ctx` maps a model to its context size in tokens and always has "default".
    `keep_alive` is Ollama's: a duration like "10m" or seconds, negative for ever, 0 not at all.
    `embedded_dir` None: the cache directory. `embedded_threads` None: all cores but one, on two
    cores both.
    `path` is the file it came from; `warnings` are sentences for the user.
    """

    base_url: str = DEFAULT_BASE_URL
    base_kind: Kind = "auto"
    models: Mapping[Role, RoleConfig]
    inherited: Mapping[Role, Role] = field(default_factory=dict)
    keep_alive: str | int = "10m"
    num_ctx: Mapping[str, int] = field(default_factory=lambda: {"default": DEFAULT_CONTEXT})
    embedded: Literal["auto", "off"] = "auto"
    embedded_dir: Path | None = None
    embedded_threads: int | None = None
    host: str = "127.0.0.1"
    port: int = 5000
    data_dir: Path = Path(DATA_DIR_NAME)
    timeouts: Timeouts = field(default_factory=Timeouts)
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    run: RunConfig = field(default_factory=RunConfig)
    path: Path | None = None
    warnings: tuple[str, ...] = ()

    def role(self, role: Role) -> RoleConfig:
        """The role's model and endpoints."""
        return self.models[role]

    def context_size(self, model: str) -> int:
        """Context size of `model` in tokens; `llama3` and `llama3:latest` are the same model."""
        for name in (model, model.removesuffix(":latest"), f"{model}:latest"):
            if name in self.num_ctx:
                return self.num_ctx[name]
        return self.num_ctx.get("default", DEFAULT_CONTEXT)

    @property
    def digest(self) -> str:
        """12 hex digits over all that shapes a run's result.

        Where things are (path, data_dir, host, port, embedded_dir) is not part of it: the same
        settings on two machines have the same digest. Nor is how an endpoint is reached and shared.
        """
        shapes_result = {
            "base": [self.base_url, self.base_kind],
            "models": {role: _shape(entry) for role, entry in self.models.items()},
            "keep_alive": self.keep_alive,
            "num_ctx": dict(self.num_ctx),
            "embedded": [self.embedded, self.embedded_threads],
            "timeouts": asdict(self.timeouts),
            "sandbox": asdict(self.sandbox),
            "run": asdict(self.run),
        }
        canonical = json.dumps(shapes_result, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    @classmethod
    def simple(
        cls,
        base_url: str = DEFAULT_BASE_URL,
        models: Mapping[Role, tuple[str, Sequence[str]]] | None = None,
        **overrides: Any,
    ) -> Config:
        """A configuration made in code: {role: (model, urls)}; no urls means `base_url`.

        Roles left out fall back as in a file; `models` None gives all of them "llama3".
        `overrides` are fields of Config. Raises core.config.urls.BadUrl for a bad URL.
        """
        given: dict[Role, RoleConfig] = {}
        for role, (model, urls) in (models or {"overseer": ("llama3", ())}).items():
            pairs = dict.fromkeys(normalise(url) for url in (urls or [base_url]))
            endpoints = tuple(EndpointConfig(url=url, kind=kind) for url, kind in pairs)
            given[role] = RoleConfig(model=model, endpoints=endpoints)
        every, inherited = with_fallbacks(given)
        base, kind = normalise(base_url)
        fields: dict[str, Any] = {"models": every, "inherited": inherited, **overrides}
        return cls(base_url=base, base_kind=kind, **fields)


def _shape(entry: RoleConfig) -> dict[str, Any]:
    endpoints = [{"url": one.url, "kind": one.kind} for one in entry.endpoints]
    return {"model": entry.model, "endpoints": endpoints}


def with_fallbacks(
    given: Mapping[Role, RoleConfig],
) -> tuple[dict[Role, RoleConfig], dict[Role, Role]]:
    """Every role's entry, and for each role that `given` lacks whose entry it takes.

    `given` must have at least one role.
    """
    inherited = {
        role: next(other for other in FALLBACKS[role] if other in given)
        for role in ROLES
        if role not in given
    }
    return {role: given[inherited.get(role, role)] for role in ROLES}, inherited

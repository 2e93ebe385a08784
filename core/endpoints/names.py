"""When two model names mean the same model."""

from __future__ import annotations

from collections.abc import Collection

_DEFAULTS = ("registry.ollama.ai/", "library/")


def canonical(name: str) -> str:
    """Lower case, default registry left out, tag spelled out."""
    name = name.strip().lower()
    for default in _DEFAULTS:
        name = name.removeprefix(default)
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def has_model(models: Collection[str], wanted: str) -> bool:
    """Whether `wanted` is among the names that a server lists."""
    return canonical(wanted) in {canonical(name) for name in models}

"""One role's new model and endpoints, as a change to the document that the user wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.config.model import Config, EndpointConfig
from core.config.problems import did_you_mean
from core.config.urls import normalise
from core.errors import BadInput
from core.events import ROLES, Role


def as_role(name: str) -> Role:
    """`name` as a role. Raises BadInput."""
    for role in ROLES:
        if role == name:
            return role
    raise BadInput("role", f"There is no role {name[:60]!r}. {did_you_mean(name, ROLES)}")


def with_role(
    document: dict[str, Any], config: Config, role: Role, wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """The document with the role's entry changed as little as possible.

    `config` is what `document` says; `wanted` has a good `model` and good `endpoints`.
    """
    ollama = dict(document["ollama"])
    models = dict(ollama["models"])
    old = models.get(role)
    entry = dict(old) if isinstance(old, dict) else {}
    before = entry.get("endpoints") or ([entry["endpoint"]] if "endpoint" in entry else [])
    base = EndpointConfig(url=config.base_url, kind=config.base_kind)
    urls = _rewritten(wanted["endpoints"], before, base)
    entry["model"] = wanted["model"]
    if entry.get("endpoints") or len(urls) > 1:
        entry["endpoints"] = urls or [None]
        entry.pop("endpoint", None)
    elif urls or "endpoint" in entry or not isinstance(old, dict):
        entry.pop("endpoints", None)
        entry["endpoint"] = urls[0] if urls else None
    models[role] = entry
    return {**document, "ollama": {**ollama, "models": models}}


def _rewritten(wanted: Sequence[str | None], before: list[Any], base: EndpointConfig) -> list[Any]:
    """The wanted endpoints without duplicates, each as it was written before, if it was."""
    written: dict[str, Any] = {}
    for item in before:
        written.setdefault(_canonical(item, base), item)
    new: dict[str, Any] = {}
    for item in wanted:
        url = _canonical(item, base)
        new.setdefault(url, written.get(url, item))
    if list(new) == [base.url] and base.url not in written:
        return [None]
    return list(new.values())


def _canonical(item: Any, base: EndpointConfig) -> str:
    if item is None:
        return base.url
    if isinstance(item, dict):
        return normalise(item["url"], item.get("kind") or "auto")[0]
    return normalise(item)[0]

"""One role's new model and endpoints, as a change to the document that the user wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.config.details import Details, detailed
from core.config.endpoint import EndpointConfig
from core.config.model import Config
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

    `config` is what `document` says; `wanted` has a good `model` and good `endpoints`, and may
    have the role's `strategy` and `details`, as many as endpoints, None where they stay.
    """
    ollama = dict(document["ollama"])
    models = dict(ollama["models"])
    old = models.get(role)
    entry = dict(old) if isinstance(old, dict) else {}
    base = EndpointConfig(url=config.base_url, kind=config.base_kind)
    before = _before(ollama, config, role)
    details = wanted.get("details") or [None] * len(wanted["endpoints"])
    urls = _rewritten(wanted["endpoints"], details, before, base, ollama.get("base_url"))
    entry["model"] = wanted["model"]
    if entry.get("endpoints") or len(urls) > 1:
        entry["endpoints"] = urls or [None]
        entry.pop("endpoint", None)
    elif urls or "endpoint" in entry or not isinstance(old, dict):
        entry.pop("endpoints", None)
        entry["endpoint"] = urls[0] if urls else None
    strategy = wanted.get("strategy")
    if strategy is not None and strategy != (entry.get("strategy") or "round_robin"):
        entry["strategy"] = strategy
    models[role] = entry
    return {**document, "ollama": {**ollama, "models": models}}


def named_files(document: Mapping[str, Any], config: Config, role: Role) -> dict[Path, str]:
    """The files with keys and certificates that the role's endpoints name, as the user wrote them.

    `config` is what `document` says.
    """
    ollama = document["ollama"]
    directory = config.path.parent if config.path else Path()
    written = [*_before(ollama, config, role), ollama.get("base_url")]
    entries = [entry for entry in written if isinstance(entry, dict)]
    auths = [entry.get("auth") for entry in entries]
    found = [auth.get("file") for auth in auths if isinstance(auth, dict)]
    files = [str(file) for file in (*found, *(entry.get("ca_file") for entry in entries)) if file]
    return {directory / Path(file).expanduser(): file for file in files}


def _before(ollama: Mapping[str, Any], config: Config, role: Role) -> list[Any]:
    models = ollama["models"]
    before = _written(models.get(role))
    if role in config.inherited:  # what it took from another, with all that it says
        before = _written(models.get(config.inherited[role]))
    if isinstance(ollama.get("base_url"), dict):  # only null says all that is said there
        before = [*before, None]
    return before


def _written(entry: Any) -> list[Any]:
    """A role's endpoints as the file has them."""
    if not isinstance(entry, dict):
        return []
    listed: list[Any] = entry.get("endpoints") or []
    return listed or ([entry["endpoint"]] if "endpoint" in entry else [])


def _rewritten(
    wanted: Sequence[str | None],
    details: Sequence[Details | None],
    before: list[Any],
    base: EndpointConfig,
    written_base: Any,
) -> list[Any]:
    """The wanted endpoints without duplicates, each as it was written before, if it was, with its
    details.

    One URL may have been written several times, each with another key: it goes by that, else the
    nth stays the nth.
    """
    written: dict[str, list[Any]] = {}
    for item in before:
        written.setdefault(_canonical(item, base), []).append(item)
    known, seen, new = set(written), set[str](), list[Any]()
    for item, one in zip(wanted, details, strict=True):
        url = _canonical(item, base)
        left = written.get(url)
        if left and (url not in seen or isinstance(left[0], dict)):
            item = left.pop(_twin(left, one))
        elif url in seen and not (one and one.has_key):
            continue
        new.append(item if one is None else detailed(item, one, written_base or base.url))
        seen.add(url)
    lone = seen == {base.url} and base.url not in known
    return [None] if lone and not any(isinstance(item, dict) for item in new) else new


def _twin(left: Sequence[Any], one: Details | None) -> int:
    """The place of the one that was written with that key; the first where there is none."""
    keys = [(item.get("auth") or {}) if isinstance(item, dict) else {} for item in left]
    wanted = {"env": one.key_env, "file": one.key_file} if one else {}
    for place, key in enumerate(keys):
        if one and all((key.get(name) or "") == wanted[name] for name in wanted):
            return place
    return 0


def _canonical(item: Any, base: EndpointConfig) -> str:
    if item is None:
        return base.url
    if isinstance(item, dict):
        return normalise(item["url"], item.get("kind") or "auto")[0]
    return normalise(item)[0]

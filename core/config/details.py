"""What a form says of an endpoint beside its URL, as a change to the entry that the user wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.config.endpoint import KEY_HEADER, MAX_INFLIGHT, EndpointConfig
from core.config.endpoint_headers import as_lines, as_mapping, of_lines, of_mapping

STATES = TAKES_CALLS, DRAIN, DISABLED = "on", "drain", "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """As typed: a text that is no number stays text, and is refused when it is read.

    `state` is one of the three words above. At most one of `key_env` and `key_file` may be set;
    both empty mean no key, and then `key_from` must be empty too; `key_unplaced` is the name of a
    key that was typed without saying whether it is a variable or a file. `key_type` is how it is
    sent, `key_header` the header for the type of that name, '' for the usual one. `headers` are
    lines like `X-Team: blue`. What else an entry says is not touched.
    """

    name: str = ""
    weight: int | str = 1
    max_inflight: int | str = MAX_INFLIGHT
    state: str = TAKES_CALLS
    key_env: str = ""
    key_file: str = ""
    key_from: str = ""
    key_unplaced: str = ""
    key_type: str = "bearer"
    key_header: str = ""
    headers: str = ""
    verify: bool = True
    ca_file: str = ""

    @property
    def has_key(self) -> bool:
        """Whether it names a place for a key."""
        return bool(self.key_env or self.key_file)


def of(endpoint: EndpointConfig, files: Mapping[Path, str]) -> Details:
    """An endpoint's details; `files` are paths as the user wrote them."""
    auth = endpoint.auth
    file = auth.file if auth else None
    return Details(
        name=endpoint.name,
        weight=endpoint.weight,
        max_inflight=endpoint.max_inflight,
        state=DISABLED if endpoint.disabled else DRAIN if endpoint.drain else TAKES_CALLS,
        key_env=auth.env if auth else "",
        key_file=_written(file, files),
        key_from="" if auth is None else "env" if auth.env else "file",
        key_type=auth.type if auth else "bearer",
        key_header=auth.name if auth and auth.type == "header" else "",
        headers=as_lines(endpoint.headers),
        verify=endpoint.verify,
        ca_file=_written(endpoint.ca_file, files),
    )


def detailed(item: Any, details: Details, base: Any) -> Any:
    """The entry `item` (a URL, a mapping, None for `base`) with these details in it.

    It stays as it is where it says them already, and a bare URL where there is nothing to say.
    """
    source = base if item is None else item
    before = source if isinstance(source, Mapping) else {"url": source}
    after = dict(before)
    for key, value, default in (
        ("name", details.name, ""),
        ("weight", details.weight, 1),
        ("max_inflight", details.max_inflight, MAX_INFLIGHT),
        ("drain", details.state == DRAIN, False),
        ("disabled", details.state == DISABLED, False),
        ("verify", details.verify, True),
        ("ca_file", details.ca_file, ""),
    ):
        _set(after, key, value, default)
    _set_key(after, details)
    _set_headers(after, details)
    return item if after == before else after


def _set(entry: dict[str, Any], key: str, value: Any, default: Any) -> None:
    if value != default:
        entry[key] = value
    elif entry.get(key) not in (None, default):
        del entry[key]


def _set_key(entry: dict[str, Any], details: Details) -> None:
    old = entry.get("auth")
    auth = dict(old) if isinstance(old, Mapping) else {}
    if not details.has_key:
        entry.pop("auth", None)
        return
    for place, text in (("env", details.key_env), ("file", details.key_file)):
        if text:
            auth[place] = text
        else:
            auth.pop(place, None)
    was_header = auth.get("type") == "header"
    _set(auth, "type", details.key_type, "bearer")
    if details.key_type == "header":
        _set(auth, "name", details.key_header or KEY_HEADER, KEY_HEADER)
    elif was_header:
        auth.pop("name", None)
    entry["auth"] = auth


def _set_headers(entry: dict[str, Any], details: Details) -> None:
    old = entry.get("headers")
    before = of_mapping(old) if isinstance(old, Mapping) else []
    after = of_lines(details.headers)
    if after and after != before:
        entry["headers"] = as_mapping(after)
    elif not after and before:
        del entry["headers"]


def _written(file: Path | None, files: Mapping[Path, str]) -> str:
    return files.get(file, str(file)) if file else ""

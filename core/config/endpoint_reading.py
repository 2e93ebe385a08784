"""An endpoint out of YAML: a URL, or a mapping with all that can be said of a model server.

Nothing that may be a secret is ever quoted in a problem.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

from yaml.nodes import MappingNode, Node, ScalarNode

from core.config import values
from core.config.endpoint import (
    AUTH_TYPES,
    KEY_HEADER,
    LARGEST_INFLIGHT,
    AuthConfig,
    AuthType,
    EndpointConfig,
    HeaderConfig,
)
from core.config.endpoint_headers import ENV, NOT_HERE, looks_secret, name_fault, value_fault
from core.config.nodes import ALIAS_TAG, is_null, mapping, wrong_type
from core.config.problems import Problems, join
from core.config.urls import BadUrl, Kind, normalise
from core.config.values import Range

T = TypeVar("T")
KINDS = ("auto", "ollama", "openai")
NUMBERS = {"weight": Range(1, 1000), "max_inflight": Range(1, LARGEST_INFLIGHT)}
_STR = "tag:yaml.org,2002:str"
_URL = "a URL like http://localhost:11434"


def read_endpoint(problems: Problems, node: Node, path: str) -> EndpointConfig | None:
    """A URL, or a mapping with `url`; None after noting what is wrong."""
    if not isinstance(node, MappingNode):
        return _bare(problems, node, path, "auto")
    entries = mapping(problems, node, path, ("url", *_FIELDS))
    found: dict[str, Any] = {}
    for key, (_, value) in entries.items():
        if key != "url" and not is_null(value):
            found[key] = _FIELDS[key](problems, value, join(path, key))
    if "url" not in entries:
        problems.add(node, path, "the endpoint has no `url`", f"Add `url:` with {_URL}")
        return None
    kind = cast(Kind, found.pop("kind", None) or "auto")
    endpoint = _bare(problems, entries["url"][1], join(path, "url"), kind)
    if endpoint is None:
        return None
    for key in ("ca_file", "verify"):
        if key in found and endpoint.url.startswith("http:"):
            problems.warn(entries[key][0], join(path, key), "of no use without https")
    given = {key: value for key, value in found.items() if value is not None}
    return replace(endpoint, **given)


def _bare(problems: Problems, node: Node, path: str, kind: Kind) -> EndpointConfig | None:
    if node.tag != _STR or not isinstance(node, ScalarNode):
        wrong_type(problems, node, path, _URL, "Write the URL in quotes")
        return None
    try:
        url, settled = normalise(node.value, kind)
    except BadUrl as error:
        problems.add(node, path, error.message, error.mend)
        return None
    return EndpointConfig(url=url, kind=settled)


def _kind(problems: Problems, node: Node, path: str) -> str | None:
    return values.choice(problems, node, path, KINDS)


def _name(problems: Problems, node: Node, path: str) -> str | None:
    name = values.text(problems, node, path, "a short name for people")
    if name is not None and len(name) > 60:
        problems.add(node, path, "the name is longer than 60 characters", "Shorten it")
        return None
    return name


def _weight(problems: Problems, node: Node, path: str) -> int | float | None:
    return values.number(problems, node, path, NUMBERS["weight"])


def _inflight(problems: Problems, node: Node, path: str) -> int | float | None:
    return values.number(problems, node, path, NUMBERS["max_inflight"])


def _file(problems: Problems, node: Node, path: str) -> Path | None:
    written = values.text(problems, node, path, "a file")
    if written is None:
        return None
    try:
        return problems.directory / Path(written).expanduser()
    except RuntimeError:  # `~nobody-of-this-name/x`
        problems.add(node, path, "there is no such user's home", "Write the path out")
        return None


def _auth(problems: Problems, node: Node, path: str) -> AuthConfig | None:
    if not isinstance(node, MappingNode):
        return _refuse(problems, node, path, "should be a mapping", NOT_HERE)
    entries = mapping(problems, node, path, ("type", "env", "file", "name"))
    given = {key: value for key, (_, value) in entries.items() if not is_null(value)}
    kind: str | None = "bearer"
    if "type" in given:
        kind = values.choice(problems, given["type"], join(path, "type"), AUTH_TYPES)
    if ("env" in given) == ("file" in given):
        return _refuse(problems, node, path, "needs either `env` or `file`", NOT_HERE)
    env = _env(problems, given["env"], join(path, "env")) if "env" in given else ""
    file = _file(problems, given["file"], join(path, "file")) if "file" in given else None
    name: str | None = KEY_HEADER
    if "name" in given:
        name = _header_name(problems, given["name"], join(path, "name"))
        if kind != "header":
            problems.warn(given["name"], join(path, "name"), "only `type: header` has a name")
    if kind is None or env is None or name is None or not (env or file):
        return None
    return AuthConfig(type=cast(AuthType, kind), env=env, file=file, name=name)


def _env(problems: Problems, node: Node, path: str) -> str | None:
    if node.tag == _STR and ENV.fullmatch(str(node.value)):
        return str(node.value)
    return _refuse(problems, node, path, "should be the name of an environment variable", NOT_HERE)


def _header_name(problems: Problems, node: Node, path: str) -> str | None:
    name = str(node.value) if node.tag == _STR else ""
    fault = name_fault(name)
    return _refuse(problems, node, path, *fault) if fault else name


def _headers(problems: Problems, node: Node, path: str) -> tuple[HeaderConfig, ...]:
    if not isinstance(node, MappingNode):
        return _refuse(problems, node, path, "should be a mapping", "Write {X-Team: blue}") or ()
    found: dict[str, HeaderConfig] = {}
    for name, (key, value) in mapping(problems, node, path, None).items():
        where = join(path, name)
        header = _header(problems, key, value, where)
        if header is not None and name.lower() in found:
            _refuse(problems, key, where, "the header is there twice", "Remove one of them")
        elif header is not None:
            found[name.lower()] = header
    return tuple(found.values())


def _header(problems: Problems, key: Node, value: Node, path: str) -> HeaderConfig | None:
    name = _header_name(problems, key, path)
    if name is None:
        return None
    if isinstance(value, MappingNode):
        entries = mapping(problems, value, path, ("env",))
        if "env" not in entries:
            return _refuse(problems, value, path, "has no `env`", "Write {env: NAME}")
        env = _env(problems, entries["env"][1], join(path, "env"))
        return HeaderConfig(name=name, env=env) if env else None
    written = str(value.value) if value.tag == _STR else "\0"  # no text, so no plain text either
    fault = value_fault(name, written)
    if fault:
        return _refuse(problems, value, path, *fault)
    if looks_secret(written):
        problems.warn(value, path, f"looks like a secret written out. {NOT_HERE}")
    return HeaderConfig(name=name, value=written)


def _refuse(problems: Problems, node: Node, path: str, message: str, mend: str) -> T | None:
    """None, after noting a problem without quoting what stands there (an alias was noted)."""
    if node.tag != ALIAS_TAG:
        problems.add(node, path, message, mend)
    return None


_FIELDS: Mapping[str, values.Reader] = {
    "kind": _kind,
    "name": _name,
    "weight": _weight,
    "max_inflight": _inflight,
    "auth": _auth,
    "headers": _headers,
    "verify": values.switch,
    "ca_file": _file,
    "drain": values.switch,
    "disabled": values.switch,
}

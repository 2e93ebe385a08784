"""The `ollama.models` part: roles, their models and their endpoints, in each form that the
format allows."""

from __future__ import annotations

from typing import cast

from yaml.nodes import MappingNode, Node, ScalarNode

from core.config import values
from core.config.model import EndpointConfig, RoleConfig
from core.config.nodes import ALIAS_TAG, is_null, items, mapping, wrong_type
from core.config.problems import Problems, join
from core.config.urls import BadUrl, Kind, normalise
from core.events import ROLES, Role

_KINDS = ("auto", "ollama", "openai")
_STR = "tag:yaml.org,2002:str"
_URL = "a URL like http://localhost:11434"


def read_endpoint(problems: Problems, node: Node, path: str) -> EndpointConfig | None:
    """A URL, or `{url, kind}`; None after noting what is wrong."""
    if not isinstance(node, MappingNode):
        return _endpoint(problems, node, path, "auto")
    entries = mapping(problems, node, path, ("url", "kind"))
    kind: str | None = "auto"
    if "kind" in entries and not is_null(entries["kind"][1]):
        kind = values.choice(problems, entries["kind"][1], join(path, "kind"), _KINDS)
    if "url" not in entries:
        problems.add(node, path, "the endpoint has no `url`", f"Add `url:` with {_URL}")
        return None
    checked = cast(Kind, kind or "auto")
    return _endpoint(problems, entries["url"][1], join(path, "url"), checked)


def _endpoint(problems: Problems, node: Node, path: str, kind: Kind) -> EndpointConfig | None:
    if node.tag != _STR or not isinstance(node, ScalarNode):
        wrong_type(problems, node, path, _URL, "Write the URL in quotes")
        return None
    try:
        url, settled = normalise(node.value, kind)
    except BadUrl as error:
        problems.add(node, path, error.message, error.mend)
        return None
    return EndpointConfig(url=url, kind=settled)


def read_models(
    problems: Problems, entry: tuple[Node, Node] | None, parent: Node, base: EndpointConfig
) -> dict[Role, RoleConfig]:
    """The roles that the file lists; at least one must be there."""
    path = "ollama.models"
    node = entry[1] if entry else None
    given: dict[Role, RoleConfig] = {}
    for name, (key, value) in mapping(problems, node, path, ROLES).items():
        role = _read_role(problems, key, value, join(path, name), base)
        if role is not None:
            given[cast(Role, name)] = role
    empty = is_null(node) or (isinstance(node, MappingNode) and not node.value)
    if empty:
        mend = 'Give at least one role its model, like `overseer: "llama3"`'
        problems.add(entry[0] if entry else parent, path, "no role has a model", mend)
    return given


def _read_role(
    problems: Problems, key: Node, node: Node, path: str, base: EndpointConfig
) -> RoleConfig | None:
    if isinstance(node, ScalarNode) and not is_null(node):
        if node.tag == ALIAS_TAG:
            return None
        name = values.model_name(problems, node, path)
        return RoleConfig(model=name, endpoints=(base,)) if name else None
    entries = mapping(problems, node, path, ("model", "endpoint", "endpoints"))
    model: str | None = None
    if "model" in entries:
        model = values.model_name(problems, entries["model"][1], join(path, "model"))
    elif is_null(node) or isinstance(node, MappingNode):
        problems.add(key, path, "the role has no `model`", 'Add `model:`, like `model: "llama3"`')
    endpoints = _read_endpoints(problems, entries, path, base)
    return RoleConfig(model=model, endpoints=endpoints or (base,)) if model else None


def _read_endpoints(
    problems: Problems, entries: dict[str, tuple[Node, Node]], path: str, base: EndpointConfig
) -> tuple[EndpointConfig, ...]:
    """`endpoints` wins over `endpoint`; an empty list or null leaves it to `endpoint`."""
    single = entries["endpoint"][1] if "endpoint" in entries else None
    several = entries["endpoints"][1] if "endpoints" in entries else None
    found: tuple[EndpointConfig, ...] = ()
    if several is not None and not is_null(several):
        mend = "Write one `- URL` line for each, or use `endpoint:` for a single one"
        listed = items(problems, several, join(path, "endpoints"), "a list of URLs", mend) or []
        found = _read_list(problems, listed, join(path, "endpoints"), base)
        if listed and single is not None and not is_null(single):
            used = "both `endpoint` and `endpoints` are set; `endpoints` is used"
            problems.warn(single, join(path, "endpoint"), used)
    if single is None or is_null(single):
        return found
    endpoint = read_endpoint(problems, single, join(path, "endpoint"))
    return found or ((endpoint,) if endpoint else ())


def _read_list(
    problems: Problems, listed: list[Node], path: str, base: EndpointConfig
) -> tuple[EndpointConfig, ...]:
    """In order, null as `base`; a server that comes twice would get twice the share: first kept."""
    found: dict[str, tuple[int, EndpointConfig]] = {}
    for index, item in enumerate(listed):
        where = f"{path}[{index}]"
        endpoint = base if is_null(item) else read_endpoint(problems, item, where)
        if endpoint is None:
            continue
        if endpoint.url in found:
            first = found[endpoint.url][0]
            problems.warn(item, where, f"the same endpoint as endpoints[{first}]; left out")
        else:
            found[endpoint.url] = (index, endpoint)
    return tuple(endpoint for _, endpoint in found.values())

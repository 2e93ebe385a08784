"""The `ollama.models` part: roles, their models and their endpoints, in each form that the
format allows."""

from __future__ import annotations

from typing import cast

from yaml.nodes import MappingNode, Node, ScalarNode

from core.config import values
from core.config.endpoint import STRATEGIES, EndpointConfig, Strategy
from core.config.endpoint_reading import read_endpoint
from core.config.model import RoleConfig
from core.config.nodes import ALIAS_TAG, is_null, items, mapping
from core.config.problems import Problems, join
from core.events import ROLES, Role


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
    entries = mapping(problems, node, path, ("model", "endpoint", "endpoints", "strategy"))
    model: str | None = None
    if "model" in entries:
        model = values.model_name(problems, entries["model"][1], join(path, "model"))
    elif is_null(node) or isinstance(node, MappingNode):
        problems.add(key, path, "the role has no `model`", 'Add `model:`, like `model: "llama3"`')
    endpoints = _read_endpoints(problems, entries, path, base)
    strategy = _read_strategy(problems, entries, path)
    if not model:
        return None
    return RoleConfig(model=model, endpoints=endpoints or (base,), strategy=strategy)


def _read_strategy(
    problems: Problems, entries: dict[str, tuple[Node, Node]], path: str
) -> Strategy:
    node = entries["strategy"][1] if "strategy" in entries else None
    if node is None or is_null(node):
        return "round_robin"
    word = values.choice(problems, node, join(path, "strategy"), STRATEGIES)
    return cast(Strategy, word or "round_robin")


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
        if endpoint.id in found:
            first = found[endpoint.id][0]
            problems.warn(item, where, f"the same endpoint as endpoints[{first}]; left out")
        else:
            found[endpoint.id] = (index, endpoint)
    return tuple(endpoint for _, endpoint in found.values())

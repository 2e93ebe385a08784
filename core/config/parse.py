"""YAML text -> Config, or a ConfigError that names every problem with its line and its mend."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from yaml.nodes import MappingNode, Node

from core.config import roles, values
from core.config.endpoint import EndpointConfig
from core.config.endpoint_reading import read_endpoint
from core.config.model import (
    DATA_DIR_NAME,
    DEFAULT_BASE_URL,
    DEFAULT_CONTEXT,
    Config,
    RunConfig,
    SandboxConfig,
    Timeouts,
    with_fallbacks,
)
from core.config.nodes import compose, is_null, mapping
from core.config.problems import Problems, join
from core.config.requirements import read_packages
from core.config.urls import normalise
from core.config.values import Range, Rule

Entries = dict[str, tuple[Node, Node]]

TOP = (
    "ollama",
    "embedded",
    "embedded_dir",
    "embedded_threads",
    "server",
    "data_dir",
    "timeouts",
    "sandbox",
    "run",
)
OLLAMA = ("base_url", "keep_alive", "num_ctx", "models")
SERVER = ("host", "port")
_SECONDS = Range(0.1, 86_400, whole=False)
_MIB = 1024 * 1024
TIMEOUTS: Mapping[str, Rule] = {"connect_s": Range(0.1, 60, whole=False)} | dict.fromkeys(
    ("first_byte_s", "idle_s", "total_s"), _SECONDS
)
SANDBOX: Mapping[str, Rule] = {
    "wall_s": Range(0.1, 3600, whole=False),
    "case_s": Range(0.1, 3600, whole=False),
    "cpu_s": Range(1, 3600),
    "memory_bytes": Range(32 * _MIB, 1024 * 1024 * _MIB),
    "output_bytes": Range(1024, 1024 * _MIB),
    "scratch_bytes": Range(64 * 1024, 1024 * 1024 * _MIB),
    "processes": Range(1, 10_000),
    "files_bytes": Range(1024, 1024 * _MIB),
    "files": Range(1, 10_000),
    "packages": read_packages,
    "warm": values.switch,
    "allow_unsandboxed_code": values.switch,
}
RUN: Mapping[str, Rule] = {
    "attempts": Range(0, 10),
    "candidates": Range(1, 8),
    "builtin_drafts": Range(0, 10),
    "parallel_runs": Range(1, 64),
    "max_tokens": Range(16, 1_000_000),
    "input_files_bytes": Range(0, 256 * _MIB),
    "answer_wait_s": Range(1, 86_400, whole=False),
}
CONTEXT = Range(256, 16_777_216)
THREADS = Range(1, 1024)
PORT = Range(0, 65_535)  # 0: any free one


def parse(text: str, source: str, *, path: Path | None = None) -> Config:
    """The configuration in `text`. `source` names it in errors; `path` is its file.

    Relative directories count from the file's directory (without `path`: the current one).
    Raises ConfigError, and nothing else whatever the text is.
    """
    problems = Problems(source, path.parent if path else None)
    root = compose(text, problems)
    top = mapping(problems, root, "", TOP)
    if isinstance(root, MappingNode) and "ollama" not in top:
        mend = "Add `ollama:` with `models:` below it, as in the config.yaml that ships"
        problems.add(root, "ollama", "the key is missing", mend)
    fields = _general(problems, top, problems.directory)
    fields |= _ollama(problems, top.get("ollama"))
    problems.raise_any()
    return Config(path=path, warnings=problems.warnings, **fields)


def _ollama(problems: Problems, entry: tuple[Node, Node] | None) -> dict[str, Any]:
    if entry is None:
        return {}
    key, node = entry
    entries = mapping(problems, node, "ollama", OLLAMA)
    base = _base(problems, entries)
    fields: dict[str, Any] = {"base_url": base.url, "base_kind": base.kind}
    if is_null(node) or isinstance(node, MappingNode):
        given = roles.read_models(problems, entries.get("models"), key, base)
        if given:
            fields["models"], fields["inherited"] = with_fallbacks(given)
    keep_alive = _given(entries, "keep_alive")
    if keep_alive is not None:
        fields["keep_alive"] = values.keep_alive(problems, keep_alive, "ollama.keep_alive")
    used = {role.model for role in fields.get("models", {}).values()}
    fields["num_ctx"] = _num_ctx(problems, _given(entries, "num_ctx"), used)
    return fields


def _base(problems: Problems, entries: Entries) -> EndpointConfig:
    """What null means; a wrong one is noted and stands in for itself as the default."""
    node = _given(entries, "base_url")
    endpoint = None if node is None else read_endpoint(problems, node, "ollama.base_url")
    if endpoint is not None:
        return endpoint
    url, kind = normalise(DEFAULT_BASE_URL)
    return EndpointConfig(url=url, kind=kind)


def _num_ctx(problems: Problems, node: Node | None, used: set[str]) -> dict[str, int]:
    """A number for all models, or {default: number, MODEL: number}."""
    path = "ollama.num_ctx"
    sizes = {"default": DEFAULT_CONTEXT}
    if node is None:
        return sizes
    if not isinstance(node, MappingNode):
        size = values.number(problems, node, path, CONTEXT)
        return sizes if size is None else {"default": int(size)}
    for model, (key, value) in mapping(problems, node, path, None).items():
        size = values.number(problems, value, join(path, model), CONTEXT)
        if size is not None:
            sizes[model] = int(size)
        if used and model != "default" and model not in used:
            problems.warn(key, join(path, model), "no role uses this model")
    return sizes


def _general(problems: Problems, top: Entries, directory: Path) -> dict[str, Any]:
    server = mapping(problems, _given(top, "server"), "server", SERVER)
    fields: dict[str, Any] = {
        "embedded": _embedded(problems, _given(top, "embedded")),
        "embedded_dir": _directory(problems, top, "embedded_dir", directory),
        "data_dir": _directory(problems, top, "data_dir", directory) or directory / DATA_DIR_NAME,
        "timeouts": values.section(problems, top.get("timeouts"), "timeouts", Timeouts, TIMEOUTS),
        "sandbox": values.section(problems, top.get("sandbox"), "sandbox", SandboxConfig, SANDBOX),
        "run": values.section(problems, top.get("run"), "run", RunConfig, RUN),
    }
    threads = _given(top, "embedded_threads")
    if threads is not None:
        fields["embedded_threads"] = values.number(problems, threads, "embedded_threads", THREADS)
    host, port = _given(server, "host"), _given(server, "port")
    if host is not None:
        fields["host"] = _host(problems, host)
    if port is not None:
        fields["port"] = values.number(problems, port, "server.port", PORT)
    return fields


def _given(entries: Entries, key: str) -> Node | None:
    """The value's node; None where it is absent or null, which both mean the default."""
    node = entries[key][1] if key in entries else None
    return None if is_null(node) else node


def _embedded(problems: Problems, node: Node | None) -> Literal["auto", "off"]:
    if node is None:
        return "auto"
    # To YAML a bare `off` is the switch false.
    if node.tag.endswith(":bool") and str(node.value).lower() in ("off", "false", "no"):
        return "off"
    word = values.choice(problems, node, "embedded", ("auto", "off"))
    return "off" if word == "off" else "auto"


def _directory(problems: Problems, top: Entries, key: str, directory: Path) -> Path | None:
    node = _given(top, key)
    if node is None:
        return None
    written = values.text(problems, node, key, "a directory")
    if written is None:
        return None
    try:
        return directory / Path(written).expanduser()
    except RuntimeError:  # `~nobody-of-this-name/x`
        problems.add(node, key, "there is no such user's home", "Write the directory out")
        return None


def _host(problems: Problems, node: Node) -> str | None:
    host = values.text(problems, node, "server.host", "an address like 127.0.0.1")
    if host is not None and any(char in " /@?#" for char in host):
        mend = "Write only the address to listen on, like 127.0.0.1 or 0.0.0.0"
        problems.add(node, "server.host", "this is no host name or address", mend)
        return None
    return host

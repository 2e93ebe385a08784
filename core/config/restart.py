"""Which changed settings wait for the next start: the others hold from the next call on."""

from __future__ import annotations

from dataclasses import fields

from core.config.model import Config, SandboxConfig

# What is read once, when a process of ours starts, by dotted path and field of Config.
_ONCE = {
    "embedded": "embedded",
    "embedded_dir": "embedded_dir",
    "embedded_threads": "embedded_threads",
    "server.host": "host",
    "server.port": "port",
    "data_dir": "data_dir",
}


def waiting(opened_with: Config, current: Config) -> tuple[str, ...]:
    """The dotted paths of settings that differ from what this process was started with, and that
    it does not look at again."""
    found = [
        path for path, name in _ONCE.items() if getattr(opened_with, name) != getattr(current, name)
    ]
    found += [
        f"sandbox.{one.name}"
        for one in fields(SandboxConfig)
        if getattr(opened_with.sandbox, one.name) != getattr(current.sandbox, one.name)
    ]
    if opened_with.run.parallel_runs != current.run.parallel_runs:
        found.append("run.parallel_runs")
    return tuple(found)

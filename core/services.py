"""Everything that a process of ours is made of, opened in one place and closed in one place."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.config import Config, ConfigStore
from core.context import Ports
from core.embedded import Builtin, TerminalLine
from core.endpoints import Client
from core.executor import Executor, abandoned, take_server, take_terminal
from core.log import EventLog
from core.runs import Runs
from core.sandbox import Limits, Sandbox
from core.tools import SkillLibrary

# A model's socket closes and a sandbox dies within a second of being told to.
LEAVE_S = 5.0
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the page, the API and the terminal work with."""

    config: ConfigStore
    log: EventLog
    runs: Runs
    client: Client
    builtin: Builtin | None
    sandbox: Sandbox


@contextmanager
def open_services(config_path: Path, *, terminal: bool = False) -> Iterator[Services]:
    """Services on this configuration; the engine starts in the background.

    Raises ConfigError and StorageError. A server takes up what it and closed terminals left
    unfinished; a terminal carries only its own runs.
    """
    store = ConfigStore(config_path)
    config = store.current
    executor = take_terminal(config.data_dir) if terminal else take_server(config.data_dir)
    try:
        log = EventLog(config.data_dir / "events.db")
        builtin = _builtin(config)
        client = Client(lambda: store.current, builtin=builtin)
        sandbox = _sandbox(config)
        ports = Ports(
            client=client,
            sandbox=sandbox,
            skills=SkillLibrary(config.data_dir / "skills"),
            config=lambda: store.current,
        )
        runs = Runs(log, ports)
        engine = _Engine(config, executor, runs, terminal=terminal)
        warm_up = threading.Thread(
            target=_warm_up, args=(client, builtin, sandbox), name="warm-up", daemon=True
        )
        services = Services(
            config=store, log=log, runs=runs, client=client, builtin=builtin, sandbox=sandbox
        )
        client.start()
        engine.start()
        warm_up.start()
        try:
            yield services
        finally:
            engine.close()
            if builtin is not None:
                builtin.close()
            warm_up.join()
            client.close()
            log.close()
    finally:
        executor.release()


def _builtin(config: Config) -> Builtin | None:
    if config.embedded == "off":
        return None
    return Builtin(cache_dir=None, extra_dir=config.embedded_dir, threads=config.embedded_threads)


def _sandbox(config: Config) -> Sandbox:
    asked = config.sandbox
    limits = Limits(
        wall_s=asked.wall_s,
        case_s=asked.case_s,
        cpu_s=asked.cpu_s,
        memory_bytes=asked.memory_bytes,
        output_bytes=asked.output_bytes,
        scratch_bytes=asked.scratch_bytes,
        processes=asked.processes,
    )
    return Sandbox(limits, allow_unsandboxed=asked.allow_unsandboxed_code)


def _warm_up(client: Client, builtin: Builtin | None, sandbox: Sandbox) -> None:
    """Find the sandbox's rung, and fetch the built-in model if nobody else serves some role."""
    _ = sandbox.rung
    if builtin is not None and any(role.served_by_builtin for role in client.probe()):
        builtin.start()


class _Engine:
    """Opens the durable layer in the background: its import alone takes most of a second."""

    def __init__(self, config: Config, executor: Executor, runs: Runs, *, terminal: bool) -> None:
        self._config = config
        self._executor = executor
        self._runs = runs
        self._terminal = terminal
        self._close: threading.Event = threading.Event()
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._carry, name="engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop the runs of this process where they are; the next start takes them up."""
        self._close.set()
        self._thread.join()

    def _carry(self) -> None:
        from core.durable import Durable

        durable = Durable(
            self._config.data_dir / "durable.db",
            executor_id=self._executor.executor_id,
            parallel_runs=self._config.run.parallel_runs,
            body=self._runs.body,
            part=self._runs.part,
        )
        try:
            self._runs.attach(durable)
            if not self._terminal:
                for executor_id in abandoned(self._config.data_dir):
                    durable.adopt(executor_id)
            self._close.wait()
        finally:
            self._runs.leave()
            durable.close()
            self._runs.wait_idle(LEAVE_S)

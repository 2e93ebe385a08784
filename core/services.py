"""Everything that a process of ours is made of, opened in one place and closed in one place."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from core.answers import Answers
from core.config import Config, ConfigStore
from core.context import Ports
from core.embedded import Builtin, TerminalLine
from core.endpoints import Client
from core.endpoints.pull import Pulls
from core.executor import Executor, abandoned, take_server, take_terminal
from core.log import EventLog
from core.qualified import Qualifier
from core.runs import Runs
from core.sandbox import Limits, Sandbox
from core.sandbox.packages import Packages
from core.savings_book import SavingsBook
from core.tools import SkillLibrary
from core.tryout import TryOut
from core.warmup import WarmUp

if TYPE_CHECKING:
    from core.durable import Durable

# A model's socket closes and a sandbox dies within a second of being told to.
LEAVE_S = 5.0
QUALIFICATIONS = "qualifications.json"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the page, the API and the terminal work with.

    `opened_with` is the configuration that the sandbox and the packages were made from; they keep
    to it until the next start.
    """

    config: ConfigStore
    opened_with: Config
    log: EventLog
    runs: Runs
    client: Client
    builtin: Builtin | None
    sandbox: Sandbox
    packages: Packages
    tryout: TryOut
    answers: Answers
    pulls: Pulls
    qualifier: Qualifier
    savings: SavingsBook


@contextmanager
def open_services(
    config_path: Path,
    *,
    terminal: bool = False,
    idle: bool = False,
    sandbox: Sandbox | None = None,
) -> Iterator[Services]:
    """Services on this configuration; the engine starts in the background.

    Raises ConfigError and StorageError. A server takes up what it and closed terminals left
    unfinished; a terminal carries only its own runs, and an `idle` one none at all. A `sandbox`
    that is given is used as it is, whatever the configuration says of it, and stays open.
    """
    store = ConfigStore(config_path)
    config = store.current
    executor = take_terminal(config.data_dir) if terminal else take_server(config.data_dir)
    try:
        log = EventLog(config.data_dir / "events.db")
        builtin = _builtin(config)
        client = Client(store.refresh, builtin=builtin)
        packages = Packages(config.sandbox.packages, config.data_dir / "packages")
        is_given = sandbox is not None
        sandbox = sandbox or _sandbox(config, packages)
        skills = SkillLibrary(config.data_dir / "skills")
        ports = Ports(
            client=client, sandbox=sandbox, skills=skills, config=store.refresh, packages=packages
        )
        runs, tryout = Runs(log, ports), TryOut(log, sandbox, skills)
        answers = Answers(log, sandbox, skills)
        engine = _Engine(config, executor, runs, log, terminal=terminal)
        warm_up = WarmUp(client, builtin, sandbox, packages)
        services = Services(
            config=store,
            opened_with=config,
            log=log,
            runs=runs,
            client=client,
            builtin=builtin,
            sandbox=sandbox,
            packages=packages,
            tryout=tryout,
            answers=answers,
            pulls=Pulls(client.probe),
            savings=SavingsBook(log.path),
            qualifier=Qualifier(store.refresh, client, sandbox, config.data_dir / QUALIFICATIONS),
        )
        if not idle:
            client.start()
            engine.start()
            warm_up.start()
        try:
            yield services
        finally:
            services.pulls.close()
            services.qualifier.close()
            tryout.close()
            answers.close()
            engine.close()
            if builtin is not None:
                builtin.close()
            warm_up.close()
            packages.close()
            if not is_given:
                sandbox.close()
            client.close()
            services.savings.close()
            log.close()
    finally:
        executor.release()


def _builtin(config: Config) -> Builtin | None:
    if config.embedded == "off":
        return None
    return Builtin(
        extra_dir=config.embedded_dir,
        threads=config.embedded_threads,
        on_progress=TerminalLine(sys.stderr, time.monotonic),
    )


def _sandbox(config: Config, packages: Packages) -> Sandbox:
    asked = config.sandbox
    limits = Limits(**{limit.name: getattr(asked, limit.name) for limit in fields(Limits)})
    return Sandbox(
        limits,
        allow_unsandboxed=asked.allow_unsandboxed_code,
        warm=asked.warm,
        # They may be installed only later.
        site=lambda: packages.site,
    )


class _Engine:
    """Opens the durable layer in the background: its import alone takes most of a second."""

    def __init__(
        self, config: Config, executor: Executor, runs: Runs, log: EventLog, *, terminal: bool
    ) -> None:
        self._config = config
        self._executor = executor
        self._runs = runs
        self._log = log
        self._terminal = terminal
        self._close = threading.Event()
        self._thread = threading.Thread(target=self._top, name="engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop the runs of this process where they are; the next start takes them up."""
        self._close.set()
        if self._thread.is_alive():
            self._thread.join()

    def _top(self) -> None:
        try:
            self._carry()
        except Exception as error:
            # A thread's top: whoever wants to start a run is told.
            logger.exception("The engine could not start")
            self._runs.refuse(f"The engine could not start: {error}")

    def _carry(self) -> None:
        from core.durable import Durable  # late: it takes most of a second

        durable = Durable(
            self._config.data_dir / "durable.db",
            executor_id=self._executor.executor_id,
            parallel_runs=self._config.run.parallel_runs,
            body=self._runs.body,
            part=self._runs.part,
        )
        try:
            if not self._terminal:
                self._take_up(durable)
            self._runs.attach(durable)
            self._close.wait()
        finally:
            self._runs.leave()
            durable.close()
            self._runs.wait_idle(LEAVE_S)

    def _take_up(self, durable: Durable) -> None:
        """What dead terminals left, and runs whose process ended before they were submitted."""
        with abandoned(self._config.data_dir) as gone:
            for executor_id in gone:
                durable.adopt(executor_id)
        for run_id in durable.outdated():
            self._runs.end_outdated(run_id)
        for run_id in self._log.open_runs():
            durable.submit(run_id)

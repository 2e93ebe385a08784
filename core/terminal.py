"""The commands that work in the terminal: generate a solution, check the set-up."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from core.cancel import Cancel
from core.errors import StorageError
from core.events import CallFailed, Event, RunFinished, event_to_dict
from core.inputs import read_paths
from core.lines import lines
from core.qualify_result import summary
from core.savings import of_run
from core.savings_words import report
from core.services import Services, open_services
from core.state import fold

PASSED, NOT_PASSED, BAD_USAGE, NO_ENDPOINT = 0, 1, 2, 3
_NOBODY_ANSWERED = ("NoEndpointLeft", "BuiltinUnavailable")


def generate(
    goal: str,
    config_path: Path,
    *,
    as_json: bool,
    paths: Sequence[Path] = (),
    wait_for_answers: bool = False,
) -> int:
    """Carry one goal out, with the files at `paths`, and print the run as it happens; the exit
    status.

    0 passed, 1 not passed, 3 no endpoint could answer. Ctrl-C stops the run. Raises BadInput,
    ConfigError, StorageError.
    """
    with open_services(config_path, terminal=True) as services:
        files = read_paths(paths, services.config.current.run.input_files_bytes)
        run_id = services.runs.start(goal, files, wait_for_answers=wait_for_answers)
        follower = _Follower(services, run_id, as_json=as_json)
        try:
            return follower.follow()
        except KeyboardInterrupt:
            services.runs.cancel(follower.run_id)
            return follower.follow()


class _Follower:
    """Prints a run's events, each once."""

    def __init__(self, services: Services, run_id: str, *, as_json: bool) -> None:
        self.run_id = run_id
        self._log = services.log
        self._runs = services.runs
        self._as_json = as_json
        self._after = -1
        self._unanswered = False

    def follow(self) -> int:
        """Print until the run has finished; the exit status."""
        while True:
            why = self._runs.stranded(self.run_id)
            if why:
                raise StorageError(f"The run stopped until the next start: {why}")
            for event in self._log.wait(self.run_id, self._after, timeout_s=1.0):
                self._after = event.seq
                _show(event, as_json=self._as_json)
                if isinstance(event.payload, CallFailed) and event.payload.error != "Cancelled":
                    self._unanswered = event.payload.error in _NOBODY_ANSWERED
                if isinstance(event.payload, RunFinished):
                    self._report()
                    return _status(event.payload, unanswered=self._unanswered)

    def _report(self) -> None:
        if not self._as_json:
            for line in report(of_run(fold(self._log.since(self.run_id)))):
                print(line, flush=True)


def _show(event: Event, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(event_to_dict(event), ensure_ascii=False), flush=True)
        return
    for line in lines(event):
        print(line, flush=True)


def _status(finished: RunFinished, *, unanswered: bool) -> int:
    if finished.outcome == "passed":
        return PASSED
    return NO_ENDPOINT if finished.outcome == "error" and unanswered else NOT_PASSED


def check(config_path: Path, *, qualify: bool = False) -> int:
    """Print config, sandbox rung and each endpoint's state; 0 when every role can be served.

    `qualify`: measure each endpoint with each of its models too, a minute each at most.
    """
    with open_services(config_path, terminal=True, idle=True) as services:
        config = services.config.current
        print(f"✓ Loaded configuration from {config_path}")
        for warning in config.warnings:
            print(f"  ! {warning}")
        _check_sandbox(services)
        served = _check_endpoints(services)
        if qualify:
            _qualify(services)
        return served


def _check_sandbox(services: Services) -> None:
    rung = services.sandbox.look()
    warm = ", warm start" if rung.warm else ""
    print(f"{'✓' if rung.safe else '✗'} Sandbox: rung {rung.number}, {rung.name}{warm}")
    if not rung.runs:
        print("  Generated code is refused here: nothing is run.")
    elif not rung.safe:
        print("  GENERATED CODE RUNS UNSANDBOXED, with your rights: sandbox.allow_unsandboxed_code")
    for lack in rung.lacks:
        print(f"  - {lack}")
    if rung.mend:
        print(f"  {rung.mend}")
    state = services.packages.state
    if state.phase != "none":
        sign = {"ready": "✓", "installing": "…"}.get(state.phase, "✗")
        print(f"{sign} {state.sentence()}")
    if state.phase == "missing":
        print("  They come at the next start, or at once by: python run.py packages")


def _check_endpoints(services: Services) -> int:
    served = True
    for role in services.client.probe():
        print(f"{role.role}: {role.model}")
        for status, has_model, mend in role.endpoints:
            sign = "✓" if status.reachable and has_model else "✗"
            print(f"  {sign} {status.url} {status.message or 'answers'}")
            if mend and mend != status.message:
                print(f"    {mend}")
        if role.served_by_builtin:
            print(f"  → the built-in model serves this role: {role.why}")
        elif not any(status.reachable and has_model for status, has_model, _ in role.endpoints):
            served = False
    return PASSED if served else NO_ENDPOINT


def _qualify(services: Services) -> None:
    book, measured = services.qualifier.book, list[tuple[str, str]]()
    for known in services.client.status():
        endpoints = services.config.current.role(known.role).endpoints
        for endpoint, (status, has_model, _) in zip(endpoints, known.endpoints, strict=True):
            if status.reachable and has_model and (endpoint.id, known.model) not in measured:
                measured.append((endpoint.id, known.model))
                print(f"Measuring {known.model} at {endpoint.id}...", flush=True)
                found = services.qualifier.run(endpoint, known.model, Cancel())
                print(f"  {summary(found, found.at)}", flush=True)
                if found.failed:
                    print(f"  not passed: {', '.join(found.failed)}")
                if found.asked and found.note:
                    print(f"  {found.note}")
    for remark in filter(None, (book.remark(place, model) for place, model in measured)):
        print(f"! {remark}")


def complain(message: str) -> int:
    """Print an error; the exit status for bad usage or configuration."""
    print(message, file=sys.stderr)
    return BAD_USAGE

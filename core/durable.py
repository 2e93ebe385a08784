"""Durable runs: a small port over DBOS, so that nothing else needs to know it.

A run is a DBOS workflow whose steps' results are recorded in SQLite. When the process dies, the
next one with the same executor id takes each unfinished run up at its last recorded step: the
body is executed again from its start, and recorded steps return at once what they returned.
So a body must do all its work in steps, and in the same order every time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSPortableJSONSerializer, SetWorkflowID

from core.errors import AppError, StorageError
from core.log import open_engine, storage_errors
from core.steps import Body, Json, Part

# Bump when the order of a run's steps changes: runs of another version are not taken up.
WORKFLOW_VERSION = "runs-10"
PART, RUN = "part", "run"
# How often, in seconds, DBOS looks for what is to be done: a run's delay against idle load.
POLL_S = 0.2


_one_at_a_time = threading.Lock()


class _DbosSteps:
    def __init__(self, path: Path, run_id: str, start_part: Callable[[str, str], Any]) -> None:
        self._path = path
        self._run_id = run_id
        self._start_part = start_part

    def step(self, name: str, work: Callable[[], Json]) -> Json:
        own: list[BaseException] = []

        def watched() -> Json:
            try:
                return work()
            except BaseException as error:
                own.append(error)
                raise

        try:
            with storage_errors(self._path):
                return DBOS.run_step({"name": name}, watched)
        except StorageError as error:
            # What the work itself raised says nothing about the database.
            if own and error.__cause__ is own[0]:
                raise own[0] from None
            raise

    def part(self, name: str) -> Callable[[], Json]:
        handle = self._start_part(self._run_id, name)
        return lambda: handle.get_result(polling_interval_sec=POLL_S)


class Durable:
    """Runs bodies durably. DBOS is one per process, so only one of these may be open at a time."""

    def __init__(
        self, path: Path, *, executor_id: str, parallel_runs: int, body: Body, part: Part
    ) -> None:
        """Open or make the SQLite file `path` and take up what `executor_id` left unfinished.

        `parallel_runs` (1 to 64) run at once, the others wait in order of submission.
        """
        if not _one_at_a_time.acquire(blocking=False):
            raise AppError("This process has its durable runs open already")
        with ExitStack() as undo:
            undo.callback(_one_at_a_time.release)
            undo.callback(DBOS.destroy, destroy_registry=True)
            self._open(path, executor_id, parallel_runs, body, part)
            undo.pop_all()

    def _open(
        self, path: Path, executor_id: str, parallel_runs: int, body: Body, part: Part
    ) -> None:
        self._path = path
        # Queues are in the shared file: each process listens to its own and to nobody else's.
        self._queue = f"runs-{executor_id}"
        self._parts = f"parts-{executor_id}"
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._engine = open_engine(path)
            DBOS(
                config={
                    "name": "codeevolver",
                    "system_database_url": f"sqlite:///{path}",
                    "system_database_engine": self._engine,
                    "application_version": WORKFLOW_VERSION,
                    "executor_id": executor_id,
                    "serializer": DBOSPortableJSONSerializer(),
                    "log_level": "WARNING",
                    # Each run holds one thread and at times one for each part of it: the tests,
                    # more tests and up to seven further candidates.
                    "max_executor_threads": 10 * parallel_runs + 8,
                    "notification_listener_polling_interval_sec": POLL_S,
                }
            )
            self._register(body, part)
            DBOS.listen_queues([self._queue, self._parts])
            DBOS.launch()
            self._open_queue(self._queue, parallel_runs)
            # Without a limit: a run that waits for its part must not keep it from starting.
            self._open_queue(self._parts, None)

    def _open_queue(self, name: str, at_once: int | None) -> None:
        DBOS.register_queue(
            name,
            worker_concurrency=at_once,
            polling_interval_sec=POLL_S,
            on_conflict="always_update",
        )

    def _register(self, body: Body, part: Part) -> None:
        @DBOS.workflow(name=PART)
        def part_workflow(run_id: str, name: str) -> Json:
            return part(run_id, name, _DbosSteps(self._path, run_id, start_part))

        def start_part(run_id: str, name: str) -> Any:
            # Through a queue of our own: a part that starts without one comes back, after a
            # crash, in whichever process looks first.
            return DBOS.enqueue_workflow(self._parts, part_workflow, run_id, name)

        @DBOS.workflow(name=RUN)
        def run_workflow(run_id: str) -> None:
            body(run_id, _DbosSteps(self._path, run_id, start_part))

        self._run_workflow = run_workflow

    def submit(self, run_id: str) -> None:
        """Carry the run out; submitting it twice is one run."""
        with storage_errors(self._path), SetWorkflowID(run_id):
            DBOS.enqueue_workflow(self._queue, self._run_workflow, run_id)

    def adopt(self, executor_id: str) -> None:
        """Take up what another executor, known to be dead, left unfinished."""
        unfinished = DBOS.list_workflows(
            status=["PENDING", "ENQUEUED"], executor_id=executor_id, load_input=False
        )
        for workflow in unfinished:
            queue = self._parts if workflow.name == PART else self._queue
            DBOS.resume_workflow(workflow.workflow_id, queue_name=queue)

    def outdated(self) -> tuple[str, ...]:
        """The unfinished runs of another version, whose steps this one can't repeat: let go."""
        unfinished = DBOS.list_workflows(status=["PENDING", "ENQUEUED"], load_input=False)
        old = [one for one in unfinished if one.app_version not in (None, WORKFLOW_VERSION)]
        for workflow in old:
            DBOS.cancel_workflow(workflow.workflow_id)
        return tuple(one.workflow_id for one in old if one.name == RUN)

    def close(self, wait_s: int = 0) -> None:
        """Let go; runs under way get `wait_s` seconds to end, and are taken up next time if not."""
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=wait_s)
        self._engine.dispose()
        _one_at_a_time.release()

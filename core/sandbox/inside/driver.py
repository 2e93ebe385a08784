"""Run every case in a child of its own and write one record; never execute the candidate here.

The job (JSON) comes over stdin, which is closed before anything else. Every line of the record
carries the job's nonce; children can't write to the record's descriptor.
"""

# Importing pathlib would cost each execution several milliseconds.
# ruff: noqa: PTH118

from __future__ import annotations

import ast
import contextlib
import importlib
import json
import os
import resource
import sys
import time
import traceback
from types import CodeType
from typing import Any

from . import child, limits, stage

_CANARY = "assert 1 == 2"
_BAD_SOURCE = (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError)


def main() -> None:
    """Carry out the job on stdin, then end the process."""
    with open(0, "rb") as stream:
        job = json.load(stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.set_inheritable(0, True)
    sys.argv = ["solution.py"]
    # Ours go last: no file of the candidate's can take the place of a library's.
    sys.path[:] = [*sys.path[1:], *job["path"], job["sources"]]
    record = _Record(job["record_fd"], job["nonce"])
    limits.apply(job["limits"], job["contained"])
    record.write("started")
    Driver(job, record).run()
    os._exit(0)


class _Record:
    def __init__(self, fd: int, nonce: str) -> None:
        self.fd = fd
        self._nonce = nonce

    def write(self, kind: str, **fields: Any) -> None:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        # Linux counts KiB, macOS bytes.
        scale = 1 if sys.platform == "darwin" else 1024
        line = {
            "nonce": self._nonce,
            "kind": kind,
            "cpu_s": round(usage.ru_utime + usage.ru_stime, 4),
            "peak_bytes": usage.ru_maxrss * scale,
            **fields,
        }
        data = (json.dumps(line) + "\n").encode()
        while data:
            data = data[os.write(self.fd, data) :]


class Driver:
    """One job from compiling to the last line of its record."""

    def __init__(self, job: dict[str, Any], record: _Record) -> None:
        self._job = job
        self._record = record
        self._path = os.path.join(job["sources"], "solution.py")
        self._deadline = time.monotonic() + job["limits"]["wall_s"]
        self._number = 0

    def run(self) -> None:
        """Compile, import, cases, canary; each line says how one of them went."""
        code = self._compile()
        if code is None:
            return
        self._preload()
        report = self._stage(code, None, "import")
        self._record.write("import", **report)
        canary: dict[str, Any] = {"result": "not_run"}
        ran = []
        if report["result"] == "passed":
            for case in self._job["cases"]:
                if time.monotonic() >= self._deadline:
                    break
                report = self._stage(code, case["source"], f"case {case['id']}")
                self._record.write("case", id=case["id"], **report)
                ran.append(case["id"])
            if time.monotonic() < self._deadline:
                canary = self._stage(code, _CANARY, "canary", silent=True)
        self._record.write("end", ids=ran, count=len(ran), canary=canary["result"])

    def _compile(self) -> CodeType | None:
        try:
            return compile(self._job["code"], self._path, "exec", dont_inherit=True)
        except _BAD_SOURCE as error:
            shown = traceback.format_exception_only(type(error), error)
            text = "".join(shown).replace(self._job["sources"] + os.sep, "")
            self._record.write("compile", message=child.describe_error(error), traceback=text)
            self._record.write("end", ids=[], count=0, canary="not_run")
            return None

    def _preload(self) -> None:
        """Import pytest once here, where it is wanted: in each child it would cost 0.2 s."""
        sources = [self._job["code"], *(case["source"] for case in self._job["cases"])]
        if any(_imports(source, "pytest") for source in sources):
            before = list(sys.path)
            sys.path.remove(self._job["sources"])
            with contextlib.suppress(ImportError):
                importlib.import_module("pytest")
            sys.path[:] = before

    def _stage(
        self, code: CodeType, case: str | None, name: str, silent: bool = False
    ) -> dict[str, Any]:
        self._number += 1
        task = child.Task(
            module=code,
            module_path=self._path,
            case=case,
            name=name,
            silent=silent,
            workdir=os.path.join(self._job["workdir"], str(self._number)),
        )
        left_s = max(0.1, self._deadline - time.monotonic())
        return stage.run(
            task,
            timeout_s=min(self._job["limits"]["case_s"], left_s),
            cpu_s=self._job["limits"]["cpu_s"],
            contained=self._job["contained"],
            close_fd=self._record.fd,
        )


def _imports(source: str, name: str) -> bool:
    if name not in source:
        return False
    try:
        tree = ast.parse(source)
    except _BAD_SOURCE:
        return False
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return name in found

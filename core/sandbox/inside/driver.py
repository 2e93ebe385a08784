"""Reads the job, has every case run, and writes the record; never executes a candidate or a case.

Each line of the record carries the job's nonce; no other process has the record's descriptor.
"""

from __future__ import annotations

import ast
import binascii
import contextlib
import importlib
import json
import os
import select
import socket
import sys
import time
import traceback

from . import case, limits, link, stage, telling
from .candidate import SOURCE
from .stateless import is_stateless

TYPE_CHECKING = False  # importing typing would cost each process time and memory
if TYPE_CHECKING:
    from typing import Any, NoReturn

_CANARY = "assert 1 == 2"
_BAD_SOURCE = (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError)


def main(connection: socket.socket) -> NoReturn:
    """Carry out the job on descriptor 0, then end the process."""
    try:
        with open(0, "rb", closefd=False) as stream:
            job = json.load(stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        record = _Record(job["nonce"])
        limits.apply(job["limits"], job["contained"], descriptors=False)
        # Our own packages; those that the user chose are for candidates only.
        sys.path += job["path"][:1]
        record.write("started")
        runner = Driver(job, record, link.Init(connection))
        if job["mode"] == "program":
            runner.run_program()
        else:
            runner.run_cases()
        os._exit(0)
    finally:
        traceback.print_exc()
        os._exit(1)


class _Record:
    def __init__(self, nonce: str) -> None:
        self._nonce = nonce
        self.cpu_s = 0.0
        self.peak_bytes = 0

    def use(self, usage: link.Usage | None) -> None:
        if usage is None:
            return
        self.cpu_s, self.peak_bytes = usage.all_cpu_s, usage.all_peak_bytes

    def write(self, kind: str, **fields: Any) -> None:
        line = {
            "nonce": self._nonce,
            "kind": kind,
            "cpu_s": round(self.cpu_s, 4),
            "peak_bytes": self.peak_bytes,
            **fields,
        }
        data = (json.dumps(line) + "\n").encode()
        while data:
            data = data[os.write(stage.RECORD, data) :]


class Driver:
    """One job from compiling to the last line of its record."""

    def __init__(self, job: dict[str, Any], record: _Record, init: link.Init) -> None:
        self._job = job
        self._record = record
        self._init = init
        self._deadline = time.monotonic() + job["limits"]["wall_s"]
        self._number = 0
        self._imported = False

    def run_cases(self) -> None:
        """Import, cases, canary; each line says how one of them went."""
        if not self._compiles():
            return
        self._preload()
        simple = not self._job["modules"] and not self._job["files"]
        reuse = simple and len(self._job["cases"]) > 1 and is_stateless(self._job["code"])
        runner = stage.Stage(
            self._init,
            self._candidate(),
            self._job["code"],
            reuse=reuse,
            imported=self._note_import,
        )
        ran: list[str] = []
        canary: dict[str, Any] = {"result": "not_run"}
        for item in self._job["cases"] or [None]:
            if time.monotonic() >= self._deadline:
                break
            report, used = self._case(runner, item)
            if not self._imported:
                self._record.write("import", **report)
                break
            if item is not None:
                self._record.write("case", id=item["id"], used=used, **report)
                ran.append(item["id"])
        runner.end()
        self._record.use(runner.total)
        if self._imported and self._job["cases"] and time.monotonic() < self._deadline:
            canary, _ = self._case(runner, {"id": "canary", "source": _CANARY}, alone=True)
        self._record.write("end", ids=ran, count=len(ran), canary=canary["result"])

    def _note_import(self) -> None:
        if not self._imported:
            self._imported = True
            good = {"result": "passed", "status": "passed", "message": "", "traceback": ""}
            self._record.write("import", **good)

    def run_program(self) -> None:
        """Once as `__main__`, then collect what it left."""
        if not self._compiles():
            return
        folder = self._folder()
        hang_in, hang_out = os.pipe()
        ours, theirs = socket.socketpair()
        stdin = self._stdin()
        task = {**self._candidate(), "folder": folder, "program": True}
        task["arguments"] = self._job["arguments"]
        pid = self._init.start(task, [theirs.fileno(), hang_out, stdin])
        for fd in (hang_in, hang_out, stdin):
            os.close(fd)
        theirs.close()
        self._init.await_end(pid)
        left_s = max(0.0, self._deadline - time.monotonic())
        ended = bool(select.select([self._init.connection], [], [], left_s)[0])
        stage.sweep(self._job["contained"], pid)
        usage = self._init.usage()
        self._record.use(usage)
        ours.close()
        from .collect import collect  # of no use to cases

        known = self._known()
        for line in collect(folder, self._job["limits"], known):
            self._record.write(**line)
        used_up = usage.cpu_s >= int(self._job["limits"]["cpu_s"])
        self._record.write("end", ended=ended, status=usage.status, cpu_used_up=used_up)

    def _compiles(self) -> bool:
        try:
            compile(self._job["code"], SOURCE, "exec", dont_inherit=True)
            self._job["code"].encode()
        except _BAD_SOURCE as error:
            limits.make_room()
            shown = traceback.format_exception_only(type(error), error)
            self._record.write("compile", message=telling.describe(error), traceback="".join(shown))
            self._record.write("end", ids=[], count=0, canary="not_run")
            return False
        return True

    def _preload(self) -> None:
        """Import pytest once, where it is wanted: in each process it would cost 0.2 s."""
        wanted = [_imports(item["source"], "pytest") for item in self._job["cases"]]
        if any(wanted):
            with contextlib.suppress(ImportError):
                importlib.import_module("pytest")
        if _imports(self._job["code"], "pytest"):
            self._init.preload(["pytest"])

    def _case(
        self, runner: stage.Stage, item: dict[str, str] | None, *, alone: bool = False
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        task = case.Task(
            source=item["source"] if item else None,
            name=f"case {item['id']}" if item else "import",
            silent=self._imported,
            modules=list(self._job["modules"]),
            alone=alone,
        )
        left_s = max(0.1, self._deadline - time.monotonic())
        try:
            report, used = runner.run(
                task, self._folder, min(self._job["limits"]["case_s"], left_s)
            )
        except OSError as error:  # an earlier case has used up the scratch space, or closed it
            message = f"no working directory or process can be had any more: {error.strerror}"
            report = {"result": "error", "status": "crash", "message": message}
            report.update(traceback="", seconds=0.0)
            used = {"cpu_s": 0.0, "peak_bytes": 0}
        self._record.use(runner.total)
        return report, used

    def _candidate(self) -> dict[str, Any]:
        return {
            "limits": self._job["limits"],
            "contained": self._job["contained"],
            "path": self._job["path"],
            "program": False,
            "arguments": [],
        }

    def _folder(self) -> str:
        """A new working directory with the sources and the input files."""
        self._number += 1
        # A name that nobody can guess, and so take, before.
        name = f"{self._number}-{os.urandom(4).hex()}"
        folder = os.path.join(self._job["workdir"], name)
        os.mkdir(folder)
        for name, data in self._contents().items():
            with open(os.path.join(folder, name), "xb") as file:
                file.write(data)
        return folder

    def _contents(self) -> dict[str, bytes]:
        sources = {f"{name}.py": text for name, text in self._job["modules"].items()}
        found = {name: binascii.a2b_base64(data) for name, data in self._job["files"].items()}
        for name, text in {**sources, SOURCE: self._job["code"]}.items():
            found[name] = text.encode("utf-8", "replace")
        return found

    def _known(self) -> dict[str, str]:
        """What needs no collecting: digests of what we put there ourselves."""
        import hashlib  # of no use to cases

        return {name: hashlib.sha256(data).hexdigest() for name, data in self._contents().items()}

    def _stdin(self) -> int:
        path = os.path.join(self._job["workdir"], "stdin")
        with open(path, "xb") as file:
            file.write(binascii.a2b_base64(self._job["stdin"]))
        fd = os.open(path, os.O_RDONLY)
        os.unlink(path)
        return fd


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

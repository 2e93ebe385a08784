"""What is kept of each finished task: one line of JSON, written when it has ended."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from bench.humaneval_setting import Setting
from bench.humaneval_tasks import BenchError

STRONGEST_ALONE = "ours-large"
WITHOUT_EXAMPLES = "ours-bare"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an arm made of a goal. `outcome` is '' for an arm that passes no verdict.

    `own`, `generated` and `disputed` are the cases that the final code met, as [passed, of];
    `candidates` how many versions were written. Tokens are the servers' counts, by model.
    """

    code: str
    outcome: str = ""
    reason: str = ""
    own: tuple[int, int] = (0, 0)
    generated: tuple[int, int] = (0, 0)
    disputed: int = 0
    candidates: int = 1
    calls: int = 0
    tokens_in: Mapping[str, int] = field(default_factory=dict)
    tokens_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One arm's answer to one task. `official` is a word of humaneval_judge.Ruling; `right` is None
    where it is 'fault'. `seconds` are of the arm alone, without the official test.

    `given_again`: how many replies an earlier run's log gave. What these had taken is added to
    `seconds`, one after the other, as if none had come while another did.
    """

    arm: str
    task: int
    official: str
    right: bool | None
    official_message: str
    seconds: float
    answer: Answer
    setting: Setting
    given_again: int = 0


def to_line(record: Record) -> str:
    """One line of JSON with its end."""
    return json.dumps(asdict(record), separators=(",", ":")) + "\n"


def from_line(line: str) -> Record:
    """The record of a line. Raises ValueError, KeyError or TypeError for anything else."""
    fields = json.loads(line)
    answer = fields.pop("answer")
    for pair in ("own", "generated"):
        answer[pair] = tuple(answer[pair])
    setting = Setting(**fields.pop("setting"))
    return Record(**fields, answer=Answer(**answer), setting=setting)


def read(paths: Iterable[Path]) -> tuple[Record, ...]:
    """All records of these files, which may be gzipped; a half-written last line is left out.

    Raises BenchError, also where they are of different tasks.
    """
    found = tuple(record for path in paths for record in _parsed(path, _text(path)))
    if len(sets := sorted({record.setting.tasks for record in found})) > 1:
        raise BenchError(f"These results are of different tasks ({'; '.join(sets)}): report each.")
    return found


class Results:
    """A file of records that grows. `done` are those that it holds."""

    def __init__(self, path: Path, file: IO[str], done: list[Record]) -> None:
        self._path = path
        self._file = file
        self.done = done

    def check(self, arm: str, setting: Setting) -> None:
        """Raise BenchError when the file's results can't stand beside results of this setting."""
        for record in self.done:
            # The yardstick has the strongest model in every role, so only its own lines count.
            alike = (record.arm == STRONGEST_ALONE) == (arm == STRONGEST_ALONE)
            what = ""
            if record.setting.tasks != setting.tasks:
                what = f"tasks ({record.setting.tasks}; now {setting.tasks})"
            elif record.setting.prompts != setting.prompts:
                what = f"prompts {record.setting.prompts}, which are now {setting.prompts}"
            elif record.setting.run and record.setting.run != setting.run:
                what = f"run settings ({_shown(record.setting.run)}; now {_shown(setting.run)})"
            elif alike and record.setting.models != setting.models:
                what = f"models {_shown(record.setting.models)}, now {_shown(setting.models)}"
            if what:
                raise BenchError(
                    f"{self._path} holds results of other {what}. Begin a new file with --out, "
                    "or bring back what it was made with."
                )

    def add(self, record: Record) -> None:
        """Append it; it is on the disk when this returns."""
        self._file.write(to_line(record))
        self._file.flush()
        os.fsync(self._file.fileno())
        self.done.append(record)


@contextmanager
def opened(path: Path) -> Iterator[Results]:
    """The file to add to, made if need be; a half-written last line is cut off.

    Raises BenchError for a file of anything else, or when another bench writes to it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BenchError(f"Another bench writes to {path}. Take another --out.") from error
        text = _text(path)
        done = _parsed(path, text)
        whole = text.rfind("\n") + 1
        if whole < len(text):
            print(f"{path}: a half-written last line is dropped", file=sys.stderr)
            file.truncate(len(text[:whole].encode()))
        yield Results(path, file, done)


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
        # A torn line may hold anything.
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8", "replace")
    except (OSError, EOFError, zlib.error) as error:
        raise BenchError(f"{path} can't be read ({error}).") from error


def _parsed(path: Path, text: str) -> list[Record]:
    records = []
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            records.append(from_line(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            mend = "Take another --out, or remove that line"
            raise BenchError(
                f"{path}, line {number} is no result of this bench. {mend}."
            ) from error
    return records


def _shown(values: Mapping[Any, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(values.items()))

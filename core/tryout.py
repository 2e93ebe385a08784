"""A run's code as a program of the user's: run once with arguments, input and files of theirs."""

from __future__ import annotations

import ast
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.cancel import Cancel
from core.errors import BadInput, SandboxError
from core.log import EventLog
from core.sandbox import ProgramResult, Sandbox
from core.sandbox.files import check_inputs
from core.state import CandidateState, RunState, fold
from core.tools import SkillLibrary

MAX_ARGUMENTS = 100
MAX_STDIN_BYTES = 1024 * 1024
AT_ONCE = 2
MODULE = "candidate"  # what the code is called where an expression uses it
WAIT_S = 30.0
_BAD_SOURCE = (SyntaxError, ValueError, RecursionError, MemoryError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What the user gave. `call` is an expression over the code's names, whose value is printed;
    with one, the code is imported and not run as a program.

    `files` come on top of those of the run, and replace those of the same name.
    """

    arguments: tuple[str, ...] = ()
    stdin: bytes = b""
    call: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of it: `hint` helps where nothing was printed, and is '' otherwise."""

    candidate: str
    result: ProgramResult
    hint: str


class TryOut:
    """Runs candidates for people; at most AT_ONCE at a time, others wait up to WAIT_S seconds."""

    def __init__(self, log: EventLog, sandbox: Sandbox, skills: SkillLibrary) -> None:
        self._log = log
        self._sandbox = sandbox
        self._skills = skills
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._cancel = Cancel()

    def run(self, run_id: str, trial: Trial) -> Tried:
        """Run the run's chosen code once. Raises RunNotFound, BadInput, Cancelled, and SandboxError
        where it can't be run at all.
        """
        state = fold(self._log.since(run_id))
        candidate = chosen(state)
        if candidate is None:
            raise BadInput("run", "This run has no code yet. Wait until it has written some.")
        skills = {skill.name: skill.source for skill in self._skills.get(state.tools)}
        files = {**self._log.files(run_id), **trial.files}
        check(trial)
        code, modules = candidate.code, skills
        if trial.call:
            code, modules = calling(trial.call.strip()), {**skills, MODULE: candidate.code}
        check_inputs(files, modules=modules)
        if not self._places.acquire(timeout=WAIT_S):
            raise SandboxError("Other programs are being tried. Try again when they are done.")
        try:
            result = self._sandbox.execute(
                code,
                arguments=trial.arguments,
                stdin=trial.stdin,
                modules=modules,
                files=files,
                cancel=self._cancel,
            )
        finally:
            self._places.release()
        hint = "" if trial.call or said_something(result) else what_to_call(candidate.code)
        return Tried(candidate=candidate.candidate, result=result, hint=hint)

    def close(self) -> None:
        """End what is running."""
        self._cancel.set()


def chosen(state: RunState) -> CandidateState | None:
    """The run's result, or while it is under way the newest version of the code."""
    if state.finished and state.finished.candidate:
        return state.candidate(state.finished.candidate)
    return state.candidates[-1] if state.candidates else None


def check(trial: Trial) -> None:
    """Raise BadInput for what no program can be given."""
    if len(trial.arguments) > MAX_ARGUMENTS:
        raise BadInput("arguments", f"At most {MAX_ARGUMENTS} arguments can be given.")
    if any("\0" in argument for argument in trial.arguments):
        raise BadInput("arguments", "An argument can't have a NUL character in it.")
    if len(trial.stdin) > MAX_STDIN_BYTES:
        raise BadInput("stdin", "The input is longer than 1 MiB. Send it as a file instead.")
    if trial.call:
        try:
            ast.parse(trial.call.strip(), mode="eval")
        except _BAD_SOURCE as error:
            why = error.msg if isinstance(error, SyntaxError) else error
            raise BadInput(
                "call", f"This is no Python expression like add(2, 3): {why}."
            ) from error


def calling(call: str) -> str:
    """A program that prints the value of the expression `call` over the names of MODULE."""
    return f"import {MODULE}\n\nprint(repr(eval({call!r}, vars({MODULE}))))\n"


def said_something(result: ProgramResult) -> bool:
    """Whether the user sees anything come of the program."""
    silent = result.status == "finished" and result.exit_code == 0
    return not silent or bool(result.stdout.strip() or result.stderr.strip() or result.files)


def what_to_call(code: str) -> str:
    """Why a program printed nothing, and what there is to call; '' if that can't be said."""
    try:
        body = ast.parse(code).body
    except _BAD_SOURCE:
        return ""
    if any(isinstance(node, ast.If) and "__main__" in ast.unparse(node.test) for node in body):
        return "The program ended without printing anything."
    names = callables_in(body)
    text = "Nothing was printed: the code has no part for running it as a program."
    return f"{text} You can call {', '.join(names)}." if names else text


def callables_of(code: str) -> list[str]:
    """What `code` has to be called; nothing if it is no Python."""
    try:
        return callables_in(ast.parse(code).body)
    except _BAD_SOURCE:
        return []


def callables_in(body: Sequence[ast.stmt]) -> list[str]:
    """The public functions and classes, like `add(a, b)` and `Counter(start)`."""
    found = []
    for node in body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            found.append(f"{node.name}({_parameters(node.args)})")
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            starts = [n for n in node.body if isinstance(n, ast.FunctionDef)]
            start = next((n.args for n in starts if n.name == "__init__"), None)
            found.append(f"{node.name}({_parameters(start, skip=1) if start else ''})")
    return found


def _parameters(arguments: ast.arguments, skip: int = 0) -> str:
    names = [one.arg for one in [*arguments.posonlyargs, *arguments.args]][skip:]
    names += [f"*{arguments.vararg.arg}"] if arguments.vararg else []
    names += [f"{one.arg}=" for one in arguments.kwonlyargs]
    return ", ".join(names)

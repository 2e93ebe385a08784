"""Run a candidate as a program of its own."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading
import traceback
from types import ModuleType

from .telling import own_frames

TYPE_CHECKING = False  # importing typing would cost each process time and memory
if TYPE_CHECKING:
    from typing import NoReturn


def run(path: str, arguments: list[str]) -> NoReturn:
    """Execute the file as `__main__`, then leave with the exit status that Python would have."""
    leave = os._exit
    status = 70
    try:
        status = _execute(path, arguments)
    finally:
        leave(status)


def _execute(path: str, arguments: list[str]) -> int:
    module = ModuleType("__main__")
    module.__file__ = path
    sys.modules["__main__"] = module
    sys.argv = [os.path.basename(path), *arguments]
    with open(path, "rb") as file:
        text = file.read().decode("utf-8")
    status = 0
    try:
        exec(compile(text, path, "exec", dont_inherit=True), module.__dict__)
    except SystemExit as error:
        status = _exit_status(error.code)
    except BaseException as error:  # the program's own; it ends as Python ends one
        frames = own_frames(error.__traceback__)
        traceback.print_exception(type(error), error, frames)
        status = 130 if isinstance(error, KeyboardInterrupt) else 1
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the program may have put anything there
            stream.flush()
    return status


def _exit_status(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1

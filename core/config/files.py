"""The file under the configuration: read whole, locked, replaced whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from core.config.problems import MAX_CHARACTERS
from core.errors import ConfigError, Problem, StorageError

_SHIPPED = "Copy the project's own config.yaml there, or name another file with --config"


def read_text(path: Path, source: str) -> str:
    """The file's text. Raises ConfigError, naming it `source`, for what is no readable text."""
    try:
        with path.open("rb") as file:
            raw = file.read(4 * MAX_CHARACTERS + 1)  # a character takes at most 4 bytes
    except FileNotFoundError as error:
        raise file_problem(source, "there is no such file", _SHIPPED) from error
    except IsADirectoryError as error:
        raise file_problem(source, "this is a directory", "Name a YAML file in it") from error
    except PermissionError as error:
        mend = "Give the user that runs this read permission on it"
        raise file_problem(source, "the file may not be read", mend) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = f"the file can't be read ({error})"
        raise file_problem(source, reason, "Check the path and the disk") from error
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problem = Problem("file", line, "the text is not UTF-8", "Save the file as UTF-8")
        raise ConfigError(source, (problem,)) from error


def file_problem(source: str, message: str, mend: str) -> ConfigError:
    """A ConfigError about the file as a whole."""
    return ConfigError(source, (Problem("file", 0, message, mend),))


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keeps other processes (and other stores) from saving at the same time.

    The lock is on the directory: the file itself is replaced by the save.
    """
    try:
        handle = os.open(path.resolve().parent, os.O_RDONLY)
    except OSError as error:
        raise _cant_write(path, error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def replace(path: Path, text: str) -> None:
    """Write all of `text` or nothing; permissions stay, and a symbolic link stays one."""
    target = path.resolve()
    temporary = ""
    try:
        if not os.access(target, os.W_OK):
            raise PermissionError(13, "the file is read-only")
        before = target.stat()
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(handle, before.st_mode & 0o7777)
            with contextlib.suppress(PermissionError):
                os.fchown(handle, before.st_uid, before.st_gid)
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(handle)
        Path(temporary).replace(target)
    except OSError as error:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
        raise _cant_write(path, error) from error


def _cant_write(path: Path, error: OSError) -> StorageError:
    reason = error.strerror or str(error)
    return StorageError(
        f"{path} was not saved ({reason}); it is unchanged. Check the disk's free space and the "
        "permissions of the file and its directory"
    )

"""What was typed for an endpoint, looked at before it is written: names of places, not secrets.

The file may say more than this: what it says already is left alone. No problem quotes what was
typed, since that may be a secret that went into the wrong field.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from core.config.details import Details
from core.config.endpoint import EndpointConfig, HeaderConfig
from core.config.endpoint_headers import (
    ENV,
    MAX_LINES,
    Fault,
    looks_secret,
    name_fault,
    of_lines,
    value_fault,
)
from core.config.endpoint_reading import NUMBERS
from core.errors import Problem

_USUAL = re.compile(r"[A-Z_][A-Z0-9_]*")
_NAME_IT = "Put the secret into an environment variable or a file, and type the name of that"
_WRONG_ENV = Fault("this is no name of an environment variable", f"{_NAME_IT}, like MY_KEY")
_UNSET_ENV = Fault(
    "no environment variable of that name is set, and it is not in capitals as most are: it may be "
    "the secret itself",
    "Set the variable and start CodeEvolver again, or type another name",
)
_UNPLACED = Fault("it is not said where the key is", "Choose: in a variable, or in a file")
_WRONG_FILE = Fault("there is no file that can be read", "Type the path of one that is there")


class Typed:
    """Looks at details; `known` are the role's endpoints as the file has them, relative paths
    count from `directory`."""

    def __init__(self, known: Collection[EndpointConfig], directory: Path) -> None:
        auths = [one.auth for one in known if one.auth]
        headers = [header for one in known for header in one.headers]
        self._directory = directory
        self._envs = {auth.env for auth in auths} | {header.env for header in headers}
        self._files = {auth.file for auth in auths} | {one.ca_file for one in known}
        self._headers = {(header.name, header.value) for header in headers}

    def problems(self, path: str, details: Sequence[Details | None]) -> Iterator[Problem]:
        """Of the endpoints below `path`, the nth detail is the nth's."""
        for index, one in enumerate(details):
            for key, fault in self._faults(one) if one else ():
                yield Problem(f"{path}[{index}].{key}", 0, fault.message, fault.mend)

    def _faults(self, one: Details) -> Iterator[tuple[str, Fault]]:
        for key, number in (("weight", one.weight), ("max_inflight", one.max_inflight)):
            allowed = NUMBERS[key]
            if not isinstance(number, int) or not allowed.low <= number <= allowed.high:
                least, most = int(allowed.low), int(allowed.high)
                yield key, Fault(f"it must be a whole number from {least} to {most}", "")
        if one.key_env and (fault := self._env_fault(one.key_env)):
            yield "auth.env", fault
        if one.key_file and (fault := self._file_fault(one.key_file)):
            yield "auth.file", fault
        if one.key_unplaced and not self._was_key(one.key_unplaced):
            yield "auth", _UNPLACED
        if one.key_from and not one.has_key:
            yield "auth", Fault("the name of the variable or file is missing", _NAME_IT)
        if one.key_header and (fault := name_fault(one.key_header)):
            yield "auth.name", Fault(f"this {fault.message}", fault.mend)
        if one.ca_file and (fault := self._ca_fault(one.ca_file)):
            yield "ca_file", fault
        if fault := self._headers_fault(of_lines(one.headers)):
            yield "headers", fault

    def _was_key(self, written: str) -> bool:
        """Whether that is left over from a key that was just taken away."""
        return written in self._envs or self._file_fault(written, there=False) is None

    def _env_fault(self, name: str) -> Fault | None:
        if name in self._envs or (ENV.fullmatch(name) and name in os.environ):
            return None
        # One that is not set yet may be set at the next start, but must look like a name.
        if ENV.fullmatch(name) and not looks_secret(name):
            return None if _USUAL.fullmatch(name) else _UNSET_ENV
        return _WRONG_ENV

    def _file_fault(self, written: str, *, there: bool = True) -> Fault | None:
        """`there`: a new one will do, if it can be read."""
        try:
            file = self._directory / Path(written).expanduser()
            fine = file in self._files or (there and file.is_file() and os.access(file, os.R_OK))
        except (OSError, ValueError, RuntimeError):  # too long, a NUL, nobody's home
            fine = False
        return None if fine else _WRONG_FILE

    def _ca_fault(self, written: str) -> Fault | None:
        fault = self._file_fault(written)
        file = self._directory / Path(written).expanduser() if fault is None else None
        if file is None or file in self._files:
            return fault
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
        except (OSError, ValueError):
            return Fault("the file holds no certificates", "Name a file in PEM form")
        return None

    def _headers_fault(self, headers: Sequence[HeaderConfig]) -> Fault | None:
        """Of the first line that has one."""
        if len(headers) > MAX_LINES:
            return Fault(f"there are more than {MAX_LINES} headers", "Leave some out")
        seen = set[str]()
        for number, header in enumerate(headers, 1):
            fault = self._header_fault(header)
            if header.name.lower() in seen:
                fault = fault or Fault("the header is there twice", "Remove one of them")
            if fault:
                return Fault(f"line {number}: {fault.message}", fault.mend)
            seen.add(header.name.lower())
        return None

    def _header_fault(self, header: HeaderConfig) -> Fault | None:
        if not header.name:
            return Fault("has no name and colon", "Write a line like X-Team: blue")
        fault = name_fault(header.name)
        if fault or header.env:
            return fault or self._env_fault(header.env)
        if (header.name, header.value) in self._headers:
            return None
        if looks_secret(header.value):
            mend = 'Use "Key" above, or name a variable that holds it: X-Team: {env: NAME}'
            return Fault("looks like a secret, and would stand in the file for all to read", mend)
        fault = value_fault(header.name, header.value)
        if fault and fault.mend.startswith("Put"):
            return Fault(fault.message, 'Use "Key" above, or a variable: X-Team: {env: NAME}')
        return fault

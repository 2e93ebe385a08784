"""What an endpoint's headers and the places of its secrets may be called, and what looks like a
secret. Faults are told without quoting what was written: it may be the secret itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from core.config.endpoint import HeaderConfig

NOT_HERE = "Put the secret into an environment variable or a file, and name that: {env: NAME}"
ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
MAX_LINES = 64
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_SECRETIVE = re.compile(r"auth|key|token|secret|cookie|passw", re.I)
# What HTTP itself needs to be right.
_OURS = {"content-length", "transfer-encoding", "connection", "content-type", "accept-encoding"}
# How a header is written here whose value is in an environment variable.
_REFERENCE = re.compile(r"\{\s*env\s*:\s*(.*?)\s*\}")
# Beginnings that key makers give their keys, and words that a secret follows.
_KNOWN = re.compile(
    r"(?i:bearer|basic|token|apikey)\s+\S|(sk|pk|rk)[-_]|gh[pousr]_|github_pat_|glpat-|hf_"
    r"|xox[abprs]-|AIza|AKIA[A-Z0-9]{12}|eyJ[A-Za-z0-9_-]{8,}\.|-----BEGIN"
)
_LONG = re.compile(r"[A-Za-z0-9+/]{20,}")


class Fault(NamedTuple):
    """What is wrong and what to do."""

    message: str
    mend: str


def looks_secret(text: str) -> bool:
    """Whether it begins as keys do, or has a long run of mixed letters and digits."""
    runs = _LONG.findall(text)
    mixed = [run for run in runs if re.search("[0-9]", run) and re.search("[A-Za-z]", run)]
    return bool(_KNOWN.match(text) or mixed)


def name_fault(name: str) -> Fault | None:
    """Why no header can be called that."""
    if not _HEADER.fullmatch(name):
        return Fault("is no name of a header", "Write one like X-API-Key")
    if name.lower() in _OURS:
        return Fault("is a header that the app sets itself", "Leave it out")
    return None


def value_fault(name: str, value: str) -> Fault | None:
    """Why the header can't have that value written out."""
    if not (value.isascii() and value.isprintable()):
        mend = "Write plain text in quotes, or {env: NAME}"
        return Fault("should be one line of plain text", mend)
    if _SECRETIVE.search(name):
        return Fault("looks like a secret written out", NOT_HERE)
    return None


def as_lines(headers: Iterable[HeaderConfig]) -> str:
    """A line for each, like `X-Team: blue` or `X-Team: {env: TEAM}`."""
    return "\n".join(
        f"{one.name}: {f'{{env: {one.env}}}' if one.env else one.value}" for one in headers
    )


def of_lines(text: str) -> list[HeaderConfig]:
    """The headers in such lines, as typed; blank lines are none. A line without a colon is a
    header without a name."""
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, colon, value = line.partition(":")
        name, value = (name.strip(), value.strip()) if colon else ("", line)
        reference = _REFERENCE.fullmatch(value)
        env = reference[1] if reference else ""
        found.append(HeaderConfig(name=name, value="" if reference else value, env=env))
    return found


def as_mapping(headers: Iterable[HeaderConfig]) -> dict[str, Any]:
    """As the file writes them."""
    return {one.name: {"env": one.env} if one.env else one.value for one in headers}


def of_mapping(written: Mapping[str, Any]) -> list[HeaderConfig]:
    """A good file's `headers`."""
    return [
        HeaderConfig(name=name, env=value["env"])
        if isinstance(value, Mapping)
        else HeaderConfig(name=name, value=value.strip())
        for name, value in written.items()
    ]

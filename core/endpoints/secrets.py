"""The secrets of endpoints: read when a request is sent, and kept out of all that is told."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path

from core.config import AuthConfig, EndpointConfig
from core.errors import AppError, Unreachable

FILE_LIMIT_BYTES = 64 * 1024
HIDDEN = "[secret]"
# A secret's beginning, cut off by a limit on length, says too much from this length on.
TELLING = 6


@dataclass(frozen=True, slots=True)
class Access:
    """What goes with a request; `repr` shows none of it."""

    headers: dict[str, str]
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Access({', '.join(self.headers)})"


def access(endpoint: EndpointConfig) -> Access:
    """The endpoint's headers, with its secrets as they are now. Raises Unreachable."""
    headers: dict[str, str] = {}
    secrets: list[str] = []
    for header in endpoint.headers:
        headers[header.name] = header.value
        if header.env:
            headers[header.name] = _from_env(endpoint.url, header.env)
            secrets.append(headers[header.name])
    auth = endpoint.auth
    if auth is not None:
        secret = _secret(endpoint.url, auth)
        secrets.append(secret)
        if auth.type == "header":
            headers[auth.name] = secret
        elif auth.type == "bearer":
            headers["Authorization"] = f"Bearer {secret}"
        else:
            coded = base64.b64encode(secret.encode()).decode()
            secrets += [coded, secret.partition(":")[2]]
            headers["Authorization"] = f"Basic {coded}"
    longest_first = sorted(filter(None, secrets), key=len, reverse=True)
    return Access(headers, tuple(longest_first))


def redact(error: AppError, secrets: tuple[str, ...]) -> None:
    """Take the secrets out of the error's message, wherever a server may have repeated them."""
    message = error.message
    for secret in secrets:
        message = message.replace(secret, HIDDEN)
        for length in range(len(secret) - 1, TELLING - 1, -1):
            if secret[:length] in message:
                message = message.replace(secret[:length], HIDDEN)
                break
    if message != error.message:
        error.message = message
        error.args = (message,)


def hide(error: AppError, endpoint: EndpointConfig) -> None:
    """The same with the endpoint's own secrets, where they can be had."""
    try:
        secrets = access(endpoint).secrets
    except AppError:  # then none of them was sent
        return
    redact(error, secrets)


def _secret(url: str, auth: AuthConfig) -> str:
    return _from_env(url, auth.env) if auth.env else _from_file(url, auth.file or Path())


def _from_env(url: str, name: str) -> str:
    return _checked(url, os.environ.get(name, ""), f"the environment variable {name}")


def _from_file(url: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_LIMIT_BYTES)
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise _missing(url, f"the file {path} can't be read ({reason})") from error
    return _checked(url, raw.decode("utf-8", "replace"), f"the file {path}")


def _checked(url: str, secret: str, place: str) -> str:
    secret = secret.strip()
    if not secret:
        raise _missing(url, f"{place} is not set or empty")
    if not (secret.isascii() and secret.isprintable()):
        raise _missing(url, f"{place} holds characters that no header can carry")
    return secret


def _missing(url: str, reason: str) -> Unreachable:
    return Unreachable(url, "no_secret", f"The key for {url} is missing: {reason}")

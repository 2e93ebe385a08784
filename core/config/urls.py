"""What a user writes for an endpoint -> one canonical base URL and its kind.

`http://host:11434/`, `host:11434` and `http://HOST:11434/api` are the same endpoint, so they
become the same text. What can't be a base URL is refused here, before anything is sent anywhere.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Literal
from urllib.parse import SplitResult, urlsplit

Kind = Literal["auto", "ollama", "openai"]

OLLAMA_PORT = 11434
MAX_URL_LENGTH = 2000

# Users paste whole API addresses out of documentation; the base is what comes before.
_OPENAI_SUFFIX = re.compile(r"/+v1(/chat/completions|/completions|/models)?$")
_OLLAMA_SUFFIX = re.compile(r"/+api(/chat|/generate|/tags)?$")
_EVERY_INTERFACE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_EXAMPLE = "Write it like http://localhost:11434"


class BadUrl(ValueError):
    """Not a base URL: `message` says what is wrong (never quoting a secret), `mend` what to do."""

    def __init__(self, message: str, mend: str = _EXAMPLE) -> None:
        super().__init__(f"{message}. {mend}")
        self.message = message
        self.mend = mend


def normalise(text: str, kind: Kind = "auto") -> tuple[str, Kind]:
    """The canonical base URL (no trailing slash, no `/v1` or `/api`) and its kind.

    - no scheme: `http://`; `0.0.0.0` means this machine, so 127.0.0.1;
    - a `/v1` suffix makes kind `auto` into `openai`;
    - plain http without port and path is Ollama's port 11434, unless the kind is `openai`.

    Raises BadUrl. `normalise(*normalise(text))` gives the same again.
    """
    parts = _split(text.strip())
    host = _host(parts)
    path, kind = _path_and_kind(parts.path, kind)
    port = _port(parts)
    if port is None and parts.scheme == "http" and not path and kind != "openai":
        port = OLLAMA_PORT
    shown_host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown_host}{'' if port is None else f':{port}'}{path}", kind


def _split(text: str) -> SplitResult:
    if not text:
        raise BadUrl("the URL is empty", "Write null to use ollama.base_url")
    if len(text) > MAX_URL_LENGTH:
        raise BadUrl(f"the URL is longer than {MAX_URL_LENGTH} characters")
    if not text.isprintable() or any(char.isspace() or char == "\\" for char in text):
        raise BadUrl("the URL contains a space, a backslash or a control character")
    if "?" in text or "#" in text:
        raise BadUrl("the URL has a query or a fragment", "Leave out what follows `?` or `#`")
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
    except ValueError as error:
        raise BadUrl("this is not a URL") from error
    if "@" in parts.netloc:
        raise BadUrl(
            "the URL has a user name or a password in it",
            "Leave out what stands before `@`: a URL ends up in logs and on pages",
        )
    if parts.scheme not in ("http", "https"):
        raise BadUrl("the URL starts with neither http:// nor https://")
    return parts


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    if not host:
        raise BadUrl("the URL names no host")
    host = _EVERY_INTERFACE.get(host, host)
    if ":" in host or re.fullmatch(r"[0-9.]+", host):
        try:
            ipaddress.ip_address(host)
        except ValueError as error:
            raise BadUrl(f"{host} is not an IP address") from error
        return host
    try:
        # Also refuses empty labels, labels over 63 characters and what no DNS name can hold.
        ascii_host = host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise BadUrl("the URL's host is not a host name") from error
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}", ascii_host):
        raise BadUrl("the URL's host is not a host name")
    return host


def _port(parts: SplitResult) -> int | None:
    mend = "Write a port from 1 to 65535 after the host, like http://localhost:11434"
    try:
        port = parts.port
    except ValueError as error:
        raise BadUrl("the URL's port is not a number from 1 to 65535", mend) from error
    if port == 0 or (port is None and parts.netloc.endswith(":")):
        raise BadUrl("the URL's port is missing or 0", mend)
    return port


def _path_and_kind(path: str, kind: Kind) -> tuple[str, Kind]:
    """Strip API suffixes until none is left; `/v1` settles an open kind."""
    while True:
        path = path.rstrip("/")
        shorter = _OPENAI_SUFFIX.sub("", path)
        if shorter != path and kind == "auto":
            kind = "openai"
        # OpenRouter's base is /api/v1: on an OpenAI-compatible server /api is part of the base.
        if shorter == path and kind != "openai":
            shorter = _OLLAMA_SUFFIX.sub("", path)
        if shorter == path:
            return path, kind
        path = shorter

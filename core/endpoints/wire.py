"""What the two wire protocols have in common."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from core.endpoints import faults
from core.endpoints.values import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A piece of a reply; `finish` and the token counts come with its end, else '' and 0."""

    text: str = ""
    thinking: str = ""
    finish: str = ""
    tokens_in: int = 0
    tokens_out: int = 0


class Source(Protocol):
    """What a wire reads from: http.Stream."""

    endpoint: str

    def lines(self) -> Iterator[bytes]:
        """The body's lines."""

    def hurry(self, seconds: float) -> None:
        """Only a formality is still to come: don't wait for it longer than this."""


class Wire(Protocol):
    """One protocol: where to post, what, and how to read the answer."""

    path: str

    def body(
        self, request: Request, model: str, context_size: int, keep_alive: str | int
    ) -> dict[str, Any]:
        """The JSON to post; `context_size` 0 leaves it to the server."""

    def simpler(self, body: dict[str, Any], refusal: str) -> dict[str, Any] | None:
        """The body without what the server says it does not know; None when that is not why."""

    def chunks(self, source: Source, model: str) -> Iterator[Chunk]:
        """The reply; ends only after a proper finish, else raises BadReply or ModelMissing."""


def parse_object(endpoint: str, text: bytes) -> dict[str, Any]:
    """The JSON object in `text`; BadReply when it is none."""
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise faults.malformed(endpoint, text) from error
    if not isinstance(plain, dict):
        raise faults.malformed(endpoint, text)
    return plain


def text_of(plain: dict[str, Any], *keys: str) -> str:
    """The first of `keys` that holds a non-empty string, else ''."""
    for key in keys:
        value = plain.get(key)
        if value and isinstance(value, str):
            return value
    return ""


def count_of(plain: dict[str, Any], key: str) -> int:
    """A count the server gave, 0 when it gave none."""
    value = plain.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0

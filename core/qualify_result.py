"""What a measurement found, as values and in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Qualification:
    """What a measurement found, `at` in unix seconds.

    `passed` of `asked` tasks; `failed` names the others. Speeds are 0 when unknown. `note` says
    why it ended early or what else was seen, '' for nothing; with `asked` 0 nothing was measured.
    `id` is the endpoint's, '' in files from before there was one.
    """

    url: str
    model: str
    at: float
    passed: int
    asked: int
    failed: tuple[str, ...]
    first_token_s: float
    tokens_per_s: float
    seconds: float
    note: str = ""
    id: str = ""

    @property
    def place(self) -> str:
        """The endpoint's id, which tells it from others with the same URL."""
        return self.id or self.url


def summary(found: Qualification, now: float) -> str:
    """Like "38 tokens/s, first token 0.4 s, 6 of 6, 2 days ago"."""
    if not found.asked:
        return f"not measured: {found.note}, {ago(now - found.at)}"
    speed = f"{found.tokens_per_s:.0f} tokens/s, " if found.tokens_per_s else ""
    return (
        f"{speed}first token {_short(found.first_token_s)}, "
        f"{found.passed} of {found.asked}, {ago(now - found.at)}"
    )


def _short(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 0.1 else f"{max(1, round(seconds * 1000))} ms"


def ago(seconds: float) -> str:
    """Like "just now", "5 minutes ago" or "2 days ago"."""
    for size, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        count = int(seconds // size)
        if count >= 1:
            return f"{count} {word}{'s' if count > 1 else ''} ago"
    return "just now"

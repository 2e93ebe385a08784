"""How far a built-in model is, for the page and for the terminal."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal, TextIO

Phase = Literal["absent", "fetching", "verifying", "starting", "ready", "failed", "off"]

SPEED_WINDOW_S = 8.0
REPORT_EVERY_S = 0.25
LINE_EVERY_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One model's state. `bytes_per_s` 0 and `seconds_left` None mean not known."""

    phase: Phase
    model: str
    bytes_done: int = 0
    bytes_total: int = 0
    bytes_per_s: float = 0.0
    seconds_left: float | None = None
    source: str = ""
    message: str = ""


def describe(progress: Progress) -> str:
    """The progress as one sentence without a full stop."""
    text = f"Built-in model {progress.model}: {progress.phase}"
    if progress.phase == "fetching":
        done, total = progress.bytes_done / 1e6, progress.bytes_total / 1e6
        text += f" {done:.0f} of {total:.0f} MB"
        if progress.bytes_per_s:
            text += f", {progress.bytes_per_s / 1e6:.1f} MB/s"
        if progress.seconds_left is not None:
            text += f", {progress.seconds_left:.0f} s left"
        text += f", from {progress.source}" if progress.source else ""
    return f"{text} ({progress.message})" if progress.message else text


class Reporter:
    """Holds one model's latest Progress and publishes each change; one thread writes."""

    def __init__(
        self, initial: Progress, publish: Callable[[Progress], None], clock: Callable[[], float]
    ) -> None:
        self.current = initial
        self._publish = publish
        self._clock = clock
        self._marks: deque[tuple[float, int]] = deque()
        self._published_at = float("-inf")

    def phase(
        self, phase: Phase, *, source: str = "", message: str = "", done: int | None = None
    ) -> None:
        """Enter a phase; speed and time left start anew. `done` None keeps the bytes."""
        self._marks.clear()
        self._set(
            replace(
                self.current,
                phase=phase,
                source=source,
                message=message,
                bytes_done=self.current.bytes_done if done is None else done,
                bytes_per_s=0.0,
                seconds_left=None,
            )
        )

    def bytes(self, done: int) -> None:
        """`done` bytes of the file are here; published at most four times a second."""
        now = self._clock()
        if now - self._published_at < REPORT_EVERY_S and done < self.current.bytes_total:
            return
        if self._marks and done < self._marks[-1][1]:
            self._marks.clear()
        self._marks.append((now, done))
        while now - self._marks[0][0] > SPEED_WINDOW_S:
            self._marks.popleft()
        seconds = now - self._marks[0][0]
        speed = (done - self._marks[0][1]) / seconds if seconds > 0 else 0.0
        left = (self.current.bytes_total - done) / speed if speed > 0 else None
        self._set(replace(self.current, bytes_done=done, bytes_per_s=speed, seconds_left=left))

    def _set(self, progress: Progress) -> None:
        self.current = progress
        self._published_at = self._clock()
        self._publish(progress)


class TerminalLine:
    """Writes progress to a terminal, as one line that is written over.

    Where it is no terminal: a line at each change of phase and every 5 s in between.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._tty = stream.isatty()
        self._last: dict[str, tuple[Phase, str, float]] = {}

    def __call__(self, progress: Progress) -> None:
        """Show it. Safe to hand to `Builtin(on_progress=...)`: one write per call."""
        now = self._clock()
        phase, message, at = self._last.get(progress.model, ("off", "", float("-inf")))
        changed = (phase, message) != (progress.phase, progress.message)
        if not self._tty and not changed and now - at < LINE_EVERY_S:
            return
        self._last[progress.model] = (progress.phase, progress.message, now)
        self._stream.write(self._frame(progress))
        self._stream.flush()

    def _frame(self, progress: Progress) -> str:
        if not self._tty:
            return describe(progress) + "\n"
        if progress.phase in ("ready", "failed", "absent", "off"):
            return "\r" + describe(progress) + "\x1b[K\n"
        # A line that wraps can't be written over.
        width = shutil.get_terminal_size().columns - 1
        return "\r" + describe(progress)[:width] + "\x1b[K"

"""What the calls of an endpoint or a role took and how they failed, in bounded memory."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from core.endpoints.counted import error_word
from core.errors import AppError, Cancelled

# Quantiles are over so many calls, charts show so many.
WINDOW = 200
POINTS = 60
# A reply that took less time to stream came in one piece: it says nothing about speed.
LEAST_STREAM_S = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One call that ended `at` (unix seconds). `error` is its class, '' when it served.

    `first_token_s` and `tokens_per_s` are 0 when it failed.
    """

    at: float
    seconds: float
    first_token_s: float = 0.0
    tokens_per_s: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Calls ended since the start, and what the last 200 that served took, in seconds.

    `errors` counts the failed ones by class. `tokens_per_s` is of the replies from their first
    token on, without those that came in one piece (5 ms or less); 0 when unknown. `points` are the
    last 60 calls, oldest first.
    """

    calls: int = 0
    errors: Mapping[str, int] = field(default_factory=dict)
    in_flight: int = 0
    first_token_p50_s: float = 0.0
    first_token_p95_s: float = 0.0
    seconds_p50: float = 0.0
    seconds_p95: float = 0.0
    tokens_per_s: float = 0.0
    points: tuple[Point, ...] = ()


NO_FIGURES = Figures()


@dataclass(frozen=True, slots=True)
class _Served:
    seconds: float
    first_token_s: float
    streamed_s: float
    tokens: int


class _Meter:
    def __init__(self) -> None:
        self.calls = 0
        self.in_flight = 0
        self.errors: Counter[str] = Counter()
        self.points: deque[Point] = deque(maxlen=POINTS)
        self.served: deque[_Served] = deque(maxlen=WINDOW)

    def figures(self) -> Figures:
        firsts = sorted(one.first_token_s for one in self.served)
        wholes = sorted(one.seconds for one in self.served)
        return Figures(
            calls=self.calls,
            errors=dict(self.errors),
            in_flight=self.in_flight,
            first_token_p50_s=quantile(firsts, 0.5),
            first_token_p95_s=quantile(firsts, 0.95),
            seconds_p50=quantile(wholes, 0.5),
            seconds_p95=quantile(wholes, 0.95),
            tokens_per_s=_rate(self.served),
            points=tuple(self.points),
        )


class Ledger:
    """Figures by key: an endpoint's id, a role. Thread-safe. `now` gives unix seconds."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._meters: dict[str, _Meter] = {}

    def began(self, *keys: str) -> None:
        """A call of these began."""
        with self._lock:
            for key in keys:
                self._meters.setdefault(key, _Meter()).in_flight += 1

    def served(
        self,
        key: str,
        *,
        seconds: float,
        first_token_s: float,
        tokens: int,
        streamed_s: float | None = None,
    ) -> None:
        """It ended well, with `tokens` in the reply (0: unknown).

        `streamed_s` seconds are from its first token to its last; None: all after the first. Of a
        call that waited in a queue, or failed elsewhere before, they are less than that.
        """
        streamed_s = seconds - first_token_s if streamed_s is None else streamed_s
        one = _Served(seconds, first_token_s, streamed_s, tokens)
        point = Point(
            at=self._now(), seconds=seconds, first_token_s=first_token_s, tokens_per_s=_rate([one])
        )
        with self._lock:
            meter = self._ended(key)
            meter.served.append(one)
            meter.points.append(point)

    def failed(self, key: str, error: str, *, seconds: float) -> None:
        """It failed with this class of error."""
        point = Point(at=self._now(), seconds=seconds, error=error)
        with self._lock:
            meter = self._ended(key)
            meter.errors[error] += 1
            meter.points.append(point)

    def dropped(self, key: str) -> None:
        """It was cancelled: no call to count."""
        with self._lock:
            self._ended(key).calls -= 1

    @contextlib.contextmanager
    def call(self, key: str) -> Iterator[Callable[[float, float, int], None]]:
        """A whole call, timed here with all its waiting; the function given is told of its success:
        the seconds to the reply's first token, those from there to its last, and its tokens. A call
        that raises is counted by its error's class, a cancelled one not at all."""
        began, served = time.monotonic(), list[tuple[float, float, int]]()
        self.began(key)
        try:
            yield lambda *reply: served.append(reply)
        except AppError as error:
            if isinstance(error, Cancelled):
                self.dropped(key)
            else:
                self.failed(key, error_word(error), seconds=time.monotonic() - began)
            raise
        except BaseException:
            self.dropped(key)
            raise
        seconds = time.monotonic() - began
        [(first_token_s, streamed_s, tokens)] = served
        self.served(
            key,
            seconds=seconds,
            first_token_s=first_token_s,
            streamed_s=streamed_s,
            tokens=tokens,
        )

    def of(self, key: str) -> Figures:
        """The figures as of now."""
        with self._lock:
            meter = self._meters.get(key)
            return meter.figures() if meter else NO_FIGURES

    def keep(self, known: Collection[str]) -> None:
        """Forget all others that have nothing under way."""
        with self._lock:
            for key in [one for one in self._meters if one not in known]:
                if self._meters[key].in_flight == 0:
                    del self._meters[key]

    def _ended(self, key: str) -> _Meter:
        meter = self._meters.setdefault(key, _Meter())
        meter.in_flight -= 1
        meter.calls += 1
        return meter


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` (0 to 1) of the ordered values don't exceed; 0 of none."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def _rate(calls: Collection[_Served]) -> float:
    counted = [one for one in calls if one.tokens > 0 and one.streamed_s > LEAST_STREAM_S]
    spent = sum(one.streamed_s for one in counted)
    return sum(one.tokens for one in counted) / spent if spent > 0 else 0.0

"""The statistics of the report."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

Z = statistics.NormalDist().inv_cdf(0.975)
RESAMPLES = 10_000


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95 % score interval of a share, from 0 to 1; (0, 1) where nothing was counted.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, Journal of
    the American Statistical Association 22 (1927), 209-212, without continuity correction.
    """
    if of == 0:
        return 0.0, 1.0
    share, weight = hits / of, Z * Z / of
    middle = (share + weight / 2) / (1 + weight)
    half = Z / (1 + weight) * math.sqrt(share * (1 - share) / of + weight / (4 * of))
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """Two arms on the same tasks. `difference` and its 95 % interval are shares, from -1 to 1;
    `p` is the exact two-sided McNemar test's."""

    tasks: int
    only_first: int
    only_second: int
    difference: float
    low: float
    high: float
    p: float


def paired(pairs: Sequence[tuple[bool, bool]]) -> Paired:
    """Compare two arms by (first is right, second is right) for each task; at least one pair.

    The interval is the percentile bootstrap's over tasks (B. Efron and R. Tibshirani, An
    Introduction to the Bootstrap, 1993, chapter 13), always with the same random numbers.
    """
    only_first = sum(first and not second for first, second in pairs)
    only_second = sum(second and not first for first, second in pairs)
    differences = [int(first) - int(second) for first, second in pairs]
    dice = random.Random(1)
    sums = sorted(sum(dice.choices(differences, k=len(pairs))) for _ in range(RESAMPLES))
    return Paired(
        tasks=len(pairs),
        only_first=only_first,
        only_second=only_second,
        difference=sum(differences) / len(pairs),
        low=sums[int(0.025 * RESAMPLES)] / len(pairs),
        high=sums[int(0.975 * RESAMPLES) - 1] / len(pairs),
        p=mcnemar(only_first, only_second),
    )


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p of the exact test: are the tasks that one arm alone solves evenly split?

    Q. McNemar, Note on the sampling error of the difference between correlated proportions,
    Psychometrika 12 (1947), 153-157, with the binomial distribution in place of its approximation.
    """
    split = only_first + only_second
    tail = sum(math.comb(split, k) for k in range(min(only_first, only_second) + 1))
    return float(min(1.0, 2 * tail / 2**split))


def median(values: Sequence[float]) -> float:
    """0 where there is none."""
    return statistics.median(values) if values else 0.0


def p90(values: Sequence[float]) -> float:
    """What nine in ten don't exceed, between values interpolated; 0 where there is none."""
    if len(values) < 2:
        return median(values)
    return statistics.quantiles(values, n=10, method="inclusive")[8]

"""The Mann-Whitney U test (Wilcoxon's rank-sum test) on two binned distributions.

Mann and Whitney, "On a test of whether one of two random variables is
stochastically larger than the other", 1947; the normal approximation with the
correction for ties, and for continuity, as in Lehmann, "Nonparametrics". All
values of one bucket are ties, so a shift within a bucket is not detected.

The p-value holds for independent values. Exits are not: neighbours share caches,
load and clock frequency. Of a million exits any drift of the host is
"significant", so p alone never makes a change real. The effect has to be there,
too: the probability that a value after is larger than one before, ties half
(Vargha and Delaney's A, "A critique and improvement of the CL common language
effect size statistics", 2000): 0.5 is no effect, 0.56 (or 0.44) is what they call
a small one, 0.64 a medium and 0.71 a large one.

And the means, which are exact, have to differ the same way: a narrow distribution
that crosses the edge of a bucket by a per cent looks like a large effect.

Limits: a host that is busier or clocked lower afterwards makes every line slower, which is
real, but not caused by the guest. This test does not detect a change of the tail alone.
"""

from enum import Enum
from math import erfc, sqrt

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.histogram import Counts

ALPHA = 0.001
"""The probability of one false alarm among all lines, if exits were independent."""

SMALL_EFFECT = 0.06
"""The minimum distance of the probability from 0.5."""

SMALL_RATIO = 1.1
"""The minimum ratio of the larger mean to the smaller."""

FEWEST = 20
"""With fewer values on a side, the normal approximation is too inaccurate."""


class Verdict(Enum):
    """The result for a latency, after compared to before."""

    UNKNOWN = "unknown"  # no latencies on one side, or idle time
    TOO_FEW = "too few"
    NOISE = "noise"
    FASTER = "faster"
    SLOWER = "slower"


def rank_sum(before: Counts, after: Counts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compare histograms line by line, shape (n, BUCKETS) each.

    Returns the probability that a value after is larger than one before, ties
    half, and the two-sided p-value, shape (n,) each; nan where a side is empty.
    """
    b, a = before.astype(np.float64), after.astype(np.float64)
    n_before, n_after = b.sum(axis=1), a.sum(axis=1)
    pairs, n = n_before * n_after, n_before + n_after
    u = (a * (np.cumsum(b, axis=1) - b / 2)).sum(axis=1)
    ties = a + b
    with np.errstate(invalid="ignore", divide="ignore"):
        tied = (ties * (ties**2 - 1)).sum(axis=1) / (n * (n - 1))
        sigma = np.sqrt(np.maximum(pairs / 12 * (n + 1 - tied), 0))
        z = np.maximum(np.abs(u - pairs / 2) - 0.5, 0) / sigma
        larger = u / pairs
    z = np.where(sigma > 0, z, 0)
    p = np.array([erfc(value / sqrt(2)) for value in z], np.float64)
    return larger, np.where(pairs > 0, p, np.nan)


def verdict(
    timed: tuple[int, int], larger: float, p: float, mean_ratio: float, tests: int
) -> Verdict:
    """Return the verdict on one of `tests` comparisons (Bonferroni) of `timed` values each.

    `mean_ratio` is the mean after to that before.
    """
    if not all(timed):
        return Verdict.UNKNOWN
    if min(timed) < FEWEST:
        return Verdict.TOO_FEW
    if p * tests > ALPHA:
        return Verdict.NOISE
    if larger >= 0.5 + SMALL_EFFECT and mean_ratio >= SMALL_RATIO:
        return Verdict.SLOWER
    if larger <= 0.5 - SMALL_EFFECT and mean_ratio <= 1 / SMALL_RATIO:
        return Verdict.FASTER
    return Verdict.NOISE

"""The histogram: log-linear buckets of latencies in ns.

The programs fill it (`bpf_programs/rows.h`) and define its edges: 16 ns wide below 64 ns, then four
buckets per power of two up to 2**36 ns, and one last bucket for everything above. A bucket is at
most a quarter of its lower edge wide, which bounds the error of quantiles.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

UNIT_SHIFT = 4
TOP_SHIFT = 36
OVERFLOW = 124
BUCKETS = OVERFLOW + 1
SUB_BUCKETS = 4

Counts = NDArray[np.uint64]
"""Counts by bucket; the last axis has `BUCKETS` elements."""


def _edges() -> NDArray[np.uint64]:
    edges = list(range(SUB_BUCKETS))
    for shift in range((OVERFLOW - SUB_BUCKETS) // SUB_BUCKETS):
        edges += [top << shift for top in range(SUB_BUCKETS, 2 * SUB_BUCKETS)]
    return np.array([edge << UNIT_SHIFT for edge in [*edges, 1 << (TOP_SHIFT - UNIT_SHIFT)]], "u8")


LOWER_NS = _edges()
"""The lower edge of each bucket, inclusive, in ns; the upper edge is the next lower one."""


def bucket_of(ns: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Return the bucket of each latency, as the programs choose it."""
    return np.searchsorted(LOWER_NS, ns, side="right") - 1


def quantiles(
    counts: Counts, wanted: Sequence[float], max_ns: NDArray[np.uint64]
) -> NDArray[np.float64]:
    """Return quantiles in ns of each histogram in `counts`, shape (n, BUCKETS): (len(wanted), n).

    The quantile q is interpolated in the bucket of the sample of rank ceil(q * total), so its
    error is less than the width of that bucket; it never exceeds `max_ns`, shape (n,). An empty
    histogram gives nan.
    """
    sums = np.cumsum(counts, axis=1, dtype=np.float64)
    totals = sums[:, -1] if len(counts) else np.zeros(0)
    found = [_of_rank(counts, sums, np.maximum(np.ceil(q * totals), 1), max_ns) for q in wanted]
    return np.where(totals > 0, np.minimum(np.stack(found), max_ns), np.nan)


def _of_rank(
    counts: Counts,
    sums: NDArray[np.float64],
    ranks: NDArray[np.float64],
    max_ns: NDArray[np.uint64],
) -> NDArray[np.float64]:
    """Return where the sample of a rank lies in each histogram; `sums` are its counts added up."""
    bucket = np.argmax(sums >= ranks[:, None], axis=1)
    lines = np.arange(len(counts))
    inside = counts[lines, bucket].astype(np.float64)
    before = sums[lines, bucket] - inside
    lower = LOWER_NS[bucket].astype(np.float64)
    upper = np.append(LOWER_NS[1:], 0).astype(np.float64)[bucket]
    upper = np.where(bucket == OVERFLOW, np.maximum(max_ns, lower), upper)
    with np.errstate(invalid="ignore", divide="ignore"):
        value: NDArray[np.float64] = lower + (upper - lower) * (ranks - before - 0.5) / inside
    return value


def rebucketed(counts: Counts, edges_ns: NDArray[np.uint64]) -> Counts:
    """Return the counts between coarser lower edges in ns, shape (..., len(edges_ns)).

    Every edge must be in `LOWER_NS` and the first must be 0, so that no bucket is split; otherwise
    raises `ValueError`. Counts stay exact.
    """
    if not len(edges_ns) or edges_ns[0] != 0 or np.any(edges_ns[1:] <= edges_ns[:-1]):
        raise ValueError("edges must rise from 0")
    if not np.isin(edges_ns, LOWER_NS).all():
        raise ValueError("an edge would split a bucket")
    summed: Counts = np.add.reduceat(counts, np.searchsorted(LOWER_NS, edges_ns), axis=-1)
    return summed


def _powers_of_two() -> NDArray[np.uint64]:
    return np.array([0, *(1 << shift for shift in range(UNIT_SHIFT, TOP_SHIFT + 1))], "u8")


POWERS_OF_TWO_NS = _powers_of_two()
"""Lower edges in ns of one bucket per power of two from 16 ns on, for `rebucketed`."""

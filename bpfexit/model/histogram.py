"""The one histogram: log-linear buckets of latencies in nanoseconds.

The programs fill it (`bpf_programs/rows.h`), so its edges are theirs: 16 ns wide
below 64 ns, then four buckets to each power of two up to 2**36 ns, and one last
bucket for everything above. A bucket is at most a quarter of its lower edge
wide, which bounds the error of a quantile read from it.
"""

import numpy as np
from numpy.typing import NDArray

UNIT_SHIFT = 4
TOP_SHIFT = 36
OVERFLOW = 124
BUCKETS = OVERFLOW + 1
SUB_BUCKETS = 4

Counts = NDArray[np.uint64]
"""Counts for each bucket; the last axis has `BUCKETS` places."""


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


def quantiles(counts: Counts, q: float, max_ns: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return the `q` quantile in ns of each histogram in `counts`, shape (n, BUCKETS).

    It lies in the bucket that holds the sample of rank ceil(q * n), at the place
    it has when that bucket's samples lie evenly, so it is off by less than that
    bucket's width, and it never exceeds `max_ns`, shape (n,). An empty histogram
    gives nan.
    """
    totals = counts.sum(axis=1)
    ranks = np.maximum(np.ceil(q * totals), 1)
    sums = np.cumsum(counts, axis=1, dtype=np.float64)
    at = np.argmax(sums >= ranks[:, None], axis=1)
    lines = np.arange(len(counts))
    inside = counts[lines, at].astype(np.float64)
    before = sums[lines, at] - inside
    lower = LOWER_NS[at].astype(np.float64)
    upper = np.append(LOWER_NS[1:], 0).astype(np.float64)[at]
    upper = np.where(at == OVERFLOW, np.maximum(max_ns, lower), upper)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = lower + (upper - lower) * (ranks - before - 0.5) / inside
    return np.where(totals > 0, np.minimum(value, max_ns), np.nan)


def rebucketed(counts: Counts, edges_ns: NDArray[np.uint64]) -> Counts:
    """Return the counts between coarser lower edges in ns, shape (..., len(edges_ns)).

    Every edge must be one of `LOWER_NS` and the first 0, so that no bucket is
    split and no count is guessed: raises `ValueError` otherwise. Counts stay
    exact; only where in the new bucket they were is lost.
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
"""Lower edges in ns of one bucket to each power of two from 16 ns on, for `rebucketed`."""

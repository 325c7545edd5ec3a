"""Many histograms at once: only the buckets in use are stored, mostly some ten of the 125."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from bpfexit.model.histogram import BUCKETS, LOWER_NS, OVERFLOW, Counts
from bpfexit.model.lazy_array import lazy_array

BLOCK = 4096

A_BUCKET_IN_USE = 13
"""Bytes of a bucket in use: its row, its number and its count."""


@dataclass(frozen=True)
class Histograms:
    """Histogram `row[i]`, of `n` from 0 on, has `count[i]` in bucket `bucket[i]`; no count is 0.

    Ordered by row, then by bucket; each pair occurs once.
    """

    n: int
    row: NDArray[np.uint32]
    bucket: NDArray[np.uint8]
    count: NDArray[Any]  # unsigned; 64 bits in sums

    @classmethod
    def of(cls, counts: NDArray[Any]) -> Histograms:
        """Return the histograms of a matrix of counts, shape (n, BUCKETS)."""
        used = np.flatnonzero(counts != 0)  # flatnonzero of booleans takes a fifth of the time
        row, bucket = _row_and_bucket(used)
        return cls(len(counts), row, bucket, counts.ravel()[used])

    @classmethod
    def added_up(
        cls, n: int, row: NDArray[Any], bucket: NDArray[Any], count: NDArray[Any]
    ) -> Histograms:
        """Return `n` histograms of counts in any order; counts of the same bucket are added up."""
        key = row.astype(np.int64) * BUCKETS + bucket
        count = count.astype(np.uint64)
        # Few histograms of many counts: all their buckets take less time than sorting.
        if n * BUCKETS <= len(key):
            sums = np.zeros(n * BUCKETS, np.uint64)
            np.add.at(sums, key, count)
            return cls.of(sums.reshape(n, BUCKETS))
        order = np.argsort(key, kind="stable")
        key = key[order]
        starts = (
            np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]])) if len(key) else order
        )
        key, count = key[starts], count[order]
        sums = np.add.reduceat(count, starts) if len(starts) else count
        used = sums != 0
        row, bucket = _row_and_bucket(key[used])
        return cls(n, row, bucket, sums[used])

    def __len__(self) -> int:
        return self.n

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return int(self.row.nbytes + self.bucket.nbytes + self.count.nbytes)

    def dense(self) -> Counts:
        """Return the matrix of all counts, shape (n, BUCKETS): a kilobyte per histogram."""
        counts = np.zeros((self.n, BUCKETS), np.uint64)
        counts[self.row, self.bucket] = self.count
        return counts

    @cached_property
    def starts(self) -> NDArray[np.intp]:
        """The index of each histogram's first count, and the end of all, shape (n+1,)."""
        return np.searchsorted(self.row, np.arange(self.n + 1, dtype=np.uint32))

    def totals(self) -> NDArray[np.uint64]:
        """Return the sum of each histogram's counts, shape (n,)."""
        until = np.concatenate([np.zeros(1, np.uint64), np.cumsum(self.count, dtype=np.uint64)])
        starts = self.starts
        totals: NDArray[np.uint64] = until[starts[1:]] - until[starts[:-1]]
        return totals

    def buckets(self, max_ns: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return lower edge, upper edge (exclusive), both ns, and count of each, shape (m, 3).

        They come in the order of `row`. The upper edge of the last bucket is just above
        the histogram's maximum, `max_ns` of shape (n,).
        """
        upper = np.append(LOWER_NS[1:], np.uint64(0))[self.bucket]
        last = self.bucket == OVERFLOW
        upper[last] = np.maximum(max_ns[self.row[last]], LOWER_NS[OVERFLOW]) + np.uint64(1)
        return np.stack([LOWER_NS[self.bucket], upper, self.count], axis=1)

    def highest(self) -> NDArray[np.intp]:
        """Return each histogram's highest bucket in use, -1 if it is empty, shape (n,)."""
        return self._bucket_at(self.starts[1:] - 1)

    def lowest(self) -> NDArray[np.intp]:
        """Return each histogram's lowest bucket in use, -1 when it is empty, shape (n,)."""
        return self._bucket_at(self.starts[:-1])

    def _bucket_at(self, indexes: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return of each histogram the bucket at this index, -1 if it is empty, shape (n,)."""
        in_use = self.starts[1:] > self.starts[:-1]
        bucket = np.full(self.n, -1, np.intp)
        bucket[in_use] = self.bucket[indexes[in_use]]
        return bucket

    def where(self, kept: NDArray[np.bool_]) -> Histograms:
        """Return the same with only the counts for which the mask is true, shape (m,)."""
        return Histograms(self.n, self.row[kept], self.bucket[kept], self.count[kept])

    def from_bucket(self, first: int) -> Histograms:
        """Return the same without the buckets below `first`."""
        return self.where(self.bucket >= first)

    def stddev(self, max_ns: NDArray[np.uint64]) -> NDArray[np.float64]:
        """Return the standard deviation of each, ns, shape (n,), as if buckets were even.

        nan for fewer than two samples. The last bucket ends at the maximum, `max_ns` of shape (n,).
        """
        edges = self.buckets(max_ns)[:, :2].astype(np.float64)
        count = self.count.astype(np.float64)
        middle, width = edges.mean(axis=1), edges[:, 1] - edges[:, 0]
        totals = np.bincount(self.row, count, self.n)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.bincount(self.row, count * middle, self.n) / totals
            squares = count * ((middle - mean[self.row]) ** 2 + width**2 / 12)
            variance = np.bincount(self.row, squares, self.n) / (totals - 1)
        return np.sqrt(np.where(totals > 1, variance, np.nan))

    def part(self, first: int, end: int) -> Histograms:
        """Return the histograms from `first` to before `end`."""
        low, high = np.searchsorted(self.row, np.array([first, end], np.uint32))
        row = self.row[low:high] - np.uint32(first)
        return Histograms(end - first, row, self.bucket[low:high], self.count[low:high])

    def blocks(self) -> Iterator[Histograms]:
        """Yield the histograms in blocks, small enough for all their buckets: a kilobyte each."""
        for first in range(0, self.n, BLOCK):
            yield self.part(first, min(first + BLOCK, self.n))

    def at(self, indexes: NDArray[np.intp], n: int) -> Histograms:
        """Return `n` histograms: these at ascending indexes, and empty ones elsewhere."""
        return Histograms(n, indexes[self.row].astype(np.uint32), self.bucket, self.count)

    def take(self, indexes: NDArray[Any]) -> Histograms:
        """Return the histograms at these indexes, in that order, or where this mask is true."""
        numbers = np.flatnonzero(indexes) if indexes.dtype == bool else indexes
        starts = self.starts
        sizes = starts[numbers + 1] - starts[numbers]
        row = np.repeat(np.arange(len(numbers), dtype=np.uint32), sizes)
        # From an index among the taken to one among all: the distance is the same per histogram.
        off = starts[numbers] - (np.cumsum(sizes) - sizes)
        source = np.arange(len(row)) + off[row]
        return Histograms(len(numbers), row, self.bucket[source], self.count[source])

    def without(self, emptied: NDArray[np.bool_]) -> Histograms:
        """Return the histograms, empty where the mask is true."""
        return self.where(~emptied[self.row])

    def summed(self, sum_of: NDArray[np.intp], n: int) -> Histograms:
        """Return `n` sums: histogram i belongs to the sum `sum_of[i]`."""
        return Histograms.added_up(n, sum_of[self.row], self.bucket, self.count)


def _row_and_bucket(key: NDArray[np.intp]) -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
    """Take row * BUCKETS + bucket apart: in 32 bits, enough for 34 million rows, and fast."""
    narrow = key.astype(np.uint32)
    row = narrow // np.uint32(BUCKETS)
    return row, (narrow - row * np.uint32(BUCKETS)).astype(np.uint8)


def no_histograms(n: int = 0) -> Histograms:
    """Return `n` empty histograms."""
    none = np.zeros(0, np.uint8)
    return Histograms(n, none.astype(np.uint32), none, none)


class JoinedHistograms:
    """Histograms that come in parts, with up to `most` buckets in use in all of them.

    The arrays are made once; the system gives memory only to what is filled.
    """

    def __init__(self, most: int, count: DTypeLike = "u8") -> None:
        """Make room for counts of that type."""
        self._n = self._used = 0
        self._row, self._bucket, self._count = (
            lazy_array(most, dtype) for dtype in ("u4", "u1", count)
        )

    def add(self, part: Histograms) -> None:
        """Append histograms."""
        new = slice(self._used, self._used + len(part.row))
        np.add(part.row, np.uint32(self._n), out=self._row[new])
        self._bucket[new], self._count[new] = part.bucket, part.count
        self._n, self._used = self._n + len(part), new.stop

    def all(self) -> Histograms:
        """Return all histograms."""
        used = slice(self._used)
        return Histograms(self._n, self._row[used], self._bucket[used], self._count[used])


def joined_histograms(parts: Sequence[Histograms]) -> Histograms:
    """Return the histograms of all parts, one after another."""
    count = np.result_type(np.uint8, *(part.count.dtype for part in parts))
    joined = JoinedHistograms(sum(len(part.row) for part in parts), count)
    for part in parts:
        joined.add(part)
    return joined.all()


ENTRIES_AT_ONCE = 1 << 19
"""Buckets in use that are added up at a time; each takes some 50 bytes."""


def summed_histograms(parts: Sequence[Histograms], sum_of: NDArray[np.intp], n: int) -> Histograms:
    """Return `n` sums of the histograms of all parts: the i-th of them belongs to `sum_of[i]`.

    Many are added up some sums at a time, which takes less memory.
    """
    entries = sum(len(part.row) for part in parts)
    steps = 1 + entries // ENTRIES_AT_ONCE
    if steps == 1:
        return joined_histograms(parts).summed(sum_of, n)
    ends = np.cumsum([len(part) for part in parts])
    sums_of = np.split(sum_of, ends[:-1])
    edges = np.linspace(0, n, steps + 1).astype(int).tolist()
    joined = JoinedHistograms(entries)
    for first, end in pairwise(edges):
        joined.add(_summed_between(parts, sums_of, first, end))
    return joined.all()


def _summed_between(
    parts: Sequence[Histograms], sums_of: Sequence[NDArray[np.intp]], first: int, end: int
) -> Histograms:
    """Return the sums from `first` to before `end`."""
    wanted = [(first <= sum_of) & (sum_of < end) for sum_of in sums_of]
    taken = [part.take(mask) for part, mask in zip(parts, wanted, strict=True)]
    own = [sum_of[mask] - first for sum_of, mask in zip(sums_of, wanted, strict=True)]
    return joined_histograms(taken).summed(np.concatenate(own), end - first)

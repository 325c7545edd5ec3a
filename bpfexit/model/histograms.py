"""Many histograms at once: only the buckets in use are kept, some ten of the 125 as a rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.histogram import BUCKETS, LOWER_NS, OVERFLOW, Counts
from bpfexit.model.room import room

BLOCK = 4096

A_BUCKET_IN_USE = 13
"""Bytes that one takes: its row, its number and its count."""


@dataclass(frozen=True)
class Histograms:
    """Histogram `row[i]`, of `n` from 0 on, has `count[i]` in bucket `bucket[i]`; no count is 0.

    Ordered by row, then bucket; each pair of them is there once.
    """

    n: int
    row: NDArray[np.uint32]
    bucket: NDArray[np.uint8]
    count: NDArray[Any]  # unsigned; that of sums has 64 bits

    @classmethod
    def of(cls, counts: NDArray[Any]) -> Histograms:
        """Return those of a matrix of counts, shape (n, BUCKETS)."""
        used = np.flatnonzero(counts != 0)  # that of booleans takes a fifth of the time
        row, bucket = np.divmod(used, BUCKETS)
        kept = counts.ravel()[used]
        return cls(len(counts), row.astype(np.uint32), bucket.astype(np.uint8), kept)

    @classmethod
    def added_up(
        cls, n: int, row: NDArray[Any], bucket: NDArray[Any], count: NDArray[Any]
    ) -> Histograms:
        """Return `n` histograms of counts in any order; those of one bucket are added up."""
        key = row.astype(np.int64) * BUCKETS + bucket
        count = count.astype(np.uint64)
        # Few histograms of many counts: all their buckets take less than sorting does.
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
        row, bucket = np.divmod(key[used], BUCKETS)
        return cls(n, row.astype(np.uint32), bucket.astype(np.uint8), sums[used])

    def __len__(self) -> int:
        return self.n

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        return int(self.row.nbytes + self.bucket.nbytes + self.count.nbytes)

    def dense(self) -> Counts:
        """Return the matrix of all counts, shape (n, BUCKETS): a kilobyte a histogram."""
        counts = np.zeros((self.n, BUCKETS), np.uint64)
        counts[self.row, self.bucket] = self.count
        return counts

    def starts(self) -> NDArray[np.intp]:
        """Return where the counts of each histogram begin, and the last one's end, shape (n+1,)."""
        return np.searchsorted(self.row, np.arange(self.n + 1, dtype=np.uint32))

    def totals(self) -> NDArray[np.uint64]:
        """Return the sum of each histogram's counts, shape (n,)."""
        until = np.concatenate([np.zeros(1, np.uint64), np.cumsum(self.count, dtype=np.uint64)])
        starts = self.starts()
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
        """Return each histogram's highest bucket in use, -1 when it is empty, shape (n,)."""
        highest = np.full(self.n, -1, np.intp)
        highest[self.row] = self.bucket  # the last assignment stays
        return highest

    def part(self, first: int, end: int) -> Histograms:
        """Return those from `first` to before `end`."""
        low, high = np.searchsorted(self.row, np.array([first, end], np.uint32))
        row = self.row[low:high] - np.uint32(first)
        return Histograms(end - first, row, self.bucket[low:high], self.count[low:high])

    def blocks(self) -> Iterator[Histograms]:
        """Yield them some at a time, few enough for all their buckets: a kilobyte each."""
        for first in range(0, self.n, BLOCK):
            yield self.part(first, min(first + BLOCK, self.n))

    def at(self, places: NDArray[np.intp], n: int) -> Histograms:
        """Return `n`: these at their places, which must ascend, and empty ones elsewhere."""
        return Histograms(n, places[self.row].astype(np.uint32), self.bucket, self.count)

    def take(self, at: NDArray[Any]) -> Histograms:
        """Return those at these places, in that order, or where this mask is true."""
        places = np.flatnonzero(at) if at.dtype == bool else at
        starts = self.starts()
        sizes = starts[places + 1] - starts[places]
        row = np.repeat(np.arange(len(places), dtype=np.uint32), sizes)
        # From the place among the taken to that among all, for each histogram the same way off.
        off = starts[places] - (np.cumsum(sizes) - sizes)
        source = np.arange(len(row)) + off[row]
        return Histograms(len(places), row, self.bucket[source], self.count[source])

    def without(self, emptied: NDArray[np.bool_]) -> Histograms:
        """Return the same, those where the mask is true emptied."""
        kept = ~emptied[self.row]
        return Histograms(self.n, self.row[kept], self.bucket[kept], self.count[kept])

    def summed(self, place: NDArray[np.intp], n: int) -> Histograms:
        """Return `n` sums: histogram i belongs to the sum `place[i]`."""
        return Histograms.added_up(n, place[self.row], self.bucket, self.count)


def no_histograms(n: int = 0) -> Histograms:
    """Return `n` empty ones."""
    none = np.zeros(0, np.uint8)
    return Histograms(n, none.astype(np.uint32), none, none)


class JoinedHistograms:
    """Histograms that come part by part, with up to `most` buckets in use in all of them.

    Room for all is made at once; the system gives memory to what is filled alone.
    """

    def __init__(self, most: int) -> None:
        self._n = self._used = 0
        self._row, self._bucket, self._count = (room(most, name) for name in ("u4", "u1", "u8"))

    def add(self, part: Histograms) -> None:
        """Put histograms behind those that are there."""
        place = slice(self._used, self._used + len(part.row))
        np.add(part.row, np.uint32(self._n), out=self._row[place])
        self._bucket[place], self._count[place] = part.bucket, part.count
        self._n, self._used = self._n + len(part), place.stop

    def all(self) -> Histograms:
        """Return all of them."""
        used = slice(self._used)
        return Histograms(self._n, self._row[used], self._bucket[used], self._count[used])


def joined_histograms(parts: Sequence[Histograms]) -> Histograms:
    """Return the histograms of all parts, one after another."""
    joined = JoinedHistograms(sum(len(part.row) for part in parts))
    for part in parts:
        joined.add(part)
    return joined.all()


ENTRIES_AT_ONCE = 1 << 19
"""Buckets in use that are added up at a time; that takes some 50 bytes for each."""


def summed_histograms(parts: Sequence[Histograms], place: NDArray[np.intp], n: int) -> Histograms:
    """Return `n` sums of the histograms of all parts: the i-th of them belongs to `place[i]`.

    Many are added up some sums at a time, which takes less memory than they do.
    """
    entries = sum(len(part.row) for part in parts)
    steps = 1 + entries // ENTRIES_AT_ONCE
    if steps == 1:
        return joined_histograms(parts).summed(place, n)
    ends = np.cumsum([len(part) for part in parts])
    places = np.split(place, ends[:-1])
    edges = np.linspace(0, n, steps + 1).astype(int).tolist()
    joined = JoinedHistograms(entries)
    for first, end in pairwise(edges):
        joined.add(_summed_between(parts, places, first, end))
    return joined.all()


def _summed_between(
    parts: Sequence[Histograms], places: Sequence[NDArray[np.intp]], first: int, end: int
) -> Histograms:
    """Return the sums from `first` to before `end`."""
    wanted = [(first <= place) & (place < end) for place in places]
    taken = [part.take(mask) for part, mask in zip(parts, wanted, strict=True)]
    own = [place[mask] - first for place, mask in zip(places, wanted, strict=True)]
    return joined_histograms(taken).summed(np.concatenate(own), end - first)

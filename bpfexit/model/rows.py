"""Rows: exits that share VM, vCPU thread, reason, access and address, with their sums.

All later stages work on `Rows`: a structured array and, next to it, the histograms, so that adding
up is a sort and a `reduceat`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.events.kind import Kind
from bpfexit.events.registry import KINDS
from bpfexit.model.histograms import (
    BLOCK,
    Histograms,
    JoinedHistograms,
    joined_histograms,
    no_histograms,
    summed_histograms,
)
from bpfexit.model.lazy_array import lazy_array
from bpfexit.model.structs import as_bytes, concatenated, taken

NO_REASON = -1
NO_VCPU = -1


IDENTITY = ("vm", "pid", "tid", "vcpu", "isa", "reason", "kind", "access", "size", "address")
"""The fields that identify a row. `vm` and `reason` are indexes of the snapshot's names."""

BLOCKED_SUMS = ("blocked_ns", "user_blocked_ns")
REQUESTED_SUMS = (*BLOCKED_SUMS, "poll_ns")
"""Those that are measured on request only."""
SUMS = (
    *("count", "timed", "total_ns", "user_count", "user_ns", "wait_ns", "user_wait_ns"),
    *REQUESTED_SUMS,
)
"""Sums over the exits of a row: `timed` of the `count` have a latency, `total_ns` is theirs.

`wait_ns` of it the thread waited for a CPU, and `user_wait_ns` of `user_ns`; both are 0 where
the snapshot's `origin.has_waiting` is not set. `blocked_ns` of it the thread was asleep without
waiting, and `user_blocked_ns` of `user_ns`; both are 0 without `origin.has_blocked`. The rest
it was on a CPU. `poll_ns` KVM polled for the end of halts; 0 without the view `halt`.
"""

FIELDS = np.dtype(
    [
        ("vm", "u4"),
        ("pid", "u4"),
        ("tid", "u4"),
        ("vcpu", "i4"),
        ("isa", "u1"),
        ("reason", "i4"),
        ("kind", "u1"),
        ("access", "u1"),
        ("size", "u1"),
        ("address", "u8"),
        ("count", "u8"),
        ("timed", "u8"),
        ("total_ns", "u8"),
        ("max_ns", "u8"),
        ("user_count", "u8"),
        ("user_ns", "u8"),
        ("wait_ns", "u8"),
        ("user_wait_ns", "u8"),
        ("blocked_ns", "u8"),
        ("user_blocked_ns", "u8"),
        ("poll_ns", "u8"),
        ("class", "u1"),  # of the reason, where a view is grouped by it: `model.classes`
    ]
)


@dataclass(frozen=True)
class Rows:
    """`fields`: structured, dtype `FIELDS`, shape (n,); `hist`: as many histograms."""

    fields: NDArray[Any]
    hist: Histograms

    def __len__(self) -> int:
        return len(self.fields)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return one field as an array, shape (n,)."""
        column: NDArray[Any] = self.fields[name]
        return column

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return int(self.fields.nbytes) + self.hist.nbytes

    def of_kinds(self, kinds: Sequence[Kind]) -> NDArray[np.bool_]:
        """Return which rows access a target of one of these kinds, shape (n,)."""
        wanted = np.zeros(max(KINDS) + 1, dtype=np.bool_)
        wanted[list(kinds)] = True
        of_kind: NDArray[np.bool_] = wanted[self["kind"]]
        return of_kind

    def take(self, indexes: NDArray[Any]) -> Rows:
        """Return the rows at these indexes, in that order, or where this mask is true."""
        return Rows(taken(self.fields, indexes), self.hist.take(indexes))

    def chosen(self, mask: NDArray[np.bool_]) -> Rows:
        """Return the rows where the mask is true; without a copy if it is true for all."""
        return self if mask.all() else self.take(mask)

    def part(self, first: int, end: int) -> Rows:
        """Return the rows from `first` to before `end`, or to the last."""
        end = min(end, len(self))
        return Rows(self.fields[first:end], self.hist.part(first, end))

    def blocks(self) -> Iterator[Rows]:
        """Yield the rows in blocks, small enough for all their buckets: a kilobyte each."""
        for first in range(0, len(self), BLOCK):
            yield self.part(first, first + BLOCK)

    def summed_by(self, names: Sequence[str]) -> tuple[Rows, NDArray[np.intp]]:
        """Add up the rows that agree in the named fields.

        Returns the sums, in the order of those fields, and for each row the index of its sum, shape
        (n,). The other fields are those of any row of the sum.
        """
        if not len(self):
            return self, np.zeros(0, np.intp)
        order, begins = grouped(self.fields, names)
        starts = np.flatnonzero(begins)
        fields = taken(self.fields, order[starts])
        for name in SUMS:
            if self[name].any():  # most are 0 in all rows, on request or on other back ends
                fields[name] = np.add.reduceat(self[name][order], starts)
        fields["max_ns"] = np.maximum.reduceat(self["max_ns"][order], starts)
        group_of = _group_indexes(order, begins)
        return Rows(fields, summed_histograms([self.hist], group_of, len(starts))), group_of


def grouped(
    fields: NDArray[Any], names: Sequence[str]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return an order that puts rows together that agree in the named fields.

    Also returns at which positions of the order a group begins; both of shape (n,).
    """
    order = np.lexsort([fields[name] for name in reversed(names)] or [fields["count"]])
    begins = np.zeros(len(order), bool)
    begins[:1] = True
    for name in names:
        column = fields[name][order]
        begins[1:] |= column[1:] != column[:-1]
    return order, begins


def group_indexes(
    fields: NDArray[Any], names: Sequence[str]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the index of each row's group, shape (n,), and a row of each group."""
    order, begins = grouped(fields, names)
    return _group_indexes(order, begins), order[begins]


def _group_indexes(order: NDArray[np.intp], begins: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the index of each row's group, shape (n,)."""
    group_of = np.empty(len(order), np.intp)
    group_of[order] = np.cumsum(begins) - 1
    return group_of


def no_rows(n: int = 0) -> Rows:
    """Return `n` rows of zeros."""
    return Rows(np.zeros(n, FIELDS), no_histograms(n))


def joined(parts: Sequence[Rows]) -> Rows:
    """Return the rows of all parts, one after another."""
    if len(parts) < 2:
        return parts[0] if parts else no_rows()
    return Rows(
        concatenated([part.fields for part in parts]),
        joined_histograms([part.hist for part in parts]),
    )


class JoinedRows:
    """Rows that come in parts, up to `most`, with up to `most_used` buckets in use.

    A list of parts would take twice the memory when they are joined.
    """

    def __init__(self, most: int, most_used: int) -> None:
        self._n = 0
        self._fields = lazy_array(most, FIELDS)
        self._hist = JoinedHistograms(most_used)

    def add(self, part: Rows) -> None:
        """Append rows."""
        as_bytes(self._fields)[self._n : self._n + len(part)] = as_bytes(part.fields)
        self._hist.add(part.hist)
        self._n += len(part)

    def all(self) -> Rows:
        """Return all rows."""
        return Rows(self._fields[: self._n], self._hist.all())


def summed(parts: Sequence[Rows], names: Sequence[str]) -> Rows:
    """Add up the rows of all parts that agree in the named fields, in the order of those."""
    bare = [Rows(part.fields, no_histograms(len(part))) for part in parts]
    sums, group_of = joined(bare).summed_by(names)
    return Rows(sums.fields, summed_histograms([part.hist for part in parts], group_of, len(sums)))

"""Rows: exits that share VM, vCPU thread, reason, access and address, with their sums.

`Rows` is what every later stage works on: one structured array and, beside it,
the histograms, so that adding up is a sort and a `reduceat`.
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
from bpfexit.model.room import room

NO_REASON = -1
NO_VCPU = -1


IDENTITY = ("vm", "pid", "tid", "vcpu", "isa", "reason", "kind", "access", "size", "address")
"""What tells one row from another. `vm` and `reason` are places in the snapshot's names."""

SUMS = ("count", "timed", "total_ns", "user_count", "user_ns")
"""Sums over the exits of a row: `timed` of the `count` have a latency, `total_ns` is theirs."""

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
        """Return one field as an array."""
        column: NDArray[Any] = self.fields[name]
        return column

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays take."""
        return int(self.fields.nbytes) + self.hist.nbytes

    def of_kinds(self, kinds: Sequence[Kind]) -> NDArray[np.bool_]:
        """Which rows are after one of these kinds, shape (n,)."""
        wanted = np.zeros(max(KINDS) + 1, dtype=np.bool_)
        wanted[list(kinds)] = True
        of_kind: NDArray[np.bool_] = wanted[self["kind"]]
        return of_kind

    def take(self, at: NDArray[Any]) -> Rows:
        """Return the rows at these places, in that order, or where this mask is true."""
        return Rows(self.fields[at], self.hist.take(at))

    def chosen(self, mask: NDArray[np.bool_]) -> Rows:
        """Return the rows where the mask is true; where it always is, these and no copy."""
        return self if mask.all() else self.take(mask)

    def part(self, first: int, end: int) -> Rows:
        """Return the rows from `first` to before `end`, or the last."""
        end = min(end, len(self))
        return Rows(self.fields[first:end], self.hist.part(first, end))

    def blocks(self) -> Iterator[Rows]:
        """Yield the rows some at a time, few enough for all their buckets: a kilobyte each."""
        for first in range(0, len(self), BLOCK):
            yield self.part(first, first + BLOCK)

    def summed_by(self, names: Sequence[str]) -> tuple[Rows, NDArray[np.intp]]:
        """Add up the rows that agree in the named fields.

        Returns the sums, in the order of those fields, and for each row the
        place of its sum, shape (n,). The fields not named are those of any one.
        """
        if not len(self):
            return self, np.zeros(0, np.intp)
        order, fresh = grouped(self.fields, names)
        starts = np.flatnonzero(fresh)
        fields = self.fields[order[starts]]
        for name in SUMS:
            fields[name] = np.add.reduceat(self[name][order], starts)
        fields["max_ns"] = np.maximum.reduceat(self["max_ns"][order], starts)
        place = np.empty(len(order), np.intp)
        place[order] = np.cumsum(fresh) - 1
        return Rows(fields, summed_histograms([self.hist], place, len(starts))), place


def grouped(
    fields: NDArray[Any], names: Sequence[str]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return an order in which rows that agree in the named fields are neighbours.

    And for each place in it whether a group begins there; both of shape (n,).
    """
    order = np.lexsort([fields[name] for name in reversed(names)] or [fields["count"]])
    fresh = np.zeros(len(order), bool)
    fresh[:1] = True
    for name in names:
        column = fields[name][order]
        fresh[1:] |= column[1:] != column[:-1]
    return order, fresh


def no_rows(n: int = 0) -> Rows:
    """Return `n` rows of zeros."""
    return Rows(np.zeros(n, FIELDS), no_histograms(n))


def joined(parts: Sequence[Rows]) -> Rows:
    """Return the rows of all parts, one after another."""
    if len(parts) < 2:
        return parts[0] if parts else no_rows()
    return Rows(
        np.concatenate([part.fields for part in parts]),
        joined_histograms([part.hist for part in parts]),
    )


class JoinedRows:
    """Rows that come part by part, up to `most`, with up to `most_used` buckets in use.

    In a list, all of them would be there twice once they are joined.
    """

    def __init__(self, most: int, most_used: int) -> None:
        self._n = 0
        self._fields = room(most, FIELDS)
        self._hist = JoinedHistograms(most_used)

    def add(self, part: Rows) -> None:
        """Put rows behind those that are there."""
        self._fields[self._n : self._n + len(part)] = part.fields
        self._hist.add(part.hist)
        self._n += len(part)

    def all(self) -> Rows:
        """Return all of them."""
        return Rows(self._fields[: self._n], self._hist.all())


def summed(parts: Sequence[Rows], names: Sequence[str]) -> Rows:
    """Add up the rows of all parts that agree in the named fields, in the order of those."""
    bare = [Rows(part.fields, no_histograms(len(part))) for part in parts]
    sums, place = joined(bare).summed_by(names)
    return Rows(sums.fields, summed_histograms([part.hist for part in parts], place, len(sums)))

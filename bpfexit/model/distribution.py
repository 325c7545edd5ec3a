"""Distributions: the latencies of a snapshot by group, each exit in exactly one of them.

A view has addresses below their reason. Here, exits at an address are one group, and other exits of
the same reason are another, so the groups add up to the snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from bpfexit.events.access import Access
from bpfexit.events.kind import NO_KIND
from bpfexit.events.registry import KINDS
from bpfexit.model.address_names import AddressName, AddressNames
from bpfexit.model.grouping import ADDRESS_FIELDS, Naming, fields_of
from bpfexit.model.histogram import BUCKETS, LOWER_NS, Counts, rebucketed
from bpfexit.model.rows import NO_REASON, NO_VCPU, Rows
from bpfexit.model.snapshot import Snapshot, idle_rows
from bpfexit.model.structs import copied
from bpfexit.model.view import Query, wanted_rows
from bpfexit.names.reason_classes import CLASSES
from bpfexit.names.reasons import IDLE

Labels = Mapping[str, str | int | None]
"""What a group is about, by the names in `LABELS`: those grouped by; None if unknown."""

LABELS = ("vm", "pid", "vcpu", "tid", "class", "reason", "kind", "address", "access")


class Bucket(NamedTuple):
    """Exits that took at least `lower` and less than `upper` ns."""

    lower: int
    upper: int
    exits: int


@dataclass(frozen=True)
class Distribution:
    """The latencies of one group of exits, from `kvm_exit` to `kvm_entry`, in ns.

    `name` is that of the address. `exits` includes those without a latency; `counts` has an element
    per lower edge in `edges_ns`. `total_ns` and `max_ns` are exact, whatever the buckets.
    """

    labels: Labels
    name: AddressName | None
    exits: int
    edges_ns: NDArray[np.uint64]
    counts: Counts
    total_ns: int
    max_ns: int

    @property
    def count(self) -> int:
        """Exits that have a latency."""
        return int(self.counts.sum())

    @property
    def idle(self) -> bool:
        """Whether this is time in which the guest waits."""
        return self.labels.get("reason") in IDLE

    @property
    def buckets(self) -> list[Bucket]:
        """Every bucket, empty ones too; the last ends just above the maximum."""
        return self._between(0, len(self.edges_ns))

    @property
    def used(self) -> list[Bucket]:
        """The buckets that are not empty."""
        return [bucket for bucket in self.span if bucket.exits]

    @property
    def span(self) -> list[Bucket]:
        """The buckets from the first to the last that is not empty."""
        used = np.flatnonzero(self.counts)
        return self._between(int(used[0]), int(used[-1]) + 1) if len(used) else []

    def _between(self, first: int, end: int) -> list[Bucket]:
        """Return the buckets from `first` to before `end`."""
        lower, counts = self.edges_ns[first:end].tolist(), self.counts[first:end].tolist()
        last = self.edges_ns[end : end + 1].tolist() or [max(self.max_ns, lower[-1]) + 1]
        return [*map(Bucket, lower, [*lower[1:], *last], counts)]

    def rebucketed(self, edges_ns: NDArray[np.uint64]) -> Distribution:
        """Return the same in coarser buckets (see `histogram.rebucketed`)."""
        return replace(self, edges_ns=edges_ns, counts=rebucketed(self.counts, edges_ns))


@dataclass(frozen=True)
class Distributions(Sequence[Distribution]):
    """Distributions, each made on access: the i-th is that of the sum at `indexes[i]`.

    The rows of `sums` agree in the fields `by`.
    """

    sums: Rows
    by: tuple[str, ...]
    indexes: NDArray[np.intp]
    vms: tuple[str, ...]
    reasons: tuple[str, ...]
    naming: Naming
    edges_ns: NDArray[np.uint64] = field(default_factory=lambda: LOWER_NS)

    def __len__(self) -> int:
        return len(self.indexes)

    @overload
    def __getitem__(self, index: int) -> Distribution: ...
    @overload
    def __getitem__(self, index: slice) -> Distributions: ...
    def __getitem__(self, index: int | slice) -> Distribution | Distributions:
        if isinstance(index, slice):
            return replace(self, indexes=self.indexes[index])
        distribution = self._distribution(int(self.indexes[index]))
        return distribution if self.edges_ns is LOWER_NS else distribution.rebucketed(self.edges_ns)

    @property
    def all_exits(self) -> int:
        """Number of exits, including those without a latency."""
        return int(self.sums["count"][self.indexes].sum())

    @property
    def timed_exits(self) -> int:
        """Number of exits that have a latency."""
        return int(self.sums["timed"][self.indexes].sum())

    def timed(self) -> Distributions:
        """Return those that are not empty."""
        return replace(self, indexes=self.indexes[self.sums["timed"][self.indexes] > 0])

    def rebucketed(self, edges_ns: NDArray[np.uint64]) -> Distributions:
        """Return the same in coarser buckets (see `histogram.rebucketed`)."""
        return replace(self, edges_ns=edges_ns)

    @cached_property
    def _starts(self) -> NDArray[np.intp]:
        return self.sums.hist.starts

    def _distribution(self, index: int) -> Distribution:
        row, hist = self.sums.fields[index], self.sums.hist
        own = slice(self._starts[index], self._starts[index + 1])
        counts = np.zeros(BUCKETS, np.uint64)
        counts[hist.bucket[own]] = hist.count[own]
        labels = {name: self._label(row, name) for name in LABELS if name in self.by}
        return Distribution(
            labels=labels,
            name=self._name(row, labels),
            exits=int(row["count"]),
            edges_ns=LOWER_NS,
            counts=counts,
            total_ns=int(row["total_ns"]),
            max_ns=int(row["max_ns"]),
        )

    def _label(self, row: Any, name: str) -> str | int | None:
        value = int(row[name])
        if name in ADDRESS_FIELDS and row["kind"] == NO_KIND:
            return None
        known: dict[str, Callable[[int], str | int | None]] = {
            "vm": self.vms.__getitem__,
            "class": CLASSES.__getitem__,
            "reason": lambda index: None if index == NO_REASON else self.reasons[index],
            "vcpu": lambda number: None if number == NO_VCPU else number,
            "kind": lambda number: KINDS[number].name,
            "access": lambda number: Access(number).name.lower() if number else None,
        }
        return known[name](value) if name in known else value

    def _name(self, row: Any, labels: Labels) -> AddressName | None:
        if labels.get("address") is None:
            return None
        vm = self.vms[row["vm"]] if "vm" in labels else None
        pid = int(row["pid"]) if "pid" in labels else None
        return self.naming(KINDS[int(row["kind"])], int(row["address"]), vm, pid)


def distributions(snapshot: Snapshot, query: Query) -> Distributions:
    """Return the query's groups, longest total time first and idle time last.

    The query's order and limit are left to the caller. Without an address among the dimensions,
    exits are grouped by the others alone.
    """
    rows = _without_other_addresses(wanted_rows(snapshot, query), query)
    by = tuple(name for name in fields_of(query.groups) if name in LABELS)
    by += ADDRESS_FIELDS * bool(query.kinds)
    sums, _ = rows.summed_by(by)
    # Sums are in the order of their fields; ~ reverses it and keeps that order for equals.
    keys = [~sums["count"], ~sums["total_ns"]]
    if "reason" in by:
        keys.append(idle_rows(sums, snapshot.reasons))
    naming = AddressNames(snapshot).name
    return Distributions(sums, by, np.lexsort(keys), snapshot.vms, snapshot.reasons, naming)


def _without_other_addresses(rows: Rows, query: Query) -> Rows:
    """Move exits at an address of an unwanted kind to their reason alone."""
    fields = copied(rows.fields)
    other = ~np.isin(fields["kind"], query.kinds)
    for name in ADDRESS_FIELDS:
        fields[name][other] = 0
    return Rows(fields, rows.hist)

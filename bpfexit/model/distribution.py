"""Distributions: the latencies of a snapshot by group, each exit in exactly one of them.

What a view shows as a tree, addresses under their reason, is flat here: exits at
an address are a group, and those of the same reason elsewhere are another.
Tools that add up what they are given add up to the snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from bpfexit.model.view import Query, wanted_rows
from bpfexit.names.reasons import IDLE

Labels = Mapping[str, str | int | None]
"""What a group is about, by the names in `LABELS`; only what was grouped by, None: not known."""

LABELS = ("vm", "pid", "vcpu", "tid", "reason", "kind", "address", "access")


class Bucket(NamedTuple):
    """Exits that took at least `lower` and less than `upper` ns."""

    lower: int
    upper: int
    exits: int


@dataclass(frozen=True)
class Distribution:
    """The latencies of one group of exits, from `kvm_exit` to `kvm_entry`, in ns.

    `name` is that of its address. `exits` counts those without a latency, too;
    `counts` has one place for each lower edge in `edges_ns`. `total_ns` and
    `max_ns` are exact, whatever the buckets.
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
        """Whether this is the time in which the guest waits."""
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
        places = np.flatnonzero(self.counts)
        return self._between(int(places[0]), int(places[-1]) + 1) if len(places) else []

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
    """Distributions, each made when it is looked at: the sum at `places[i]` is the i-th.

    The rows of `sums` agree in the fields `by`.
    """

    sums: Rows
    by: tuple[str, ...]
    places: NDArray[np.intp]
    vms: tuple[str, ...]
    reasons: tuple[str, ...]
    naming: Naming
    edges_ns: NDArray[np.uint64] = field(default_factory=lambda: LOWER_NS)

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, at: int) -> Distribution: ...
    @overload
    def __getitem__(self, at: slice) -> Distributions: ...
    def __getitem__(self, at: int | slice) -> Distribution | Distributions:
        if isinstance(at, slice):
            return replace(self, places=self.places[at])
        found = self._distribution(int(self.places[at]))
        return found if self.edges_ns is LOWER_NS else found.rebucketed(self.edges_ns)

    @property
    def all_exits(self) -> int:
        """Exits of all of them, those without a latency, too."""
        return int(self.sums["count"][self.places].sum())

    @property
    def timed_exits(self) -> int:
        """Exits of all of them that have a latency."""
        return int(self.sums["timed"][self.places].sum())

    def timed(self) -> Distributions:
        """Return those that are not empty."""
        return replace(self, places=self.places[self.sums["timed"][self.places] > 0])

    def rebucketed(self, edges_ns: NDArray[np.uint64]) -> Distributions:
        """Return the same in coarser buckets (see `histogram.rebucketed`)."""
        return replace(self, edges_ns=edges_ns)

    @cached_property
    def _starts(self) -> NDArray[np.intp]:
        return self.sums.hist.starts()

    def _distribution(self, at: int) -> Distribution:
        row, hist = self.sums.fields[at], self.sums.hist
        own = slice(self._starts[at], self._starts[at + 1])
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
        if name == "vm":
            return self.vms[value]
        if name == "reason":
            return None if value == NO_REASON else self.reasons[value]
        if name == "vcpu":
            return None if value == NO_VCPU else value
        if name == "kind":
            return KINDS[value].name
        return Access(value).name.lower() if name == "access" else value

    def _name(self, row: Any, labels: Labels) -> AddressName | None:
        if labels.get("address") is None:
            return None
        vm = self.vms[row["vm"]] if "vm" in labels else None
        pid = int(row["pid"]) if "pid" in labels else None
        return self.naming(KINDS[int(row["kind"])], int(row["address"]), vm, pid)


def distributions(snapshot: Snapshot, query: Query) -> Distributions:
    """Return what the query groups by, most time first and idle time last.

    Of the query, order and limit are left to the caller. Without an address
    among the dimensions, exits are grouped by the others alone.
    """
    rows = _without_other_addresses(wanted_rows(snapshot, query), query)
    by = tuple(name for name in fields_of(query.groups) if name in LABELS)
    by += ADDRESS_FIELDS * bool(query.kinds)
    sums, _ = rows.summed_by(by)
    # Sums are in the order of their fields, so equals are, too; ~ turns the order round.
    keys = [~sums["count"], ~sums["total_ns"]]
    if "reason" in by:
        keys.append(idle_rows(sums, snapshot.reasons))
    naming = AddressNames(snapshot).name
    return Distributions(sums, by, np.lexsort(keys), snapshot.vms, snapshot.reasons, naming)


def _without_other_addresses(rows: Rows, query: Query) -> Rows:
    """Make exits at an address of a kind not asked for belong to their reason alone."""
    fields = rows.fields.copy()
    other = ~np.isin(fields["kind"], query.kinds)
    for name in ADDRESS_FIELDS:
        fields[name][other] = 0
    return Rows(fields, rows.hist)

"""Distributions: the latencies of a snapshot by group, each exit in exactly one of them.

What a view shows as a tree, addresses under their reason, is flat here: exits at
an address are a group, and those of the same reason elsewhere are another.
Tools that add up what they are given add up to the snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bpfexit.events.access import Access
from bpfexit.events.kind import NO_KIND
from bpfexit.events.registry import KINDS
from bpfexit.model.address_names import AddressName, AddressNames
from bpfexit.model.grouping import ADDRESS_FIELDS, Naming, fields_of, group_key, name_of
from bpfexit.model.histogram import LOWER_NS, Counts, rebucketed
from bpfexit.model.rows import NO_REASON, NO_VCPU, Rows
from bpfexit.model.snapshot import Snapshot
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
        lower = self.edges_ns.tolist()
        upper = [*lower[1:], max(self.max_ns, lower[-1]) + 1]
        return [Bucket(*each) for each in zip(lower, upper, self.counts.tolist(), strict=True)]

    @property
    def used(self) -> list[Bucket]:
        """The buckets that are not empty."""
        return [bucket for bucket in self.buckets if bucket.exits]

    @property
    def span(self) -> list[Bucket]:
        """The buckets from the first to the last that is not empty."""
        places = np.flatnonzero(self.counts)
        return self.buckets[places[0] : places[-1] + 1] if len(places) else []

    def rebucketed(self, edges_ns: NDArray[np.uint64]) -> Distribution:
        """Return the same in coarser buckets (see `histogram.rebucketed`)."""
        return replace(self, edges_ns=edges_ns, counts=rebucketed(self.counts, edges_ns))


def distributions(snapshot: Snapshot, query: Query) -> list[Distribution]:
    """Return what the query groups by, most time first and idle time last.

    Of the query, order and limit are left to the caller. Without an address
    among the dimensions, exits are grouped by the others alone.
    """
    rows = _without_other_addresses(wanted_rows(snapshot, query), query)
    fields = tuple(name for name in fields_of(query.groups) if name in LABELS)
    if query.kinds:
        fields += ADDRESS_FIELDS
    sums, _ = rows.summed_by(fields)
    counts = sums.hist.dense()
    naming = AddressNames(snapshot).name
    found = [
        _distribution(snapshot, naming, sums, at, counts[at], fields) for at in range(len(sums))
    ]
    return sorted(found, key=_rank)


def _rank(each: Distribution) -> tuple[Any, ...]:
    return (each.idle, -each.total_ns, -each.exits, str(each.labels))


def _without_other_addresses(rows: Rows, query: Query) -> Rows:
    """Make exits at an address of a kind not asked for belong to their reason alone."""
    fields = rows.fields.copy()
    other = ~np.isin(fields["kind"], query.kinds)
    for name in ADDRESS_FIELDS:
        fields[name][other] = 0
    return Rows(fields, rows.hist)


def _distribution(
    snapshot: Snapshot,
    naming: Naming,
    sums: Rows,
    at: int,
    counts: Counts,
    fields: tuple[str, ...],
) -> Distribution:
    row = sums.fields[at]
    about = group_key(row, fields, 0, snapshot.vms, snapshot.reasons)
    return Distribution(
        labels={name: _label(snapshot, row, name) for name in LABELS if name in fields},
        name=name_of(about, naming, about),
        exits=int(row["count"]),
        edges_ns=LOWER_NS,
        counts=counts,
        total_ns=int(row["total_ns"]),
        max_ns=int(row["max_ns"]),
    )


def _label(snapshot: Snapshot, row: Any, name: str) -> str | int | None:
    value = int(row[name])
    if name in ADDRESS_FIELDS and row["kind"] == NO_KIND:
        return None
    if name == "vm":
        return snapshot.vms[value]
    if name == "reason":
        return None if value == NO_REASON else snapshot.reasons[value]
    if name == "vcpu":
        return None if value == NO_VCPU else value
    if name == "kind":
        return KINDS[value].name
    return Access(value).name.lower() if name == "access" else value

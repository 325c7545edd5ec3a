"""What a snapshot adds to the series of each guest: its rows by reason, address and vCPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bpfexit.events.access import Access
from bpfexit.events.kind import NO_KIND
from bpfexit.events.registry import KINDS
from bpfexit.model.address_names import AddressNames
from bpfexit.model.grouping import without_idle_time
from bpfexit.model.histogram import rebucketed
from bpfexit.model.rows import NO_REASON, NO_VCPU, Rows
from bpfexit.model.snapshot import Snapshot, idle_rows, inner_halts
from bpfexit.model.time_account import has_waiting, vcpu_parts
from bpfexit.model.vcpu_parts import VcpuTime
from bpfexit.names.reason_classes import reason_class


class Owner(NamedTuple):
    """A guest, as rows identify it."""

    pid: int
    name: str


class Durations(NamedTuple):
    """Times, ns; `user` and `wait` are parts of `total`. None: not measured.

    What user space waited for a CPU is in `wait` alone: no time is in two parts.
    """

    total: int
    user: int
    wait: int | None


class ExitChange(NamedTuple):
    """Exits of a guest that share a reason; None stands for accesses outside exits.

    `idle`: they are the guest's idle time. `buckets` are the latencies, by the requested edges.
    """

    owner: Owner
    reason: str | None
    reason_class: str
    idle: bool
    exits: int
    timed: int
    user_count: int
    durations: Durations
    buckets: tuple[int, ...]


class AccessChange(NamedTuple):
    """Accesses of a guest to one address; `device` is its name, "" if unknown."""

    owner: Owner
    kind: str
    address: str
    access: str
    device: str
    accesses: int


class VcpuChange(NamedTuple):
    """Where the time of a vCPU went."""

    owner: Owner
    vcpu: str
    time: VcpuTime


def exit_changes(snapshot: Snapshot, edges_ns: NDArray[np.uint64]) -> Iterator[ExitChange]:
    """Yield the exits by guest, reason and class."""
    rows = without_idle_time(snapshot.rows, inner_halts(snapshot.rows))
    sums, _ = rows.summed_by(("vm", "pid", "reason", "kind"))
    idle, times = idle_rows(sums, snapshot.reasons).tolist(), _durations(snapshot, sums)
    buckets = rebucketed(sums.hist.dense(), edges_ns).tolist()
    for index, row in enumerate(sums.fields):
        reason = None if row["reason"] == NO_REASON else snapshot.reasons[row["reason"]]
        yield ExitChange(
            _owner(snapshot, row["vm"], row["pid"]),
            reason,
            reason_class(reason or "", KINDS[int(row["kind"])].name),
            idle[index],
            int(row["count"]),
            int(row["timed"]),
            int(row["user_count"]),
            times[index],
            tuple(buckets[index]),
        )


def access_changes(snapshot: Snapshot) -> Iterator[AccessChange]:
    """Yield the accesses by guest, address and direction, most frequent first."""
    addressed = snapshot.rows.take(snapshot.rows["kind"] != NO_KIND)
    sums, _ = addressed.summed_by(("vm", "pid", "kind", "address", "access"))
    naming = AddressNames(snapshot)
    for row in sums.fields[np.argsort(-sums["count"].astype(np.int64), kind="stable")]:
        owner = _owner(snapshot, row["vm"], row["pid"])
        kind, address = KINDS[int(row["kind"])], int(row["address"])
        name = naming.name(kind, address, owner.name, owner.pid)
        yield AccessChange(
            owner,
            kind.name,
            kind.number(address),
            Access(row["access"]).name.lower(),
            name.marked if name else "",
            int(row["count"]),
        )


def vcpu_changes(snapshot: Snapshot) -> Iterator[VcpuChange]:
    """Yield the time of each vCPU, if the back end reports it."""
    if not snapshot.origin.has_exit_events:
        return
    known, threads = has_waiting(snapshot), snapshot.vcpus[["vm", "pid", "vcpu"]].tolist()
    for (vm, pid, vcpu), parts in zip(threads, vcpu_parts(snapshot).tolist(), strict=True):
        guest, kvm, user, wait, idle = parts
        yield VcpuChange(
            _owner(snapshot, vm, pid),
            "unknown" if vcpu == NO_VCPU else str(vcpu),
            VcpuTime(guest, kvm, user, wait if known else None, idle),
        )


def _durations(snapshot: Snapshot, sums: Rows) -> list[Durations]:
    totals, users = sums["total_ns"].tolist(), sums["user_ns"].tolist()
    if not snapshot.origin.has_waiting:
        return [Durations(total, user, None) for total, user in zip(totals, users, strict=True)]
    in_user = sums["user_wait_ns"].tolist()
    waits = sums["wait_ns"].tolist() if snapshot.origin.has_exit_events else in_user
    parts = zip(totals, users, waits, in_user, strict=True)
    return [Durations(total, user - there, wait) for total, user, wait, there in parts]


def _owner(snapshot: Snapshot, vm: int, pid: int) -> Owner:
    return Owner(int(pid), snapshot.vms[vm])

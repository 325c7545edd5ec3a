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
from bpfexit.model.histogram import rebucketed
from bpfexit.model.rows import NO_REASON, NO_VCPU, Rows
from bpfexit.model.snapshot import Snapshot, idle_rows
from bpfexit.names.reason_classes import reason_class

WAIT = "wait_ns"
"""The field of time that threads waited for a CPU, in rows that have it."""


class Owner(NamedTuple):
    """A guest as rows know it."""

    pid: int
    name: str


class Spent(NamedTuple):
    """Times, ns; `user` and `wait` are parts of `total`. None: not measured."""

    total: int
    user: int
    wait: int | None


class ExitChange(NamedTuple):
    """Exits of a guest that share a reason; of None, accesses outside exits.

    `idle` is the guest's own idle time. `buckets` are the latencies, by the edges asked for.
    """

    owner: Owner
    reason: str | None
    reason_class: str
    idle: bool
    exits: int
    timed: int
    user_count: int
    spent: Spent
    buckets: tuple[int, ...]


class AccessChange(NamedTuple):
    """Accesses of a guest to one address; `device` is what lies there, "" where unknown."""

    owner: Owner
    kind: str
    address: str
    access: str
    device: str
    accesses: int


class VcpuChange(NamedTuple):
    """Time of a vCPU in the guest, halted, and in its other exits, ns."""

    owner: Owner
    vcpu: str
    guest_ns: int
    halted_ns: int
    spent: Spent


def exit_changes(snapshot: Snapshot, edges_ns: NDArray[np.uint64]) -> Iterator[ExitChange]:
    """Yield the exits by guest, reason and class."""
    sums, _ = snapshot.rows.summed_by(("vm", "pid", "reason", "kind"))
    idle, times = idle_rows(sums, snapshot.reasons).tolist(), _spent(sums)
    buckets = rebucketed(sums.hist.dense(), edges_ns).tolist()
    for at, row in enumerate(sums.fields):
        reason = None if row["reason"] == NO_REASON else snapshot.reasons[row["reason"]]
        yield ExitChange(
            _owner(snapshot, row["vm"], row["pid"]),
            reason,
            reason_class(reason or "", KINDS[int(row["kind"])].name),
            idle[at],
            int(row["count"]),
            int(row["timed"]),
            int(row["user_count"]),
            times[at],
            tuple(buckets[at]),
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
    """Yield the time of each vCPU, where the back end has it."""
    if not snapshot.origin.has_exit_events:
        return
    halted = _by_vcpu(snapshot, snapshot.idle)
    exits = _by_vcpu(snapshot, ~snapshot.idle)
    for vm, pid, tid, vcpu, guest_ns in snapshot.vcpus.tolist():
        thread = vm, pid, tid, vcpu
        yield VcpuChange(
            _owner(snapshot, vm, pid),
            "unknown" if vcpu == NO_VCPU else str(vcpu),
            guest_ns,
            halted[thread].total if thread in halted else 0,
            exits.get(thread, Spent(0, 0, None)),
        )


def _by_vcpu(snapshot: Snapshot, which: NDArray[np.bool_]) -> dict[tuple[int, ...], Spent]:
    names = ("vm", "pid", "tid", "vcpu")
    sums, _ = snapshot.rows.take(which).summed_by(names)
    return dict(zip(sums.fields[list(names)].tolist(), _spent(sums), strict=True))


def _spent(sums: Rows) -> list[Spent]:
    known = WAIT in (sums.fields.dtype.names or ())
    waits = sums[WAIT].tolist() if known else [None] * len(sums)
    return list(map(Spent, sums["total_ns"].tolist(), sums["user_ns"].tolist(), waits))


def _owner(snapshot: Snapshot, vm: int, pid: int) -> Owner:
    return Owner(int(pid), snapshot.vms[vm])

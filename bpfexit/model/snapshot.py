"""A snapshot: the exits of one interval, with names; the input of every view and format."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.events.halt import HALT
from bpfexit.events.vmgexit import VMGEXIT
from bpfexit.model.guest import Guest, newcomers
from bpfexit.model.host_facts import HostFacts
from bpfexit.model.losses import Lost
from bpfexit.model.own_cost import OwnCost
from bpfexit.model.rows import IDENTITY, NO_REASON, Rows, summed
from bpfexit.model.slow import Slow
from bpfexit.model.structs import copied
from bpfexit.model.totals import check_totals
from bpfexit.model.usage import HostUsage, merged_usage
from bpfexit.model.vcpu_parts import PARTS
from bpfexit.names.reasons import IDLE, SVM_HLT, Isa

VCPU_FIELDS = np.dtype(
    [
        ("vm", "u4"),
        ("pid", "u4"),
        ("tid", "u4"),
        ("vcpu", "i4"),
        *((name, "i8") for name in PARTS),
        ("has_parts", "?"),
    ]
)
"""A vCPU that was seen, and the parts of its time.

Without `has_parts`, `guest_ns` alone is known, with what the thread waited there; on a back end
that emits no entry, nothing is.
"""


@dataclass(frozen=True)
class Origin:
    """The host, kernel and back end of a snapshot."""

    host: str = ""
    kernel: str = ""
    backend: str = ""  # the KVM vendor module
    has_exit_events: bool = True  # whether that back end emits kvm_exit and kvm_entry
    facts: HostFacts = field(default_factory=HostFacts)
    has_waiting: bool = False  # whether the time that threads waited for a CPU is known
    has_blocked: bool = False  # whether the time in which they were blocked is known, too
    views: tuple[str, ...] = ()  # the opt-in views that were attached, by their dimensions

    @property
    def has_polling(self) -> bool:
        """Whether the time in which KVM polled for the end of halts is known."""
        return HALT.dimension in self.views


@dataclass(frozen=True)
class Snapshot:
    """One interval. `vm` and `reason` of `rows` are indexes into `vms` and `reasons`; -1: none."""

    start: float  # unix time, s
    duration_s: float
    rows: Rows
    vcpus: NDArray[Any]
    vms: tuple[str, ...]
    reasons: tuple[str, ...]
    lost: Lost = field(default_factory=Lost)
    in_flight: int = 0  # exits that had not ended when the interval did: counted in the next
    origin: Origin = field(default_factory=Origin)
    guests: tuple[Guest, ...] = ()  # a guest comes after those that had its PID before
    others: int = 0  # guests that a sum has merged because they ended long ago: `model.ended`
    slow: Slow | None = None  # single slow exits, if they are reported
    only: tuple[str, ...] = ()  # the reasons that were counted; empty: all
    cost: OwnCost = field(default_factory=OwnCost)  # the cost of bpfexit itself
    notices: tuple[str, ...] = ()  # why addresses cannot be named now, a sentence each
    usage: HostUsage = field(default_factory=HostUsage)  # what the guests took of the host

    @property
    def exits(self) -> int:
        """Exits in the rows; accesses on a back end without `kvm_exit`."""
        return int(self.rows["count"].sum())

    def per_second(self, amount: float) -> float:
        """Return an amount of the interval per second; nan if it lasted no time."""
        return amount / self.duration_s if self.duration_s else nan

    @property
    def outside_exits(self) -> NDArray[np.bool_]:
        """Which rows are accesses without an exit, on a back end with exits, shape (n,)."""
        outside: NDArray[np.bool_] = self.rows["reason"] == NO_REASON
        outside &= self.rows["isa"] != Isa.NONE
        return outside

    @property
    def without_exit(self) -> int:
        """Number of accesses without an exit; `exits` includes them."""
        return int(self.rows["count"][self.outside_exits].sum())

    @cached_property
    def ended(self) -> frozenset[tuple[int, str]]:
        """The guests that have ended, by PID and name; another process may have the PID by now."""
        living = {(guest.pid, guest.name) for guest in self.guests if not guest.ended}
        return frozenset((guest.pid, guest.name) for guest in self.guests if guest.ended) - living

    @cached_property
    def without_vcpus(self) -> tuple[Guest, ...]:
        """The guests that run and have not exited since counting began: no vCPU is known."""
        seen = set(self.vcpus["pid"].tolist())
        return tuple(each for each in self.guests if not each.ended and each.pid not in seen)

    @property
    def size(self) -> int:
        """Approximate bytes of memory, without the guests."""
        names = sum(_NAME + len(name) for name in (*self.vms, *self.reasons))
        return _SNAPSHOT + self.rows.nbytes + int(self.vcpus.nbytes) + names + self.usage.size

    @property
    def idle(self) -> NDArray[np.bool_]:
        """Which rows are the guest's idle time, shape (n,)."""
        return idle_rows(self.rows, self.reasons) | inner_halts(self.rows)


_SNAPSHOT, _NAME = 10_000, 150
"""Bytes that one takes beside its arrays, or its text."""


def idle_rows(rows: Rows, reasons: tuple[str, ...]) -> NDArray[np.bool_]:
    """Which rows have a reason in which the guest waits, shape (n,)."""
    names = np.array([name in IDLE for name in reasons] + [False], bool)
    idle: NDArray[np.bool_] = names[rows["reason"]]
    return idle


def inner_halts(rows: Rows) -> NDArray[np.bool_]:
    """Which rows are HLT of an SEV-ES guest, whose reason is `vmgexit` as any other, shape (n,)."""
    halts: NDArray[np.bool_] = (rows["kind"] == VMGEXIT) & (rows["address"] == SVM_HLT)
    return halts


@dataclass(frozen=True)
class Times:
    """Where the vCPUs' time went, in ns; `user` is part of `exits`."""

    guest: int
    exits: int
    idle: int
    user: int

    @property
    def busy(self) -> int:
        """All but the idle time, ns."""
        return self.guest + self.exits

    @property
    def total(self) -> int:
        """Total time, ns."""
        return self.busy + self.idle


def times(snapshot: Snapshot) -> Times:
    """Add up the time in the guest, in exits without HLT, in HLT, and in user space."""
    idle = snapshot.idle
    rows = snapshot.rows
    return Times(
        guest=int(snapshot.vcpus["guest_ns"].sum()),
        exits=int(rows["total_ns"][~idle].sum()),
        idle=int(rows["total_ns"][idle].sum()),
        user=int(rows["user_ns"][~idle].sum()),
    )


_FEWER = ": choose fewer guests with -p, or a shorter time with `bpfexit report --from --to`"


def merged(snapshots: Sequence[Snapshot]) -> Snapshot:
    """Add up consecutive snapshots; at least one must be given.

    Single slow exits are left out. Raises `BpfexitError` if a sum exceeds 64 bits.
    """
    named = with_common_names(snapshots)
    rows = [snapshot.rows for snapshot in named]
    vcpus = np.concatenate([snapshot.vcpus for snapshot in named])
    check_totals(rows, vcpus, _FEWER)
    return replace(
        named[-1],
        start=snapshots[0].start,
        origin=_common_origin(snapshots),
        duration_s=sum(snapshot.duration_s for snapshot in snapshots),
        rows=summed(rows, IDENTITY),
        vcpus=_summed_vcpus(vcpus),
        lost=sum((snapshot.lost for snapshot in snapshots), Lost()),
        slow=None,
        only=_all_names(snapshot.only for snapshot in snapshots),
        guests=_latest(snapshots),
        others=sum(snapshot.others for snapshot in snapshots),
        cost=sum((snapshot.cost for snapshot in snapshots), OwnCost()),
        usage=merged_usage([snapshot.usage for snapshot in snapshots]),
    )


def _common_origin(snapshots: Sequence[Snapshot]) -> Origin:
    """Return the last origin; what is measured is known of a sum if it is known of every part."""
    waiting = all(snapshot.origin.has_waiting for snapshot in snapshots)
    blocked = all(snapshot.origin.has_blocked for snapshot in snapshots)
    last = snapshots[-1].origin
    common = {*last.views}.intersection(*(snapshot.origin.views for snapshot in snapshots))
    views = tuple(view for view in last.views if view in common)
    return replace(last, has_waiting=waiting, has_blocked=blocked, views=views)


def _latest(snapshots: Iterable[Snapshot]) -> tuple[Guest, ...]:
    """Return the latest facts about each guest; the next process with a PID is another guest."""
    last: dict[int, dict[str, Guest]] = {}
    before: tuple[Guest, ...] = ()
    for snapshot in snapshots:
        changed = {guest.pid for guest in newcomers(snapshot.guests, before)}
        for guest in snapshot.guests if changed else ():
            if guest.pid in changed:
                of_pid = last.setdefault(guest.pid, {})
                of_pid.pop(guest.name, None)
                of_pid[guest.name] = guest
        before = snapshot.guests
    return tuple(guest for of_pid in last.values() for guest in of_pid.values())


def with_common_names(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """Return the snapshots with common `vms` and `reasons`: an index means one name in all."""
    vms = _all_names(snapshot.vms for snapshot in snapshots)
    reasons = _all_names(snapshot.reasons for snapshot in snapshots)
    indexes = _numbered(vms), _numbered(reasons)
    return [
        replace(_placed(snapshot, *indexes), vms=vms, reasons=reasons) for snapshot in snapshots
    ]


def _all_names(names: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for group in names for name in group))


def _numbered(names: tuple[str, ...]) -> dict[str, int]:
    return {name: index for index, name in enumerate(names)}


def _places(names: tuple[str, ...], known: dict[str, int]) -> NDArray[np.int64]:
    """Return the index of each name in `known`; the last element is that of NO_REASON."""
    return np.array([known[name] for name in names] + [NO_REASON], np.int64)


def _stay(indexes: NDArray[np.int64]) -> bool:
    """Return whether each name keeps its index."""
    return np.array_equal(indexes[:-1], np.arange(len(indexes) - 1))


def _placed(snapshot: Snapshot, vm_at: dict[str, int], reason_at: dict[str, int]) -> Snapshot:
    """Return the snapshot with rows and vCPUs renumbered by these indexes."""
    vm_places, reason_places = _places(snapshot.vms, vm_at), _places(snapshot.reasons, reason_at)
    if _stay(vm_places) and _stay(reason_places):
        return snapshot
    fields, vcpus = copied(snapshot.rows.fields), copied(snapshot.vcpus)
    fields["vm"] = vm_places[fields["vm"]]
    fields["reason"] = reason_places[fields["reason"]]
    vcpus["vm"] = vm_places[vcpus["vm"]]
    return replace(snapshot, rows=Rows(fields, snapshot.rows.hist), vcpus=vcpus)


def _summed_vcpus(every: NDArray[Any]) -> NDArray[Any]:
    _, first, sum_of = np.unique(
        every[["vm", "pid", "tid", "vcpu"]], return_index=True, return_inverse=True
    )
    summed = every[first]
    for name in PARTS:
        summed[name] = 0
        np.add.at(summed[name], sum_of, every[name])
    np.logical_and.at(summed["has_parts"], sum_of, every["has_parts"])
    return summed

"""A snapshot: what happened in one interval, with names; what every view and format starts from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.guest import Guest, newcomers
from bpfexit.model.host_facts import HostFacts
from bpfexit.model.losses import Lost
from bpfexit.model.own_cost import OwnCost
from bpfexit.model.rows import IDENTITY, NO_REASON, Rows, summed
from bpfexit.model.slow import Slow
from bpfexit.model.totals import check_totals
from bpfexit.names.reasons import IDLE, Isa

VCPU_FIELDS = np.dtype(
    [
        ("vm", "u4"),
        ("pid", "u4"),
        ("tid", "u4"),
        ("vcpu", "i4"),
        ("guest_ns", "u8"),
    ]
)
"""A vCPU that was seen, and how long it ran in the guest; zero where no entry is emitted."""


@dataclass(frozen=True)
class Origin:
    """Where a snapshot comes from."""

    host: str = ""
    kernel: str = ""
    backend: str = ""  # the KVM vendor module
    has_exit_events: bool = True  # whether that back end emits kvm_exit and kvm_entry
    facts: HostFacts = field(default_factory=HostFacts)


@dataclass(frozen=True)
class Snapshot:
    """One interval. `rows` point into `vms` and `reasons`; a reason of -1 is not known."""

    start: float  # unix time, s
    duration_s: float
    rows: Rows
    vcpus: NDArray[Any]
    vms: tuple[str, ...]
    reasons: tuple[str, ...]
    lost: Lost = field(default_factory=Lost)
    in_flight: int = 0  # exits that had not ended when the interval did: counted in the next
    origin: Origin = field(default_factory=Origin)
    guests: tuple[Guest, ...] = ()  # what is known of them; one that took a PID over comes later
    others: int = 0  # guests that are one in a sum, since they ended long ago: `model.ended`
    slow: Slow | None = None  # single slow exits, where they were asked for
    only: tuple[str, ...] = ()  # the reasons that were counted; empty: every one
    cost: OwnCost = field(default_factory=OwnCost)  # of bpfexit itself
    notices: tuple[str, ...] = ()  # what keeps bpfexit from naming addresses now, a sentence each

    @property
    def exits(self) -> int:
        """Exits in the rows; accesses, where the back end emits no `kvm_exit`."""
        return int(self.rows["count"].sum())

    @property
    def outside_exits(self) -> NDArray[np.bool_]:
        """Which rows are accesses without an exit, on a back end that has exits, shape (n,)."""
        outside: NDArray[np.bool_] = self.rows["reason"] == NO_REASON
        outside &= self.rows["isa"] != Isa.NONE
        return outside

    @property
    def without_exit(self) -> int:
        """How many accesses took no exit; `exits` includes them."""
        return int(self.rows["count"][self.outside_exits].sum())

    @cached_property
    def ended(self) -> frozenset[tuple[int, str]]:
        """The guests that have ended, by process and name: the PID may be another's by now."""
        living = {(guest.pid, guest.name) for guest in self.guests if not guest.ended}
        return frozenset((guest.pid, guest.name) for guest in self.guests if guest.ended) - living

    @property
    def size(self) -> int:
        """Bytes of memory that it takes, roughly, without its guests."""
        names = sum(_NAME + len(name) for name in (*self.vms, *self.reasons))
        return _SNAPSHOT + self.rows.nbytes + int(self.vcpus.nbytes) + names

    @property
    def idle(self) -> NDArray[np.bool_]:
        """Which rows are the guest's idle time, shape (n,)."""
        return idle_rows(self.rows, self.reasons)


_SNAPSHOT, _NAME = 10_000, 150
"""Bytes that one takes beside its arrays, or its text."""


def idle_rows(rows: Rows, reasons: tuple[str, ...]) -> NDArray[np.bool_]:
    """Which rows have a reason in which the guest waits, shape (n,)."""
    names = np.array([name in IDLE for name in reasons] + [False], bool)
    idle: NDArray[np.bool_] = names[rows["reason"]]
    return idle


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
        """All of it, ns."""
        return self.busy + self.idle


def times(snapshot: Snapshot) -> Times:
    """Add up guest time, exit time without HLT, HLT, and user space's part of the exits."""
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
    """Add consecutive snapshots up to one; at least one must be given.

    Single slow exits are no sums: they are not in it. Raises `BpfexitError` for
    sums that 64 bits do not hold.
    """
    named = with_common_names(snapshots)
    rows = [each.rows for each in named]
    vcpus = np.concatenate([each.vcpus for each in named])
    check_totals(rows, vcpus, _FEWER)
    return replace(
        named[-1],
        start=snapshots[0].start,
        duration_s=sum(snapshot.duration_s for snapshot in snapshots),
        rows=summed(rows, IDENTITY),
        vcpus=_summed_vcpus(vcpus),
        lost=sum((snapshot.lost for snapshot in snapshots), Lost()),
        slow=None,
        only=_all_names(snapshot.only for snapshot in snapshots),
        guests=_latest(snapshots),
        others=sum(snapshot.others for snapshot in snapshots),
        cost=sum((snapshot.cost for snapshot in snapshots), OwnCost()),
    )


def _latest(snapshots: Iterable[Snapshot]) -> tuple[Guest, ...]:
    """Return what was said last of each guest; a PID's next process is another one, and later."""
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
    """Return the snapshots with the same `vms` and `reasons`: a place means one name in all."""
    vms = _all_names(snapshot.vms for snapshot in snapshots)
    reasons = _all_names(snapshot.reasons for snapshot in snapshots)
    places = _numbered(vms), _numbered(reasons)
    return [replace(_placed(snapshot, *places), vms=vms, reasons=reasons) for snapshot in snapshots]


def _all_names(names: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for group in names for name in group))


def _numbered(names: tuple[str, ...]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}


def _places(names: tuple[str, ...], known: dict[str, int]) -> NDArray[np.int64]:
    """For each name its place among the known; the last entry answers NO_REASON."""
    return np.array([known[name] for name in names] + [NO_REASON], np.int64)


def _stay(places: NDArray[np.int64]) -> bool:
    """Say whether each name is known by the place that it has already."""
    return np.array_equal(places[:-1], np.arange(len(places) - 1))


def _placed(snapshot: Snapshot, vm_at: dict[str, int], reason_at: dict[str, int]) -> Snapshot:
    """Return the snapshot whose rows and vCPUs have the places that names have in these."""
    vm_places, reason_places = _places(snapshot.vms, vm_at), _places(snapshot.reasons, reason_at)
    if _stay(vm_places) and _stay(reason_places):
        return snapshot
    fields, vcpus = snapshot.rows.fields.copy(), snapshot.vcpus.copy()
    fields["vm"] = vm_places[fields["vm"]]
    fields["reason"] = reason_places[fields["reason"]]
    vcpus["vm"] = vm_places[vcpus["vm"]]
    return replace(snapshot, rows=Rows(fields, snapshot.rows.hist), vcpus=vcpus)


def _summed_vcpus(every: NDArray[Any]) -> NDArray[Any]:
    _, first, place = np.unique(
        every[["vm", "pid", "tid", "vcpu"]], return_index=True, return_inverse=True
    )
    summed = every[first]
    summed["guest_ns"] = 0
    np.add.at(summed["guest_ns"], place, every["guest_ns"])
    return summed

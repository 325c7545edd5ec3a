"""Evidence: what one guest did, and what is known of it and of its host; what rules ask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.advice.configuration import Configuration
from bpfexit.events.access import Access
from bpfexit.events.kind import NO_KIND, Kind
from bpfexit.events.registry import KINDS
from bpfexit.model.address_names import AddressName, address_name
from bpfexit.model.grouping import ADDRESS_FIELDS, measures, without_idle_time
from bpfexit.model.guest import Guest, known_guests
from bpfexit.model.host_facts import HostFacts
from bpfexit.model.lines import Groups, Line, listed
from bpfexit.model.platform import described, platform, region_at
from bpfexit.model.rows import Rows, grouped
from bpfexit.model.snapshot import Snapshot, idle_rows

Mask = NDArray[np.bool_]
SEV_ES = "vmgexit"
"""The reason of every exit that an SEV-ES guest asks for, HLT included."""

Range = tuple[int, int]
"""First and last address, both inclusive."""


@dataclass(frozen=True)
class Exits:
    """Some of a guest's exits, over so many seconds."""

    rows: Rows
    seconds: float

    @property
    def count(self) -> int:
        """How many."""
        return int(self.rows["count"].sum())

    @property
    def per_s(self) -> float:
        """How many a second; nan of no time at all."""
        return self.count / self.seconds if self.seconds else nan

    @property
    def cost(self) -> float:
        """The time they took, ns a second; nan where it is not known.

        Where the back end emits no `kvm_exit`, it is that in user space: the least they took.
        """
        if not self.seconds:
            return nan
        if self.is_timed:
            return float(self.rows["total_ns"].sum()) / self.seconds
        in_user = float(self.rows["user_ns"].sum())
        return in_user / self.seconds if in_user else nan

    @property
    def is_timed(self) -> bool:
        """Whether the time from exit to entry is known."""
        return bool(self.rows["timed"].any())

    @property
    def mean_ns(self) -> float:
        """From exit to entry, mean, ns; nan where that is not known."""
        timed = int(self.rows["timed"].sum())
        return int(self.rows["total_ns"].sum()) / timed if timed else nan

    @property
    def user_mean_ns(self) -> float:
        """In user space, mean of those that went there, ns."""
        there = int(self.rows["user_count"].sum())
        return int(self.rows["user_ns"].sum()) / there if there else nan

    @property
    def user_share(self) -> float:
        """Which part of them went to user space."""
        return min(1.0, int(self.rows["user_count"].sum()) / self.count) if self.count else nan

    def take(self, mask: Mask) -> Exits:
        """Return those where the mask is true."""
        return Exits(self.rows.take(mask), self.seconds)

    def vcpus(self) -> list[Exits]:
        """Return them vCPU by vCPU."""
        order, fresh = grouped(self.rows.fields, ("tid",))
        ends = [*np.flatnonzero(fresh).tolist(), len(order)]
        return [Exits(self.rows.take(order[a:b]), self.seconds) for a, b in pairwise(ends)]


@dataclass(frozen=True)
class Evidence:
    """One guest. HLT counts in `exits`, but its time is only in `halts`.

    `host_vcpus` is how many vCPUs were seen in all guests together.
    """

    vm: str
    pid: int
    guest: Guest
    facts: HostFacts
    has_exit_events: bool
    backend: str
    seconds: float
    rows: Rows
    vcpus: NDArray[Any]
    reasons: tuple[str, ...]
    kernel: str = ""
    host_vcpus: int = 0

    @cached_property
    def idle(self) -> Mask:
        """Which rows are idle time."""
        return idle_rows(self.rows, self.reasons)

    @cached_property
    def exits(self) -> Exits:
        """All exits, those in which the guest waits, or may wait, without their time."""
        waits = self.idle | self.unclear
        return Exits(without_idle_time(self.rows, waits), self.seconds)

    @cached_property
    def unclear(self) -> Mask:
        """Which rows may be idle time or not: SEV-ES exits whose inner code is not known."""
        return self.reason(SEV_ES) & self.kind(NO_KIND)

    @cached_property
    def halts(self) -> Exits:
        """The guest's idle time: how often, and how long."""
        return Exits(self.rows.take(self.idle), self.seconds)

    @cached_property
    def configuration(self) -> Configuration:
        """What the guest's command line says."""
        return Configuration(self.guest)

    @property
    def none(self) -> Mask:
        """No row."""
        return np.zeros(len(self.rows), bool)

    def access(self, access: Access) -> Mask:
        """Which rows are reads, or writes."""
        mask: Mask = self.rows["access"] == access
        return mask

    def in_user_space(self) -> Mask:
        """Which rows are served in user space, at least now and then."""
        mask: Mask = self.rows["user_count"] > 0
        return mask

    def reason(self, *names: str) -> Mask:
        """Which rows have one of these reasons."""
        known = np.array([name in names for name in self.reasons] + [False], bool)
        mask: Mask = known[self.rows["reason"]]
        return mask

    def kind(self, kind: Kind) -> Mask:
        """Which rows are after a port, a guest physical address, an MSR, or nothing."""
        mask: Mask = self.rows["kind"] == kind
        return mask

    def at(self, kind: Kind, *ranges: Range) -> Mask:
        """Which rows are in one of these ranges of addresses."""
        addresses = self.rows["address"]
        found = self.none
        for first, last in ranges:
            found |= (addresses >= first) & (addresses <= last)
        return found & self.kind(kind)

    @cached_property
    def _devices(self) -> tuple[NDArray[Any], Mask]:
        """Return the name of what each row is after, and whether the guest's own map has it.

        It is the device's, then its register's; KVM's own devices are named as those
        that they take the place of.
        """
        fields = self.rows.fields[["kind", "address"]]
        places, place = np.unique(fields, return_inverse=True)
        own = [region_at(self.guest.regions, KINDS[kind], at) for kind, at in places.tolist()]
        usual = [
            region_at(platform(self.guest.vmm), KINDS[kind], at) for kind, at in places.tolist()
        ]
        found = [mine or other for mine, other in zip(own, usual, strict=True)]
        names = [
            described(region, address).removeprefix("kvm-") if region else ""
            for region, (_, address) in zip(found, places.tolist(), strict=True)
        ]
        mapped = np.array([region is not None for region in own], bool)
        return np.array(names, object)[place], mapped[place] if len(place) else self.none

    def device(self, kind: Kind, *names: str) -> Mask:
        """Which rows are after a device whose name, of `info mtree`, begins in one of these ways.

        The guest's own map says what lies at an address; where it says nothing, what
        is usual on a PC.
        """
        return self.is_called(*names) & self.kind(kind)

    @property
    def names(self) -> NDArray[Any]:
        """The name of what each row is after; "" where it has none."""
        return self._devices[0]

    def is_called(self, *names: str) -> Mask:
        """Which rows are after something whose name begins in one of these ways."""
        if not len(self.names):
            return self.none
        return np.array([name.startswith(names) for name in self.names], bool)

    def is_named(self) -> Mask:
        """Which rows are after something that has a name."""
        mask: Mask = self.names != ""
        return mask

    def is_mapped(self, mask: Mask) -> bool:
        """Whether the guest's own map names all addresses of these rows."""
        _, mapped = self._devices
        return bool(mask.any()) and bool(mapped[mask].all())

    def take(self, mask: Mask) -> Exits:
        """Return the exits where the mask is true."""
        return self.exits.take(mask)

    def lines(self, exits: Exits) -> Sequence[Line]:
        """Return exits by reason and address, those that cost most first."""
        by = ("isa", "reason", *ADDRESS_FIELDS)
        sums, _ = exits.rows.summed_by(by)
        numbers = measures(sums, self.seconds)
        return listed(Groups(sums.fields, numbers, by, (), self.reasons, self._name), "time")

    def _name(
        self, kind: Kind, address: int, vm: str | None, pid: int | None
    ) -> AddressName | None:
        del vm, pid
        return address_name(kind, address, (self.guest,))


def gather(snapshot: Snapshot) -> Iterable[Evidence]:
    """Yield the evidence of each guest that was seen: rules are about exits alone."""
    known = known_guests(snapshot.guests)
    rows, vcpus = snapshot.rows.take(~snapshot.outside_exits), snapshot.vcpus
    (row_order, rows_of), (vcpu_order, vcpus_of) = map(_by_guest, (rows.fields, vcpus))
    rows, vcpus = rows.take(row_order), vcpus[vcpu_order]
    for owner in dict.fromkeys((*rows_of, *vcpus_of)):
        place, pid = owner
        vm = snapshot.vms[place]
        yield Evidence(
            vm=vm,
            pid=pid,
            guest=known(pid, vm),
            facts=snapshot.origin.facts,
            has_exit_events=snapshot.origin.has_exit_events,
            backend=snapshot.origin.backend,
            kernel=snapshot.origin.kernel,
            host_vcpus=len(snapshot.vcpus),
            seconds=snapshot.duration_s,
            rows=rows.part(*rows_of.get(owner, (0, 0))),
            vcpus=vcpus[slice(*vcpus_of.get(owner, (0, 0)))],
            reasons=snapshot.reasons,
        )


def _by_guest(
    fields: NDArray[Any],
) -> tuple[NDArray[np.intp], dict[tuple[int, int], tuple[int, int]]]:
    """Return an order in which each guest's entries are neighbours, and where in it they are.

    Guests are told apart by `vm` and `pid`. A pass over all rows for each is quadratic.
    """
    order, fresh = grouped(fields, ("vm", "pid"))
    starts = np.flatnonzero(fresh)
    owners = fields[order[starts]][["vm", "pid"]].tolist()
    return order, dict(zip(owners, pairwise([*starts.tolist(), len(order)]), strict=True))

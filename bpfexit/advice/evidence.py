"""Evidence: what one guest did, and the facts about it and its host; the input of rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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
from bpfexit.model.guest import Guest
from bpfexit.model.host_facts import HostFacts
from bpfexit.model.lines import Groups, Line, listed
from bpfexit.model.platform import described, platform, region_at
from bpfexit.model.rows import Rows, grouped
from bpfexit.model.snapshot import idle_rows, inner_halts
from bpfexit.model.structs import copied
from bpfexit.model.usage import GuestUsage, HostUsage

Mask = NDArray[np.bool_]
SEV_ES = "vmgexit"
"""The reason of every exit that an SEV-ES guest requests, HLT included."""

Range = tuple[int, int]
"""First and last address, both inclusive."""


@dataclass(frozen=True)
class Exits:
    """Some of a guest's exits in `seconds` s."""

    rows: Rows
    seconds: float

    @property
    def count(self) -> int:
        """Number of exits."""
        return int(self.rows["count"].sum())

    @property
    def rate(self) -> float:
        """Exits per second; nan for a time of 0."""
        return self.count / self.seconds if self.seconds else nan

    @property
    def cost(self) -> float:
        """Time that the exits took, ns per second; nan if unknown.

        On a back end without `kvm_exit` it is the time in user space, a lower bound.
        """
        if not self.seconds:
            return nan
        if self.is_timed:
            return float(self.rows["total_ns"].sum()) / self.seconds
        userspace = float(self.rows["user_ns"].sum())
        return userspace / self.seconds if userspace else nan

    @property
    def is_timed(self) -> bool:
        """Whether the time from exit to entry is known."""
        return bool(self.rows["timed"].any())

    @property
    def mean_ns(self) -> float:
        """Mean latency, ns; nan if unknown."""
        timed = int(self.rows["timed"].sum())
        return int(self.rows["total_ns"].sum()) / timed if timed else nan

    @property
    def user_mean_ns(self) -> float:
        """Mean time in user space of the exits that went there, ns; nan if none did."""
        there = int(self.rows["user_count"].sum())
        return int(self.rows["user_ns"].sum()) / there if there else nan

    @property
    def user_share(self) -> float:
        """Share of the exits that went to user space."""
        return min(1.0, int(self.rows["user_count"].sum()) / self.count) if self.count else nan

    def take(self, mask: Mask) -> Exits:
        """Return the exits where the mask is true."""
        return Exits(self.rows.take(mask), self.seconds)

    def less(self, wait_ns: NDArray[Any], user_wait_ns: NDArray[Any]) -> Exits:
        """Return them without some of their time, and of that in user space; ns, shape (n,)."""
        fields = copied(self.rows.fields)
        for total, waiting in (("total_ns", wait_ns), ("user_ns", user_wait_ns)):
            fields[total] -= np.minimum(waiting.astype(fields[total].dtype), fields[total])
        return Exits(Rows(fields, self.rows.hist), self.seconds)

    def vcpus(self) -> list[Exits]:
        """Return the exits of each vCPU."""
        order, begins = grouped(self.rows.fields, ("tid",))
        ends = [*np.flatnonzero(begins).tolist(), len(order)]
        return [Exits(self.rows.take(order[a:b]), self.seconds) for a, b in pairwise(ends)]


@dataclass(frozen=True)
class Evidence:
    """One guest. `exits` includes HLT without its time, which is in `halts`.

    `host_vcpus` counts those of all guests. `usage` is what the guest took of the host, or None
    if unknown; `host` is what all guests took.
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
    has_waiting: bool = False
    usage: GuestUsage | None = None
    host: HostUsage = field(default_factory=HostUsage)

    @property
    def knows_waiting(self) -> bool:
        """Whether waiting for a CPU is a part of its own of the time of all vCPUs."""
        return self.has_waiting and self.has_exit_events and bool(self.vcpus["has_parts"].all())

    @cached_property
    def idle(self) -> Mask:
        """Which rows are idle time."""
        return idle_rows(self.rows, self.reasons) | inner_halts(self.rows)

    @cached_property
    def exits(self) -> Exits:
        """All exits; those in which the guest waits, or may wait, without their time."""
        return Exits(without_idle_time(self.rows, self.idle | self.unclear), self.seconds)

    @cached_property
    def unclear(self) -> Mask:
        """Which rows may be idle time: SEV-ES exits whose inner code is unknown."""
        return self.reason(SEV_ES) & self.kind(NO_KIND)

    @cached_property
    def halts(self) -> Exits:
        """The guest's idle time: how often, and how long."""
        return Exits(self.rows.take(self.idle), self.seconds)

    @cached_property
    def configuration(self) -> Configuration:
        """The guest's command line."""
        return Configuration(self.guest)

    @property
    def none(self) -> Mask:
        """A mask that is false for all rows."""
        return np.zeros(len(self.rows), bool)

    def access(self, access: Access) -> Mask:
        """Return which rows are reads, or writes."""
        mask: Mask = self.rows["access"] == access
        return mask

    def in_user_space(self) -> Mask:
        """Return which rows went to user space at least once."""
        mask: Mask = self.rows["user_count"] > 0
        return mask

    def reason(self, *names: str) -> Mask:
        """Return which rows have one of these reasons."""
        known = np.array([name in names for name in self.reasons] + [False], bool)
        mask: Mask = known[self.rows["reason"]]
        return mask

    def kind(self, kind: Kind) -> Mask:
        """Return which rows access a target of this kind, or none for `NO_KIND`."""
        mask: Mask = self.rows["kind"] == kind
        return mask

    def at(self, kind: Kind, *ranges: Range) -> Mask:
        """Return which rows are in one of these ranges of addresses."""
        addresses = self.rows["address"]
        inside = self.none
        for first, last in ranges:
            inside |= (addresses >= first) & (addresses <= last)
        return inside & self.kind(kind)

    @cached_property
    def _devices(self) -> tuple[NDArray[Any], Mask]:
        """Return the name of each row's target, and whether the guest's own map contains it.

        The name is the device's, followed by its register's. Devices of KVM have the names of those
        that they replace.
        """
        fields = self.rows.fields[["kind", "address"]]
        targets, target_of = np.unique(fields, return_inverse=True)
        known = [(KINDS[kind], address) for kind, address in targets.tolist()]
        own = [region_at(self.guest.regions, *target) for target in known]
        usual = [region_at(platform(self.guest.vmm), *target) for target in known]
        regions = [mine or other for mine, other in zip(own, usual, strict=True)]
        names = [
            described(region, address).removeprefix("kvm-") if region else ""
            for region, (_, address) in zip(regions, targets.tolist(), strict=True)
        ]
        mapped = np.array([region is not None for region in own], bool)
        if not len(target_of):
            return np.array([], object), self.none
        return np.array(names, object)[target_of], mapped[target_of]

    def device(self, kind: Kind, *names: str) -> Mask:
        """Return which rows access a device whose name begins with one of these.

        Names are those of `info mtree`: from the guest's own map, otherwise those of a usual PC.
        """
        return self.is_called(*names) & self.kind(kind)

    @property
    def names(self) -> NDArray[Any]:
        """The name of each row's target; "" if it has none."""
        return self._devices[0]

    def is_called(self, *names: str) -> Mask:
        """Return which rows access a target whose name begins with one of these."""
        if not len(self.names):
            return self.none
        return np.array([name.startswith(names) for name in self.names], bool)

    def is_named(self) -> Mask:
        """Return which rows access a target with a name."""
        return np.array(self.names != "", bool)

    def is_mapped(self, mask: Mask) -> bool:
        """Return whether the guest's own map names all addresses of these rows."""
        _, mapped = self._devices
        return bool(mask.any()) and bool(mapped[mask].all())

    def take(self, mask: Mask) -> Exits:
        """Return the exits where the mask is true."""
        return self.exits.take(mask)

    def lines(self, exits: Exits) -> Sequence[Line]:
        """Return exits as lines by reason and address, most expensive first."""
        by = ("isa", "reason", *ADDRESS_FIELDS)
        sums, _ = exits.rows.summed_by(by)
        numbers = _numbers(self, sums)
        of = Groups(sums.fields, numbers, by, (), self.reasons, self._name, sums.hist)
        return listed(of, "time").lines()

    def _name(self, kind: Kind, address: int, *_: str | int | None) -> AddressName | None:
        return address_name(kind, address, (self.guest,))


def _numbers(evidence: Evidence, sums: Rows) -> dict[str, NDArray[np.float64]]:
    all_exits = int(evidence.rows["count"].sum())
    return measures(sums, evidence.seconds, has_waiting=evidence.has_waiting, all_exits=all_exits)

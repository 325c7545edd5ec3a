"""What guests take of their host: CPU time and waiting of their threads, memory, quotas. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from math import nan
from typing import TypeVar


class Role(StrEnum):
    """What a thread of a guest does; the emulator has all threads that do nothing else."""

    VCPU = "vcpu"
    IOTHREAD = "iothread"
    EMULATOR = "emulator"
    VHOST = "vhost"


@dataclass(frozen=True)
class ThreadTimes:
    """CPU time and waiting for a CPU, ns, of a guest's threads of one role.

    None if the kernel does not account for it.
    """

    role: Role
    threads: int
    cpu_ns: int | None
    wait_ns: int | None


@dataclass(frozen=True)
class Quota:
    """A cgroup with a limit, which `vcpus` vCPU threads are in or below.

    `cpus` is how many CPUs they may use together; `throttled_ns` how long they were stopped for
    it, added up over the CPUs they ran on, None if unknown.
    """

    cgroup: str
    cpus: float
    vcpus: int
    throttled_ns: int | None


@dataclass(frozen=True)
class Allowed:
    """CPUs, as the kernel lists them (`0-3,8`), on which `vcpus` vCPU threads may run."""

    cpus: str
    vcpus: int


@dataclass(frozen=True)
class GuestUsage:
    """What one guest takes. None, or no entry, where something is unknown.

    `seconds` is the time in which threads were measured, s; 0 if they were read for the first
    time. Memory is that at the end: `resident_bytes` in RAM with hugetlb pages, `swapped_bytes`
    without shared memory, which the kernel does not count for a process. `major_faults` are
    those of the process in that time. `nodes` are (NUMA node, bytes). `quotas` is empty without
    any.
    """

    vm: str
    pid: int
    seconds: float = 0.0
    threads: tuple[ThreadTimes, ...] = ()
    resident_bytes: int | None = None
    swapped_bytes: int | None = None
    major_faults: int | None = None
    nodes: tuple[tuple[int, int], ...] = ()
    quotas: tuple[Quota, ...] | None = None
    allowed: tuple[Allowed, ...] = ()

    def times(self, role: Role) -> ThreadTimes | None:
        """Return the times of a role; None if the guest has no such thread."""
        return next((times for times in self.threads if times.role is role), None)

    def cpu(self, role: Role) -> float:
        """Return the CPU time of a role as a share of one CPU; nan if unknown."""
        times = self.times(role)
        return self._share(0 if times is None else times.cpu_ns)

    def wait(self, role: Role) -> float:
        """Return the share of their time that the threads of a role waited; nan if unknown."""
        times = self.times(role)
        return nan if times is None else self._share(times.wait_ns) / max(1, times.threads)

    @property
    def swapped(self) -> float:
        """The share of its memory that is in swap; nan if unknown."""
        if self.resident_bytes is None or self.swapped_bytes is None:
            return nan
        return self.swapped_bytes / ((self.resident_bytes + self.swapped_bytes) or nan)

    @property
    def throttled(self) -> float:
        """How long quotas stopped its vCPU threads, as a share of one CPU; nan if unknown."""
        return self._share(self.throttled_ns)

    @property
    def throttled_ns(self) -> int | None:
        """How long its quotas stopped the vCPUs, added up; None if unknown."""
        return None if self.quotas is None else _sum(quota.throttled_ns for quota in self.quotas)

    def _share(self, ns: int | None) -> float:
        if ns is None or not self.seconds or not self.threads:
            return nan
        return ns / (self.seconds * 1e9)

    @property
    def size(self) -> int:
        """Approximate bytes of memory."""
        texts = [quota.cgroup for quota in self.quotas or ()]
        texts += [allowed.cpus for allowed in self.allowed]
        parts = len(self.threads) + len(self.nodes) + len(texts)
        return _A_GUEST + _A_PART * parts + sum(map(len, texts)) + 4 * len(self.vm)


_A_GUEST, _A_PART = 700, 200


@dataclass(frozen=True)
class HostUsage:
    """What all guests take, and the pages that the host has swapped in; None if unknown."""

    guests: tuple[GuestUsage, ...] = ()
    swapped_in: int | None = None

    @cached_property
    def vcpus_by_cpus(self) -> Mapping[str, int]:
        """The vCPU threads of all guests by the CPUs on which they may run."""
        return vcpus_by_cpus(self.guests)

    def where(self, wanted: Callable[[GuestUsage], bool]) -> HostUsage:
        """Return the same with these guests only."""
        return replace(self, guests=tuple(filter(wanted, self.guests)))

    @property
    def size(self) -> int:
        """Approximate bytes of memory."""
        return sum(guest.size for guest in self.guests)


def vcpus_by_cpus(guests: Iterable[GuestUsage]) -> Mapping[str, int]:
    """Return the number of vCPU threads by the CPUs on which they may run."""
    threads = Counter[str]()
    for guest in guests:
        for allowed in guest.allowed:
            threads[allowed.cpus] += allowed.vcpus
    return threads


def merged_usage(parts: Sequence[HostUsage]) -> HostUsage:
    """Add up consecutive intervals: times and counts are summed, the rest is that of the last."""
    guests: dict[tuple[str, int], GuestUsage] = {}
    for part in parts:
        for guest in part.guests:
            key = (guest.vm, guest.pid)
            guests[key] = _added(guests[key], guest) if key in guests else guest
    known = [part.swapped_in for part in parts if part.guests or part.swapped_in is not None]
    return HostUsage(tuple(guests.values()), _sum(known) if known else None)


def _added(before: GuestUsage, after: GuestUsage) -> GuestUsage:
    if not before.seconds:  # nothing was measured yet
        return after
    faults = (before.major_faults, after.major_faults)
    return replace(
        after,
        seconds=before.seconds + after.seconds,
        threads=_joined(before.threads, after.threads, lambda each: each.role, _added_times),
        major_faults=_sum(faults),
        quotas=_added_quotas(before.quotas, after.quotas),
    )


def _added_times(before: ThreadTimes, after: ThreadTimes) -> ThreadTimes:
    return replace(
        after,
        cpu_ns=_sum((before.cpu_ns, after.cpu_ns)),
        wait_ns=_sum((before.wait_ns, after.wait_ns)),
    )


def _added_quotas(
    before: tuple[Quota, ...] | None, after: tuple[Quota, ...] | None
) -> tuple[Quota, ...] | None:
    if before is None or after is None:
        return after
    return _joined(before, after, lambda each: each.cgroup, _added_quota)


def _added_quota(before: Quota, after: Quota) -> Quota:
    """Add two up; what was throttled before a quota was found is not known."""
    known = [each.throttled_ns for each in (before, after) if each.throttled_ns is not None]
    return replace(after, throttled_ns=sum(known) if known else None)


Part = TypeVar("Part")


def _joined(
    before: Iterable[Part],
    after: Iterable[Part],
    key: Callable[[Part], object],
    add: Callable[[Part, Part], Part],
) -> tuple[Part, ...]:
    """Return all entries of both; those with the same key are added up."""
    found = {key(entry): entry for entry in before}
    for entry in after:
        had = found.get(key(entry))
        found[key(entry)] = entry if had is None else add(had, entry)
    return tuple(found.values())


def _sum(values: Iterable[int | None]) -> int | None:
    """Add up; None if any is unknown."""
    known = list(values)
    return None if any(value is None for value in known) else sum(filter(None, known))

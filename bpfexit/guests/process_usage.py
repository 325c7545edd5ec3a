"""What one guest's process takes of the host, from one reading to the next."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bpfexit.guests.nodes import bytes_by_node
from bpfexit.guests.quotas import Quotas
from bpfexit.guests.threads import Counts, allowed_cpus, counts, role, thread_folder, thread_ids
from bpfexit.host.cgroups import Cgroups, Group
from bpfexit.host.kept_files import KeptFiles
from bpfexit.model.usage import Allowed, GuestUsage, Role, ThreadTimes

LOOK_S = 10.0
"""Seconds after which names, cgroups and affinities are looked at again: they seldom change."""

_LOOKS = 2
"""How often a new thread is looked at: it gets its name and its cgroup as it begins."""

_MEMORY = re.compile(rb"^(VmRSS|VmSwap|HugetlbPages):\s*([0-9]{1,15}) kB$", re.M)
_MAJOR_FAULTS = 9
"""Its place in `/proc/PID/stat`, counted from the state, which is the first after the name."""


@dataclass
class _Thread:
    """A thread as it was at the last reading; `before` is None for one that is new."""

    folder: Path
    schedstat: str
    before: Counts | None = None
    now: Counts | None = None
    role: Role = Role.EMULATOR
    groups: tuple[Group, ...] | None = None
    cpus: str = ""
    looks: int = 0


@dataclass(frozen=True)
class Host:
    """What the readings of all guests share."""

    root: Path
    cgroups: Cgroups
    quotas: Quotas
    files: KeptFiles
    has_nodes: bool


class ProcessUsage:
    """A guest's process and the kernel threads that work for it alone."""

    def __init__(self, pid: int, host: Host) -> None:
        self._pid, self._root, self._host = pid, host.root, host
        folder = host.root / "proc" / str(pid)
        self._stat, self._status = str(folder / "stat"), str(folder / "status")
        self._threads: dict[int, _Thread] = {}
        self._seconds = self._taken_s = self._looked_s = 0.0
        self._faults: tuple[int | None, int | None] = (None, None)  # before, and now
        self.nodes: tuple[tuple[int, int], ...] = ()

    def read(self, vcpus: Collection[int], workers: Collection[int]) -> None:
        """Read all of it but its quotas. Raises `OSError` if the process has ended.

        `vcpus` are the threads of vCPUs that are known, `workers` those of the kernel.
        """
        own = thread_ids(self._pid, self._root)
        now = time.monotonic()
        self._seconds = now - self._taken_s if self._taken_s else 0.0
        self._taken_s = now
        looks = now - self._looked_s >= LOOK_S or not self._looked_s
        self._count({**dict.fromkeys(own, self._pid), **{tid: tid for tid in workers}})
        self._look(vcpus, workers, again=looks)
        self._faults = self._faults[1], self._major_faults()
        if looks:
            self._looked_s = now
            if self._host.has_nodes:
                self.nodes = bytes_by_node(self._pid, self._root, self._host.cgroups)

    def groups(self) -> Iterator[Group]:
        """Yield the cgroups of its threads."""
        for thread in self._threads.values():
            yield from thread.groups or ()

    def files(self) -> Iterator[str]:
        """Yield the files that are read each time."""
        yield self._stat
        yield self._status
        for thread in self._threads.values():
            yield thread.schedstat

    def usage(self, vm: str) -> GuestUsage:
        """Return what happened between the last two readings."""
        vcpus = [thread for thread in self._threads.values() if thread.role is Role.VCPU]
        resident, swapped = self._memory()
        before, faults = self._faults
        is_known = before is not None and faults is not None
        return GuestUsage(
            vm,
            self._pid,
            seconds=self._seconds,
            threads=tuple(filter(None, map(self._times, Role))),
            resident_bytes=resident,
            swapped_bytes=swapped,
            major_faults=max(0, (faults or 0) - (before or 0)) if is_known else None,
            nodes=self.nodes,
            quotas=self._host.quotas.of(thread.groups for thread in vcpus),
            allowed=_allowed(vcpus),
        )

    def _count(self, processes: Mapping[int, int]) -> None:
        """Read the counts of each thread, given with its process; forget those that have ended."""
        had, self._threads = self._threads, {}
        for tid, pid in processes.items():
            thread = had.get(tid) or self._new(pid, tid)
            thread.before, thread.now = thread.now, counts(thread.schedstat, self._host.files)
            if thread.before and thread.now and thread.now.cpu_ns < thread.before.cpu_ns:
                thread, now = self._new(pid, tid), thread.now  # another one has its ID
                thread.now = now
            self._threads[tid] = thread

    def _new(self, pid: int, tid: int) -> _Thread:
        folder = thread_folder(pid, tid, self._root)
        return _Thread(folder, str(folder / "schedstat"))

    def _look(self, vcpus: Collection[int], workers: Collection[int], *, again: bool) -> None:
        """Look at what seldom changes: of new threads, or of all `again`."""
        for tid, thread in self._threads.items():
            if tid in vcpus:
                thread.role = Role.VCPU
            if not again and thread.looks >= _LOOKS:
                continue
            thread.looks += 1
            thread.role = Role.VHOST if tid in workers else role(tid, thread.folder, vcpus)
            if thread.role is Role.VCPU:
                thread.cpus = allowed_cpus(thread.folder)
            if thread.role is Role.VCPU or thread.looks <= _LOOKS:  # it may turn out to be one
                thread.groups = self._host.cgroups.of(thread.folder, "cpu")
                self._host.quotas.look(thread.groups or (), again=again)

    def _times(self, wanted: Role) -> ThreadTimes | None:
        threads = [thread for thread in self._threads.values() if thread.role is wanted]
        known = [(thread.before, thread.now) for thread in threads if thread.now]
        if not threads:
            return None
        if not (known and self._seconds):
            return ThreadTimes(wanted, len(threads), None, None)
        cpu_ns = sum(now.cpu_ns - (before.cpu_ns if before else 0) for before, now in known)
        wait_ns = sum(now.wait_ns - (before.wait_ns if before else 0) for before, now in known)
        return ThreadTimes(wanted, len(threads), cpu_ns, wait_ns)

    def _major_faults(self) -> int | None:
        stat = self._host.files.text(self._stat)
        fields = stat[stat.rfind(b")") + 1 :].split()  # the name before may contain anything
        number = fields[_MAJOR_FAULTS] if len(fields) > _MAJOR_FAULTS else b""
        return int(number) if number.isdigit() else None

    def _memory(self) -> tuple[int | None, int | None]:
        """Return the bytes in RAM, with hugetlb pages, and in swap."""
        found = _MEMORY.findall(self._host.files.text(self._status))
        sizes = {name: int(size) << 10 for name, size in found}
        resident = sizes.get(b"VmRSS")
        if resident is not None:
            resident += sizes.get(b"HugetlbPages", 0)
        return resident, sizes.get(b"VmSwap")


def _allowed(vcpus: list[_Thread]) -> tuple[Allowed, ...]:
    numbers = Counter(thread.cpus for thread in vcpus if thread.cpus)
    return tuple(Allowed(cpus, number) for cpus, number in numbers.items())

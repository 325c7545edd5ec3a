"""The series of one guest: everything counted since it was first seen."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bpfexit.exporting.changes import AccessChange, ExitChange, VcpuChange
from bpfexit.exporting.detail import MOST_REASONS, OTHER, Detail
from bpfexit.exporting.family import Buckets, Sample
from bpfexit.exporting.first_keys import FirstKeys
from bpfexit.exporting.times import Times, VcpuTimes
from bpfexit.exporting.usage_series import UsageSeries
from bpfexit.model.text import clean

NO_EXIT = "none"
"""The reason of accesses without an exit, or without one that the back end reports."""


class Place(NamedTuple):
    """The target of an access."""

    kind: str
    address: str
    access: str


_STATES = {
    "guest": "guest",
    "kvm": "kvm",
    "user": "user",
    "wait": "waiting",
    "idle": "halted",
}
"""The states of a vCPU by the parts of its time."""


class GuestSeries:
    """Sums of one guest by the labels of its series; none of them ever shrinks."""

    def __init__(self, detail: Detail) -> None:
        self._reasons = FirstKeys[str](MOST_REASONS, lambda _: OTHER)
        self._places = FirstKeys[Place](
            detail.addresses, lambda access: access._replace(address=OTHER)
        )
        self._vcpu_keys = FirstKeys[str](detail.vcpus, lambda _: OTHER)
        self._labels_vcpus = detail.vcpus > 0
        self._exits: Counter[str] = Counter()
        self._user_exits: Counter[str] = Counter()
        self._times: dict[str, Times] = defaultdict(Times)
        self._buckets: dict[str, list[int]] = defaultdict(lambda: [0] * len(detail.edges_ns))
        self._bucket_ns: Counter[str] = Counter()
        self._accesses: Counter[Place] = Counter()
        self._devices: dict[Place, str] = {}
        self._vcpus: dict[str, VcpuTimes] = defaultdict(VcpuTimes)
        self._rules: dict[str, bool] = {}
        self.usage = UsageSeries()

    def add_exits(self, change: ExitChange) -> None:
        """Add exits of an interval; idle time is not part of the time of exits."""
        reason = self._reasons.series(NO_EXIT if change.reason is None else clean(change.reason))
        if change.reason is not None:
            self._exits[reason] += change.exits
        if change.idle:
            return
        if change.user_count:
            self._user_exits[reason] += change.user_count
        self._times[reason].add(change.durations)
        if change.timed:
            sums = self._buckets[change.reason_class]
            sums[:] = map(int.__add__, sums, change.buckets)
            self._bucket_ns[change.reason_class] += change.durations.total

    def add_accesses(self, change: AccessChange) -> None:
        """Add accesses of an interval; a series keeps the device name that it began with."""
        access = self._places.series(Place(change.kind, change.address, change.access))
        device = "" if access.address == OTHER else clean(change.device)
        self._devices.setdefault(access, device)
        self._accesses[access] += change.accesses

    def add_vcpu(self, change: VcpuChange) -> None:
        """Add time of a vCPU in an interval."""
        self._vcpus[self._vcpu_keys.series(change.vcpu)].add(change.time)

    def report(self, rules: Iterable[str]) -> None:
        """Note which rules report the guest now, and that the earlier ones no longer do."""
        self._rules = dict.fromkeys(self._rules, False) | dict.fromkeys(rules, True)

    def exits(self) -> Iterator[Sample]:
        """Yield the exits by reason."""
        yield from (((reason,), count) for reason, count in self._exits.items())

    def exit_seconds(self) -> Iterator[Sample]:
        """Yield the time of exits by reason and part, s."""
        for reason, times in self._times.items():
            yield from (((reason, part), seconds) for part, seconds in times.parts())

    def durations(self) -> Iterator[Sample]:
        """Yield a histogram for each class of reasons."""
        for name, counts in self._buckets.items():
            yield (name,), Buckets(tuple(counts), self._bucket_ns[name] / 1e9)

    def userspace_exits(self) -> Iterator[Sample]:
        """Yield the exits that went to user space, by reason."""
        yield from (((reason,), count) for reason, count in self._user_exits.items())

    def accesses(self) -> Iterator[Sample]:
        """Yield the accesses by target and device."""
        for access, count in self._accesses.items():
            yield (*access, self._devices[access]), count

    def vcpu_seconds(self) -> Iterator[Sample]:
        """Yield the time of vCPUs by state, s, after the label of the vCPU if it has one."""
        for name, vcpu in self._vcpus.items():
            labels = (name,) if self._labels_vcpus else ()
            for part, seconds in vcpu.parts():
                yield (*labels, _STATES[part]), seconds

    def findings(self) -> Iterator[Sample]:
        """Yield 1 for each rule that reports the guest, and 0 for each that did before."""
        yield from (((rule,), int(holds)) for rule, holds in self._rules.items())

"""Snapshots in, families of series out: everything counted since the start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from bpfexit.exporting import metrics
from bpfexit.exporting.changes import Owner, access_changes, exit_changes, vcpu_changes
from bpfexit.exporting.detail import Detail
from bpfexit.exporting.family import Buckets, Family, Metric, Sample, Type, Value
from bpfexit.exporting.guest_series import GuestSeries
from bpfexit.exporting.host_series import HostSeries
from bpfexit.exporting.recent_findings import RecentFindings
from bpfexit.exporting.roster import Member, Roster
from bpfexit.model.guest import Guest
from bpfexit.model.snapshot import Snapshot

Describe = Callable[[Guest], tuple[str, ...]]
"""Returns the values of the labels of `GUEST_INFO` after the guest's."""

_OF_GUESTS: dict[Metric, Callable[[GuestSeries], Iterator[Sample]]] = {
    metrics.EXITS: GuestSeries.exits,
    metrics.EXIT_SECONDS: GuestSeries.exit_seconds,
    metrics.EXIT_DURATION: GuestSeries.durations,
    metrics.VCPU_SECONDS: GuestSeries.vcpu_seconds,
    metrics.USERSPACE_EXITS: GuestSeries.userspace_exits,
    metrics.ACCESSES: GuestSeries.accesses,
    metrics.THREAD_CPU: lambda series: series.usage.cpu_seconds(),
    metrics.THREAD_WAIT: lambda series: series.usage.wait_seconds(),
    metrics.THROTTLED: lambda series: series.usage.throttled_seconds(),
    metrics.MEMORY: lambda series: series.usage.memory_bytes(),
    metrics.FINDING: GuestSeries.findings,
}


class Accumulator:
    """Adds snapshots up.

    No counter ever shrinks, and no count moves to another series. In the reading that first sees a
    guest, its counters are 0, because Prometheus does not know what a series counted before its
    first sample.
    """

    def __init__(self, describe: Describe, detail: Detail | None = None) -> None:
        self._detail = detail or Detail()
        self._roster = Roster(lambda: GuestSeries(self._detail), describe)
        self._host = HostSeries()
        self._recent = RecentFindings()
        self._readings = 0

    def add(self, snapshot: Snapshot, now: float) -> None:
        """Add an interval that ended at `now`, s of a monotonic clock."""
        self._readings += 1
        self._roster.update(snapshot, self._readings, now)
        self._host.add(snapshot)
        for exits in exit_changes(snapshot, self._detail.edges_ns):
            self._series(exits.owner).add_exits(exits)
        for accesses in access_changes(snapshot):
            self._series(accesses.owner).add_accesses(accesses)
        for vcpu in vcpu_changes(snapshot):
            self._series(vcpu.owner).add_vcpu(vcpu)
        for usage in snapshot.usage.guests:
            if member := self._roster.of(Owner(usage.pid, usage.vm)):
                member.series.usage.add(usage)
        self._find(snapshot)

    def families(self) -> tuple[Family, ...]:
        """Return all families that have a series, in the order of `METRICS`."""
        values = {metric: self._of_guests(metric) for metric in _OF_GUESTS}
        values[metrics.GUEST_INFO] = Family(
            metrics.GUEST_INFO,
            tuple(((member.label, *member.info), 1) for member in self._roster),
        )
        values |= {family.metric: family for family in self._host.families()}
        in_order = (values[metric] for metric in metrics.METRICS if metric in values)
        return tuple(family for family in in_order if family.samples)

    def _series(self, owner: Owner) -> GuestSeries:
        member = self._roster.of(owner)
        assert member  # noqa: S101 - the roster has everyone who was counted
        return member.series

    def _find(self, snapshot: Snapshot) -> None:
        reports = self._recent.add(snapshot)
        if reports is None:
            return
        for member in self._roster:
            rules = chain.from_iterable(reports.get(owner, ()) for owner in member.owners)
            member.series.report(rules)

    def _of_guests(self, metric: Metric) -> Family:
        samples_of = _OF_GUESTS[metric]
        samples = tuple(
            ((member.label, *labels), self._shown(metric, member, value))
            for member in self._roster
            for labels, value in samples_of(member.series)
        )
        if metric is metrics.VCPU_SECONDS and self._detail.vcpus:
            metric = metrics.VCPU_SECONDS_BY_VCPU
        return Family(metric, samples, self._detail.le if metric.type is Type.HISTOGRAM else ())

    def _shown(self, metric: Metric, member: Member, value: Value) -> Value:
        if member.since < self._readings or metric.type is Type.GAUGE:
            return value
        return Buckets((0,) * len(value.counts), 0.0) if isinstance(value, Buckets) else 0

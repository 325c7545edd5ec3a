"""How long a guest's vCPUs wait for a CPU, and what keeps them waiting: a quota, or other threads.

The run delay of a thread has both. Only `cpu.stat` of its cgroups tells a quota's part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from math import isnan, nan

from bpfexit.advice import cpus, remedies, vmm
from bpfexit.advice.evidence import Evidence, Exits
from bpfexit.advice.finding import Candidate, Change, Takes, Waiting
from bpfexit.model import numbers
from bpfexit.model.rows import NO_VCPU
from bpfexit.model.usage import Quota, Role

_LEAST = 0.05
"""Minimum share of a vCPU's time at which waiting is a finding; a busy host makes any wait."""

_MOSTLY, _HARDLY = 0.5, 0.05
"""Shares of the waiting for which quotas are the cause, and below which they are not.

Throttled time is added up over CPUs: it is half of the waiting of two threads on one CPU.
"""

_LITTLE = 0.1
"""Share of the time of exits below which waiting does not make them slow."""

_SHOWN = 4


class Cause(Enum):
    """What keeps vCPUs waiting, as far as it is known."""

    QUOTA = "a quota"
    CROWD = "other threads"
    BOTH = "both"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Starvation:
    """How long vCPUs waited for a CPU, and the part of it for which a quota stopped them.

    `ns_per_s` is that of all vCPUs, `share` that of the one that waited most, or of all alike if
    `who` is "". `throttled` is a share of the waiting; nan if it is unknown.
    """

    ns_per_s: float
    share: float
    who: str
    throttled: float

    @property
    def cause(self) -> Cause:
        """What keeps the vCPUs waiting."""
        if isnan(self.throttled):
            return Cause.UNKNOWN
        if self.throttled >= _MOSTLY:
            return Cause.QUOTA
        return Cause.CROWD if self.throttled < _HARDLY else Cause.BOTH

    @property
    def text(self) -> str:
        """How long they waited, in words."""
        share = f"{numbers.share(self.share)}%"
        if not self.who:
            return f"the vCPUs wait for a CPU {share} of their time"
        return f"{self.who} waits for a CPU {share} of its time"

    @property
    def waiting(self) -> Waiting:
        """What it costs."""
        return Waiting(self.ns_per_s, self.share, self.who or "its vCPUs")


def starvation(evidence: Evidence) -> Starvation | None:
    """Return how long the guest's vCPUs waited; None if it is not known.

    It is measured with each event, or by the scheduler for each thread. Of exits alone, it is
    what they waited at the least.
    """
    measured = _by_parts(evidence) or _by_scheduler(evidence) or _by_exits(evidence)
    if measured is None:
        return None
    ns_per_s, share, who = measured
    return Starvation(ns_per_s, share, who, _throttled(evidence, ns_per_s))


def found(evidence: Evidence) -> Starvation | None:
    """Return how long the vCPUs waited, if that is worth a finding."""
    starved = starvation(evidence)
    return starved if starved and starved.share >= _LEAST else None


def is_excluded(evidence: Evidence, exits: Exits) -> bool:
    """Return whether these exits hardly waited for a CPU, since the vCPUs hardly did in all."""
    if evidence.has_waiting and evidence.has_exit_events:
        return cpus.waited(evidence, exits) < _LITTLE
    known = starvation(evidence)
    return known is not None and known.ns_per_s < _LITTLE * exits.cost


def _by_parts(evidence: Evidence) -> tuple[float, float, str] | None:
    if not evidence.knows_waiting:
        return None
    vcpus = evidence.vcpus[["tid", "vcpu", "wait_ns"]].tolist()
    return _sums(evidence, {(tid, vcpu): max(0, wait) for tid, vcpu, wait in vcpus})


def _by_exits(evidence: Evidence) -> tuple[float, float, str] | None:
    if not (evidence.has_waiting and evidence.has_exit_events):
        return None
    rows = evidence.rows.take(~evidence.idle).fields
    waits = Counter[tuple[int, int]]()
    for tid, vcpu, wait in rows[["tid", "vcpu", "wait_ns"]].tolist():
        waits[tid, vcpu] += wait
    return _sums(evidence, waits)


def _sums(
    evidence: Evidence, waits: Mapping[tuple[int, int], int]
) -> tuple[float, float, str] | None:
    """Return what vCPUs waited, ns per second, the share of the one that did most, and its name."""
    if not waits or not evidence.seconds:
        return None
    (tid, vcpu), most = max(waits.items(), key=lambda item: item[1])
    who = f"tid {tid}" if vcpu == NO_VCPU else f"vCPU {vcpu}"
    return sum(waits.values()) / evidence.seconds, most / (evidence.seconds * 1e9), who


def _by_scheduler(evidence: Evidence) -> tuple[float, float, str] | None:
    usage = evidence.usage
    times = usage and usage.times(Role.VCPU)
    if usage is None or not times or times.wait_ns is None or not usage.seconds:
        return None
    return times.wait_ns / usage.seconds, usage.wait(Role.VCPU), ""


def _throttled(evidence: Evidence, ns_per_s: float) -> float:
    usage = evidence.usage
    if usage is None or usage.quotas is None or not usage.seconds:
        return 0.0 if evidence.guest.cpu_quota == 0 and usage is None else nan
    if usage.throttled_ns is None or not ns_per_s:
        return nan
    return usage.throttled_ns / usage.seconds / ns_per_s


def changes(evidence: Evidence, cause: Cause) -> tuple[Change, ...]:
    """Return what gives the vCPUs more CPU time."""
    by_quota = cause in (Cause.QUOTA, Cause.BOTH) or bool(cpus.small_quota(evidence))
    is_crowded = cause in (Cause.CROWD, Cause.BOTH)
    quota = _more_quota(evidence) if by_quota else ()
    if cpus.crowded(evidence):
        return (*quota, remedies.on_host(FEWER))
    return (*quota, *((remedies.on_host(_APART),) if is_crowded else ()))


FEWER = "fewer vCPUs, or guests, than the host has CPUs; or pinned vCPUs"
_APART = "move other threads off the vCPUs' CPUs, or pin the vCPUs to CPUs of their own"


def _more_quota(evidence: Evidence) -> tuple[Change, ...]:
    raised = vmm.setting(
        evidence.guest,
        takes=Takes.AT_ONCE,
        libvirt="virsh schedinfo DOMAIN --live --config --set vcpu_quota=-1 (or global_quota, if "
        "that is the one that is set), or fewer vCPUs",
        proxmox="qm set VMID --delete cpulimit",
        openstack="a flavor without quota:cpu_quota",
        kubevirt="spec.template.spec.domain.resources.limits.cpu: as many as vCPUs",
    )
    most = throttling(evidence)[:1]
    which = f"{most[0].cgroup}, now {most[0].cpus:g} CPUs, in " if most else ""
    return (
        *raised,
        remedies.on_host(
            f"a higher CPU quota of the guest's cgroup ({which}cpu.max, of version 1 "
            "cpu.cfs_quota_us), or fewer vCPUs"
        ),
    )


def throttling(evidence: Evidence) -> list[Quota]:
    """Return the quotas that stopped vCPUs, the one that did for longest first."""
    quotas = (evidence.usage and evidence.usage.quotas) or ()
    found = [quota for quota in quotas if quota.throttled_ns]
    return sorted(found, key=lambda quota: quota.throttled_ns or 0, reverse=True)


def context(evidence: Evidence) -> tuple[str, ...]:
    """Return the quotas that stopped the vCPUs, and how many CPUs there are for how many vCPUs."""
    quotas = throttling(evidence)
    seconds = evidence.usage.seconds if evidence.usage else 0.0
    shown = [
        f"cgroup {quota.cgroup}: {quota.cpus:g} CPUs for {_vcpus(quota)}, throttled "
        f"{numbers.duration((quota.throttled_ns or 0) / seconds)} per second"
        for quota in quotas[:_SHOWN]
    ]
    more = len(quotas) - _SHOWN
    others = (f"{more} more cgroups were throttled",) if more > 0 else ()
    return (*shown, *others, *cpus.counts(evidence))


def _vcpus(quota: Quota) -> str:
    return "1 vCPU" if quota.vcpus == 1 else f"{quota.vcpus} vCPUs"


def candidates(evidence: Evidence, cause: Cause) -> tuple[Candidate, ...]:
    """Return what may keep the vCPUs waiting, and what would decide."""
    pid = evidence.pid
    throttled = Candidate(
        "the guest's cgroup uses up its CPU quota",
        "nr_throttled and throttled_usec (version 1: throttled_time) in cpu.stat of the cgroups in "
        f"/proc/{pid}/task/*/cgroup",
    )
    busy = Candidate(
        "other threads, or guests, run on the vCPU's CPU",
        "`perf sched timehist`, or `ps -eLo psr,pcpu,pid,comm --sort=-pcpu`: what runs on it",
    )
    if cause is Cause.UNKNOWN:
        grows = f"the second field of /proc/{pid}/task/*/schedstat grows by as much"
        other = Candidate(busy.cause, grows)
        return (*(() if _has_no_quota(evidence) else (throttled,)), other)
    if cause is Cause.QUOTA or cpus.lack(evidence):
        return ()
    light = Candidate(
        "another cgroup or thread has more weight (cpu.weight, nice) on the same CPUs",
        f"cpu.weight of the cgroups in /proc/{pid}/task/*/cgroup",
    )
    return (busy, light)


def _has_no_quota(evidence: Evidence) -> bool:
    """Return whether no quota has stopped the guest, or it had none as it was first seen."""
    if evidence.usage is not None and evidence.usage.quotas is not None:
        return evidence.usage.throttled_ns == 0
    return evidence.guest.cpu_quota == 0

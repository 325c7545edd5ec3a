"""Whether a guest has too few CPUs for its vCPUs, as far as that is certain."""

from math import isnan, nan

from bpfexit.advice.cpu_sets import crowd
from bpfexit.advice.evidence import Evidence, Exits
from bpfexit.model import numbers
from bpfexit.model.usage import vcpus_by_cpus

MOSTLY = 0.5
"""From this share of the time of exits on, waiting for a CPU is what makes them slow."""


def waited(evidence: Evidence, exits: Exits) -> float:
    """Return the share of the time of exits in which their threads waited for a CPU.

    It is nan if waiting was not measured.
    """
    total = int(exits.rows["total_ns"].sum())
    if not evidence.has_waiting or not total:
        return nan
    return int(exits.rows["wait_ns"].sum()) / total


def waiting(evidence: Evidence, exits: Exits) -> tuple[str, ...]:
    """Return how much of the time of exits was waiting for a CPU; nothing if unknown."""
    share = waited(evidence, exits)
    if isnan(share):
        return ()
    return (f"{numbers.share(share)}% of the time of these exits was waiting for a CPU",)


def lack(evidence: Evidence) -> str:
    """Return why the vCPUs have too few CPUs; "" if nothing shows it.

    They do if they outnumber the CPUs of a quota, or those on which they may run.
    """
    return small_quota(evidence) or crowded(evidence)


def small_quota(evidence: Evidence) -> str:
    """Return the quota that allows fewer CPUs than it has vCPUs; "" if there is none."""
    if evidence.usage is not None and evidence.usage.quotas is not None:
        small = (quota for quota in evidence.usage.quotas if quota.vcpus > quota.cpus)
        least = min(small, key=lambda quota: quota.cpus / quota.vcpus, default=None)
        if least is None:
            return ""
        return (
            f"the cgroup {least.cgroup} may use {least.cpus:g} CPUs, fewer than it has vCPUs "
            f"({least.vcpus})"
        )
    quota = evidence.guest.cpu_quota
    if quota and len(evidence.vcpus) > quota:
        return f"the guest's cgroup may use {quota:g} CPUs, fewer than it has vCPUs"
    return ""


def crowded(evidence: Evidence) -> str:
    """Return which CPUs more vCPUs share than they are; "" if none are known.

    Where it is not known on which CPUs vCPUs may run, those of the host count.
    """
    host_cpus = evidence.facts.cpus
    if evidence.usage is not None and evidence.usage.allowed:
        own = vcpus_by_cpus((evidence.usage,))
        found = crowd(own, evidence.host.vcpus_by_cpus, host_cpus)
        if found is None:
            return ""
        if found.number == host_cpus:
            return "more vCPUs than CPUs"
        whose = "" if found.own == found.vcpus else f", {found.own} of them this guest's"
        which = "CPU" if found.number == 1 else "CPUs"
        return f"{found.vcpus} vCPUs{whose} may run on {which} {found.cpus} only"
    if host_cpus and max(len(evidence.vcpus), evidence.host_vcpus) > host_cpus:
        return "more vCPUs than CPUs"
    return ""


def counts(evidence: Evidence) -> tuple[str, ...]:
    """Return the numbers of vCPUs and CPUs, a sentence each."""
    cpus, vcpus, quota = evidence.facts.cpus, len(evidence.vcpus), evidence.guest.cpu_quota
    total = evidence.host_vcpus
    others = f"all guests seen run {total}; " if total > vcpus else ""
    own = "1 vCPU" if vcpus == 1 else f"{vcpus} vCPUs"
    host = (f"this guest runs {own}; {others}the host has {cpus} CPUs",) if cpus else ()
    if evidence.usage is not None and evidence.usage.quotas is not None:
        none = () if evidence.usage.quotas else ("the guest's cgroups have no CPU quota",)
        return (*host, *none)
    limits = {None: (), 0.0: ("the guest's cgroup has no CPU quota",)}
    return (*host, *limits.get(quota, (f"the guest's cgroup may use {quota or 0:g} CPUs",)))

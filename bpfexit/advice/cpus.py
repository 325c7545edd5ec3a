"""CPUs for vCPUs: whether a guest has too few, as far as that is certain."""

from bpfexit.advice.evidence import Evidence


def lack(evidence: Evidence) -> str:
    """Return why the vCPUs have too few CPUs; "" where nothing shows it.

    That is so where there are more vCPUs than CPUs, of the host or of the guest's quota.
    """
    facts, quota = evidence.facts, evidence.guest.cpu_quota
    vcpus = len(evidence.vcpus)
    if quota and vcpus > quota:
        return f"the guest's cgroup may use {quota:g} CPUs, fewer than it has vCPUs"
    if facts.cpus and max(vcpus, evidence.host_vcpus) > facts.cpus:
        return "more vCPUs than CPUs"
    return ""


def said(evidence: Evidence) -> tuple[str, ...]:
    """Report how many vCPUs there are for how many CPUs."""
    cpus, vcpus, quota = evidence.facts.cpus, len(evidence.vcpus), evidence.guest.cpu_quota
    total = evidence.host_vcpus
    others = f"all guests seen run {total}; " if total > vcpus else ""
    own = "1 vCPU" if vcpus == 1 else f"{vcpus} vCPUs"
    host = (f"this guest runs {own}; {others}the host has {cpus} CPUs",) if cpus else ()
    limits = {None: (), 0.0: ("the guest's cgroup has no CPU quota",)}
    return (*host, *limits.get(quota, (f"the guest's cgroup may use {quota or 0:g} CPUs",)))

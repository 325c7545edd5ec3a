"""Causes of page faults on a guest's memory, and the advice for each."""

from bpfexit.advice import cpus, remedies, starvation, swap, vmm
from bpfexit.advice.evidence import Evidence, Exits
from bpfexit.advice.finding import Advice, Candidate, Change, Confidence, Takes, Where
from bpfexit.advice.starvation import Cause
from bpfexit.model import numbers

DIRTY_LOG = ("PML_FULL",)
LOGS_PER_FAULT = 0.001
"""The CPU's log of dirty pages has 512 entries: during a migration it fills up repeatedly."""
FEWEST_LOGS = 10

FETCHED_NS = 500_000
"""Giving and clearing a huge page takes less; a longer time means a page from elsewhere."""
SLOW_NS = 100_000
"""Giving a small page takes less; giving and clearing a huge one takes about as much."""
CONTENDED_NS = 20_000
QUICK_NS = 6_000
"""Giving and clearing a page takes longer than making one writable again."""

_NX = "kvm.nx_huge_pages"
_NUMA = "kernel.numa_balancing"


def splits_huge_pages(evidence: Evidence) -> bool:
    """Return whether the host seems to map guests' code by small pages (iTLB multihit)."""
    return evidence.facts.parameters.get(_NX) in ("Y", "1", "force")


def logged(evidence: Evidence) -> Advice:
    """Return the advice while the CPU's log of dirty pages fills up."""
    return Advice(
        title="The guest's writes are logged: a migration or a backup is on",
        changes=(remedies.on_host(f"wait for its end ({_job(evidence)})"),),
        expect="The exits end with the migration.",
        confidence=Confidence.HIGH,
        rationale="the CPU's log of dirty pages fills up at the rate of the faults",
    )


def fetched(evidence: Evidence, exits: Exits) -> Advice:
    """Return the advice for faults that wait for a page from elsewhere."""
    lasts = numbers.duration(exits.mean_ns)
    return Advice(
        title="Page faults of the guest's memory wait: the pages have to be fetched",
        changes=(remedies.on_host("give the host memory, or the guest less"), *locked(evidence)),
        expect="A page that is there takes microseconds.",
        confidence=Confidence.MEDIUM,
        rationale=f"a fault takes {lasts} on average: more than to give and clear a page",
        context=(*cpus.waiting(evidence, exits), *swap_space(evidence)),
        candidates=(*_fetching(evidence, exits), *_others(evidence)),
    )


def starved(evidence: Evidence, exits: Exits) -> Advice:
    """Return the advice for faults that wait for a CPU most of the time."""
    known = starvation.starvation(evidence)
    cause = Cause.UNKNOWN if known is None else known.cause
    return Advice(
        title="Page faults of the guest's memory wait for a CPU",
        changes=starvation.changes(evidence, cause)
        or (remedies.on_host("fewer vCPUs, or guests, than the host has CPUs"),),
        expect="A page that is there takes microseconds.",
        confidence=Confidence.HIGH,
        rationale="; ".join(cpus.waiting(evidence, exits)),
        context=starvation.context(evidence),
        candidates=starvation.candidates(evidence, cause),
    )


def _fetching(evidence: Evidence, exits: Exits) -> tuple[Candidate, ...]:
    swapped = (_swapped(evidence.pid, evidence.facts.swap_used_bytes),)
    return (
        *(() if swap.is_excluded(evidence) else swapped),
        Candidate(
            "memory is served by user space: post-copy migration, a snapshot (userfaultfd), or a "
            "file on a slow disk",
            f"the mappings in /proc/{evidence.pid}/maps, and majflt in /proc/{evidence.pid}/stat",
        ),
        Candidate(
            "the host is short of memory and reclaims in the fault",
            "/proc/pressure/memory, and memory.events of the guest's cgroup",
        ),
        *(() if _has_cpu(evidence, exits) else (_no_cpu(evidence.pid),)),
    )


def _has_cpu(evidence: Evidence, exits: Exits) -> bool:
    return evidence.has_waiting or starvation.is_excluded(evidence, exits)


def _no_cpu(pid: int) -> Candidate:
    return Candidate(
        "the vCPU waits for a CPU while it faults",
        f"the second field of /proc/{pid}/task/*/schedstat",
    )


def _swapped(pid: int, used: int | None) -> Candidate:
    cause = "the host has swapped the guest's memory out"
    if used == 0:
        cause = "the host swaps the guest's memory (no swap space is in use now)"
    return Candidate(cause, f"VmSwap in /proc/{pid}/status, and `vmstat 1` (si)")


def swap_space(evidence: Evidence) -> tuple[str, ...]:
    """Return the size of the host's swap space, and whether pages come from it."""
    size, used = evidence.facts.swap_bytes, evidence.facts.swap_used_bytes
    if size == 0:
        return ("the host has no swap space",)
    pages = ("no page was swapped in meanwhile",) if evidence.host.swapped_in == 0 else ()
    if size is None:
        return pages
    return (f"swap space: {numbers.memory(size)}, {numbers.memory(used or 0)} used", *pages)


def locked(evidence: Evidence) -> tuple[Change, ...]:
    """Return the settings that keep the guest's memory in RAM."""
    return vmm.setting(
        evidence.guest,
        libvirt="<memoryBacking><locked/></memoryBacking>, with <memtune><hard_limit>",
        qemu="-overcommit mem-lock=on",
        proxmox="qm set VMID --hugepages any",
        kubevirt="spec.template.spec.domain.memory.hugepages: {pageSize: 1Gi}",
        cloud_hypervisor="--memory size=…,hugepages=on",
    )


def split(evidence: Evidence) -> Advice:
    """Return the advice for huge pages that are split because of iTLB multihit."""
    return Advice(
        title="Page faults take long: huge pages may be split and faulted in again (nx_huge_pages)",
        changes=(
            remedies.parameter("kvm.nx_huge_pages_recovery_ratio", "0", "Linux 5.4"),
            remedies.parameter(_NX, "N"),
        ),
        expect="With the recovery off, pages that were split stay split and are not zapped; with "
        "the mitigation off, none is split, and a malicious guest can hang the CPU.",
        confidence=Confidence.MEDIUM,
        rationale="the mitigation is on, its recovery zaps split pages once an hour or more often, "
        "and these faults take longer than to give one small page",
        context=(f"{_NX} is {evidence.facts.parameters.get(_NX)} on this host", *_thp(evidence)),
        cause="The mitigation of iTLB multihit maps huge pages that the guest executes as small "
        "ones. Its recovery thread zaps them, and the vCPUs fault them in again.",
        candidates=(*_others(evidence), _first(evidence)),
    )


def _nx() -> Candidate:
    return Candidate(
        "nx_huge_pages: split pages are zapped and faulted in again",
        "nx_lpage_splits in /sys/kernel/debug/kvm, or whether the faults end with "
        "nx_huge_pages_recovery_ratio=0",
    )


def protected(evidence: Evidence) -> Advice:
    """Return the advice for fast faults on AMD, which has no log of dirty pages."""
    return Advice(
        title="Pages are write-protected and made writable again, or touched for the first time",
        changes=(
            remedies.on_host("wait for a migration's or backup's end, if one is on"),
            *_huge(evidence),
        ),
        expect="The faults end with the migration, or once the memory is there.",
        confidence=Confidence.LOW,
        rationale="kvm_amd has no log of dirty pages: it write-protects them for a migration, and "
        "these faults are fast, but the numbers alone do not decide",
        context=_thp(evidence),
        candidates=(
            Candidate(
                "write-protection: a migration, a backup, or the dirty log of a display",
                _job(evidence),
            ),
            *_others(evidence),
            _first(evidence),
        ),
    )


def first_touch(evidence: Evidence, exits: Exits) -> Advice:
    """Return the advice for all other faults.

    If they are slow, some may fetch pages or wait for a CPU.
    """
    slow = _fetching(evidence, exits) if exits.mean_ns >= SLOW_NS else ()
    thp = evidence.facts.hugepages
    madvise = Change(
        Where.HOST,
        "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
        Takes.AT_ONCE,
        "transparent_hugepage=madvise on the kernel's command line",
    )
    return Advice(
        title="The guest's memory is being faulted in",
        changes=(
            *((madvise,) if thp == "never" and _asks_for_thp(evidence) else ()),
            *_huge(evidence),
        ),
        expect="512 times fewer faults with huge pages; none later with memory given at start.",
        confidence=Confidence.MEDIUM,
        rationale="first touch, a balloon, KSM and NUMA balancing look the same from here",
        context=(*_thp(evidence), *_few_logs(evidence)),
        candidates=(
            _first(evidence),
            *_others(evidence),
            *slow,
            Candidate("a migration or backup write-protects pages", _job(evidence)),
        ),
    )


def _asks_for_thp(evidence: Evidence) -> bool:
    """Return whether the guest's VMM calls madvise(MADV_HUGEPAGE) without an option."""
    return vmm.is_qemu(evidence.guest) or evidence.guest.vmm == "cloud-hypervisor"


def _huge(evidence: Evidence) -> tuple[Change, ...]:
    return vmm.setting(
        evidence.guest,
        libvirt="<memoryBacking><hugepages/><allocation mode='immediate'/></memoryBacking>",
        qemu="-mem-path /dev/hugepages -mem-prealloc",
        proxmox="qm set VMID --hugepages any --keephugepages 1",
        openstack="openstack flavor set FLAVOR --property hw:mem_page_size=large "
        "(an existing server: resize it to such a flavor)",
        kubevirt="spec.template.spec.domain.memory.hugepages: {pageSize: 2Mi}",
        cloud_hypervisor="--memory size=…,hugepages=on,prefault=on",
        firecracker='"huge_pages": "2M" in PUT /machine-config (Firecracker 1.7)',
        crosvm="--hugepages",
    )


def _first(evidence: Evidence) -> Candidate:
    rss = f"whether VmRSS in /proc/{evidence.pid}/status grows"
    return Candidate("the guest touches memory for the first time", rss)


def _others(evidence: Evidence) -> tuple[Candidate, ...]:
    """Return the causes that the host's and the guest's settings make possible."""
    causes = [_nx()] if splits_huge_pages(evidence) else []
    numa = evidence.facts.settings.get(_NUMA)
    if numa not in ("0", None):
        tells = f"numa_hint_faults in /proc/vmstat; `sysctl {_NUMA}=0` for a test"
        causes.append(Candidate(f"NUMA balancing unmaps pages ({_NUMA} is {numa})", tells))
    if evidence.facts.settings.get("ksm.run") == "1":
        tells = "pages_sharing in /sys/kernel/mm/ksm; `echo 2 > /sys/kernel/mm/ksm/run` ends it"
        causes.append(Candidate("KSM merges pages, and writes take them apart again", tells))
    if evidence.configuration.devices("virtio-balloon"):
        causes.append(Candidate("the balloon gives pages back", "`info balloon` of the monitor"))
    return tuple(causes)


def _few_logs(evidence: Evidence) -> tuple[str, ...]:
    logs = evidence.take(evidence.reason(*DIRTY_LOG)).count
    few = f"only {logs} PML_FULL: the dirty log of a display fills it, too"
    return (few,) if logs else ()


def _job(evidence: Evidence) -> str:
    if vmm.is_qemu(evidence.guest):
        return "`virsh domjobinfo`, or `info migrate` of the monitor"
    return "the VMM's own log"


def _thp(evidence: Evidence) -> tuple[str, ...]:
    thp = evidence.facts.hugepages
    return (f"transparent huge pages: {thp}",) if thp else ()

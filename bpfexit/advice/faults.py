"""Causes of page faults of a guest's memory, and what each asks for."""

from bpfexit.advice import remedies, vmm
from bpfexit.advice.evidence import Evidence
from bpfexit.advice.finding import Advice, Candidate, Change, Confidence, Takes, Where
from bpfexit.model import numbers

DIRTY_LOG = ("PML_FULL",)
LOGS_PER_FAULT = 0.001
"""The CPU's log of dirty pages holds 512: while a migration is on, it fills up again and again."""
FEWEST_LOGS = 10

FETCHED_NS = 500_000
"""Giving and clearing a huge page takes less than that; more means that a page came from afar."""
SLOW_NS = 100_000
"""Giving a small page takes less; giving and clearing a huge one about as much."""
CONTENDED_NS = 20_000
QUICK_NS = 6_000
"""Giving and clearing a page takes longer than to make one writable again."""

_NX = "kvm.nx_huge_pages"
_NUMA = "kernel.numa_balancing"


def splits_huge_pages(evidence: Evidence) -> bool:
    """Say whether the host maps code of guests by small pages (iTLB multihit), for all it says."""
    return evidence.facts.parameters.get(_NX) in ("Y", "1", "force")


def logged(evidence: Evidence) -> Advice:
    """Return what to say while the CPU's log of dirty pages fills up."""
    return Advice(
        title="The guest's writes are logged: a migration or a backup is on",
        changes=(remedies.on_host(f"wait for its end ({_job(evidence)})"),),
        expect="The exits end with the migration.",
        confidence=Confidence.HIGH,
        because="the CPU's log of dirty pages fills up at the rate of the faults",
    )


def fetched(evidence: Evidence, mean: float) -> Advice:
    """Return what to say of faults that wait for a page from elsewhere."""
    swap = evidence.facts.swap_bytes
    used = evidence.facts.swap_used_bytes
    lasts = numbers.duration(mean)
    return Advice(
        title="Page faults of the guest's memory wait: the pages have to be fetched",
        changes=(remedies.on_host("give the host memory, or the guest less"), *_locked(evidence)),
        expect="A page that is there takes microseconds.",
        confidence=Confidence.MEDIUM,
        because=f"a fault takes {lasts} on average: more than to give and clear a page",
        context=_swap(swap, used),
        candidates=(*_fetching(evidence), *_others(evidence)),
    )


def _fetching(evidence: Evidence) -> tuple[Candidate, ...]:
    swapped = (_swapped(evidence.pid, evidence.facts.swap_used_bytes),)
    return (
        *(() if evidence.facts.swap_bytes == 0 else swapped),
        Candidate(
            "memory is served by user space: post-copy migration, a snapshot (userfaultfd), or a "
            "file on a slow disk",
            f"the mappings in /proc/{evidence.pid}/maps, and majflt in /proc/{evidence.pid}/stat",
        ),
        Candidate(
            "the host is short of memory and reclaims in the fault",
            "/proc/pressure/memory, and memory.events of the guest's cgroup",
        ),
        Candidate(
            "the vCPU waits for a CPU while it faults",
            f"the second field of /proc/{evidence.pid}/task/*/schedstat",
        ),
    )


def _swapped(pid: int, used: int | None) -> Candidate:
    cause = "the host has swapped the guest's memory out"
    if used == 0:
        cause = "the host swaps the guest's memory (no swap space is in use now)"
    return Candidate(cause, f"VmSwap in /proc/{pid}/status, and `vmstat 1` (si)")


def _swap(size: int | None, used: int | None) -> tuple[str, ...]:
    if size is None:
        return ()
    if not size:
        return ("the host has no swap space",)
    return (f"swap space: {numbers.memory(size)}, {numbers.memory(used or 0)} used",)


def _locked(evidence: Evidence) -> tuple[Change, ...]:
    return vmm.setting(
        evidence.guest,
        libvirt="<memoryBacking><locked/></memoryBacking>, with <memtune><hard_limit>",
        qemu="-overcommit mem-lock=on",
        proxmox="qm set VMID --hugepages any",
        kubevirt="spec.template.spec.domain.memory.hugepages: {pageSize: 1Gi}",
        cloud_hypervisor="--memory size=…,prefault=on",
    )


def split(evidence: Evidence) -> Advice:
    """Return what to say where the mitigation of iTLB multihit splits huge pages."""
    return Advice(
        title="Huge pages are split and faulted in again (nx_huge_pages)",
        changes=(
            remedies.parameter("kvm.nx_huge_pages_recovery_ratio", "0", "Linux 5.4"),
            remedies.parameter(_NX, "N"),
        ),
        expect="With the recovery off, pages that were split stay split and are not zapped; with "
        "the mitigation off, none is split, and a malicious guest can hang the CPU.",
        confidence=Confidence.MEDIUM,
        because="the mitigation is on, its recovery zaps split pages once an hour or more often, "
        "and vCPUs wait for each other in these faults",
        context=(f"{_NX} is {evidence.facts.parameters.get(_NX)} on this host", *_thp(evidence)),
        cause="The mitigation of iTLB multihit maps huge pages that the guest executes as small "
        "ones. Its recovery thread zaps them, and the guest faults them in again on every vCPU.",
        candidates=_others(evidence),
    )


def _nx() -> Candidate:
    return Candidate(
        "nx_huge_pages: split pages are zapped and faulted in again",
        "nx_lpage_splits in /sys/kernel/debug/kvm, or whether the faults end with "
        "nx_huge_pages_recovery_ratio=0",
    )


def protected(evidence: Evidence) -> Advice:
    """Return what to say of quick faults on AMD, which has no log of dirty pages."""
    return Advice(
        title="Pages are write-protected and made writable again, or touched for the first time",
        changes=(
            remedies.on_host("wait for a migration's or backup's end, if one is on"),
            *_huge(evidence),
        ),
        expect="The faults end with the migration, or once the memory is there.",
        confidence=Confidence.LOW,
        because="kvm_amd has no log of dirty pages: it write-protects them for a migration, and "
        "these faults are quick, but the numbers alone do not tell",
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


def first_touch(evidence: Evidence, mean: float) -> Advice:
    """Return what to say of faults that nothing else explains.

    Where they are slow, some may fetch pages, or wait for a CPU.
    """
    slow = _fetching(evidence) if mean >= SLOW_NS else ()
    thp = evidence.facts.hugepages
    madvise = Change(
        Where.HOST,
        "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled",
        Takes.AT_ONCE,
        "transparent_hugepage=madvise on the kernel's command line",
    )
    return Advice(
        title="The guest's memory is being faulted in",
        changes=(*((madvise,) if thp == "never" else ()), *_huge(evidence)),
        expect="512 times fewer faults with huge pages; none later with memory given at start.",
        confidence=Confidence.MEDIUM,
        because="first touch, a balloon, KSM and NUMA balancing look the same from here",
        context=(*_thp(evidence), *_few_logs(evidence)),
        candidates=(
            _first(evidence),
            *_others(evidence),
            *slow,
            Candidate("a migration or backup write-protects pages", _job(evidence)),
        ),
    )


def _huge(evidence: Evidence) -> tuple[Change, ...]:
    return vmm.setting(
        evidence.guest,
        libvirt="<memoryBacking><hugepages/><allocation mode='immediate'/></memoryBacking>",
        qemu="-mem-path /dev/hugepages -mem-prealloc",
        proxmox="qm set VMID --hugepages any --keephugepages 1",
        openstack="openstack flavor set FLAVOR --property hw:mem_page_size=large",
        kubevirt="spec.template.spec.domain.memory.hugepages: {pageSize: 2Mi}",
        cloud_hypervisor="--memory size=…,hugepages=on,prefault=on",
        firecracker='"huge_pages": "2M" in PUT /machine-config (Firecracker 1.7)',
        crosvm="--hugepages",
    )


def _first(evidence: Evidence) -> Candidate:
    rss = f"whether VmRSS in /proc/{evidence.pid}/status grows"
    return Candidate("the guest touches memory for the first time", rss)


def _others(evidence: Evidence) -> tuple[Candidate, ...]:
    """Return what the host's and the guest's settings make possible."""
    found = [_nx()] if splits_huge_pages(evidence) else []
    numa = evidence.facts.settings.get(_NUMA)
    if numa not in ("0", None):
        tells = f"numa_hint_faults in /proc/vmstat; `sysctl {_NUMA}=0` for a test"
        found.append(Candidate(f"NUMA balancing unmaps pages ({_NUMA} is {numa})", tells))
    if evidence.configuration.devices("virtio-balloon"):
        found.append(Candidate("the balloon gives pages back", "`info balloon` of the monitor"))
    return tuple(found)


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

"""Pages that are faulted in, fetched, or write-protected."""

from bpfexit.advice import cpus, faults
from bpfexit.advice.apic_page import faults_on_memory
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice
from bpfexit.advice.rule import Rule

MIN_RATE = 1000.0


def select(evidence: Evidence) -> Mask:
    """Return nested page faults that are no MMIO access, and full logs of dirty pages."""
    return faults_on_memory(evidence) | evidence.reason(*faults.DIRTY_LOG)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Name the cause that the numbers and the host's settings show, or those that they leave."""
    logs = evidence.take(evidence.reason(*faults.DIRTY_LOG))
    if logs.count >= faults.LOGS_PER_FAULT * exits.count and logs.count >= faults.FEWEST_LOGS:
        return faults.logged(evidence)
    on_memory = evidence.take(select(evidence) & ~evidence.reason(*faults.DIRTY_LOG))
    mean = on_memory.mean_ns
    if mean >= faults.FETCHED_NS and cpus.waited(evidence, on_memory) >= cpus.MOSTLY:
        return faults.starved(evidence, on_memory)
    if mean >= faults.FETCHED_NS:
        return faults.fetched(evidence, on_memory)
    if mean >= faults.CONTENDED_NS and faults.splits_huge_pages(evidence):
        return faults.split(evidence)
    if mean <= faults.QUICK_NS and evidence.backend == "kvm_amd":
        return faults.protected(evidence)
    return faults.first_touch(evidence, on_memory)


RULE = Rule(
    name="memory-faults",
    looks_for="nested page faults (EPT violation, NPF) on memory",
    select=select,
    min_rate=MIN_RATE,
    rationale="a guest with all of its memory takes none; 1,000 are 4 MB per second",
    why="Memory that the host has not yet given, has taken back, or has write-protected to see "
    "what changes costs an exit for each page the guest touches.",
    advise=advise,
    remedy="Huge pages, and memory given at start; no swap; nx_huge_pages without recovery; no "
    "NUMA balancing for pinned guests.",
    limits="A guest that has just started touches its memory for the first time: that passes. "
    "Whether its memory is of huge pages already is not known here. Linux 6.1 takes such an exit "
    "for a read of the local APIC's page, too; where their numbers agree, they are left to the "
    "rule local-apic.",
    references=(
        "https://docs.kernel.org/admin-guide/mm/transhuge.html",
        "https://docs.kernel.org/admin-guide/hw-vuln/multihit.html",
        "https://docs.kernel.org/admin-guide/sysctl/kernel.html",
        "https://libvirt.org/formatdomain.html#memory-backing",
        "https://www.qemu.org/docs/master/system/invocation.html",
    ),
)

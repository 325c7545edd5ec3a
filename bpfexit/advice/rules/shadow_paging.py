"""Shadow page tables, on a host without nested paging."""

from bpfexit.advice import remedies
from bpfexit.advice.configuration import setting
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rank, Rule

PARAMETERS = {"kvm_intel": "kvm_intel.ept", "kvm_amd": "kvm_amd.npt"}
REASONS = ("EXCEPTION_NMI", "PF excp", "INVLPG", "invlpg", "CR_ACCESS", "write_cr3", "read_cr3")
MIN_RATE = 1000.0


def select(evidence: Evidence) -> Mask:
    """Return the exits that shadow page tables take, where the host has nested paging off."""
    off = setting(evidence.facts.parameters.get(PARAMETERS.get(evidence.backend, ""))) is False
    return evidence.reason(*REASONS) if off else evidence.none


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise nested paging."""
    del exits
    name = PARAMETERS[evidence.backend]
    return Advice(
        title="KVM keeps shadow page tables for the guest, without nested paging",
        changes=(remedies.reload(name, "1", "the CPU, or the hypervisor below, must have it"),),
        expect="With nested paging, page faults and switches of page tables need no exit.",
        confidence=Confidence.MEDIUM,
        rationale=f"{name} is off on this host, and the guest's page faults exit",
        context=(f"{name} is {evidence.facts.parameters.get(name)} on this host",),
    )


RULE = Rule(
    name="shadow-paging",
    looks_for="page faults, INVLPG and CR3 accesses where nested paging is off",
    select=select,
    min_rate=MIN_RATE,
    rationale="a guest that switches processes makes thousands",
    why="Without EPT or NPT, KVM translates the guest's page tables itself: each page fault, "
    "INVLPG and switch of page tables in the guest is an exit.",
    advise=advise,
    remedy="kvm_intel.ept=1, kvm_amd.npt=1 (the default); a CPU or hypervisor below that has it.",
    limits="A host that is a guest itself has nested paging only if its own host gives it.",
    references=("https://docs.kernel.org/virt/kvm/x86/mmu.html",),
    rank=Rank.EARLY,
)

"""The registers of the local APIC in x2APIC mode."""

from bpfexit.advice import apicv, hyperv
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.events.msr import MSR

MSRS = (0x800, 0x8FF)
REASONS = ("APIC_WRITE", "EOI_INDUCED")
PER_S = 4000.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to them, and VMX's exits after a virtualized one."""
    return evidence.at(MSR, MSRS) | evidence.reason(*REASONS)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise APIC virtualization, and fewer IPIs."""
    del exits
    missing = hyperv.lacking(evidence.configuration, "ipi")
    on = apicv.is_on(evidence)
    return Advice(
        title="The guest accesses the local APIC through MSRs very often (x2APIC mode)",
        changes=(*apicv.changes(evidence), *hyperv.enabling(missing)),
        expect="APICv or x2AVIC handles EOI and TPR; IPIs (MSR 0x830) need IPI virtualization, or "
        "hv-ipi for Windows: several targets with one exit.",
        confidence=Confidence.HIGH if on is False else Confidence.LOW,
        because=apicv.because(evidence),
        context=(*apicv.state(evidence), *hyperv.state(evidence.configuration, "ipi")),
    )


RULE = Rule(
    name="x2apic-msr",
    looks_for="accesses to the x2APIC's MSRs (0x800-0x8ff)",
    select=select,
    per_s=PER_S,
    because="a 1000 Hz tick takes 1000 to 2000, and any system sends some IPIs",
    why="IPIs, ends of interrupt and timer settings are an exit each, unless the CPU virtualizes "
    "them. They come with wake-ups between vCPUs and with I/O interrupts.",
    advise=advise,
    remedy="APICv with IPI virtualization (kvm_intel.enable_ipiv), AVIC with x2AVIC; hv-ipi.",
    limits="A busy guest has a high rate, too: compare it with its work.",
    references=(*hyperv.REFERENCES, "Linux arch/x86/kvm: module parameters enable_apicv, avic"),
)

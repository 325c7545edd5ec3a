"""The registers of the local APIC in x2APIC mode."""

from bpfexit.advice import apicv, hyperv, remedies
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.inhibitors import X2APIC_MSRS
from bpfexit.advice.rule import Rule
from bpfexit.events.msr import MSR

MIN_RATE = 4000.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to them."""
    return evidence.at(MSR, X2APIC_MSRS) & ~evidence.reason(*apicv.AT_WORK)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise APIC virtualization, and fewer IPIs."""
    del exits
    configuration = evidence.configuration
    missing = hyperv.lacking(configuration, "ipi") if configuration.has_hyperv else ()
    apic = (*apicv.changes(evidence), *apicv.ipi_virtualization(evidence))
    fewer = remedies.in_guest("fewer IPIs: threads that wake each other on one CPU, fewer vCPUs")
    changes = (*apic, *hyperv.enabling(evidence, missing), fewer)
    return Advice(
        title="The guest accesses the local APIC through MSRs (x2APIC mode)",
        changes=changes,
        expect="APICv or x2AVIC handles EOI and TPR; IPIs (MSR 0x830) need IPI virtualization, or "
        "hv-ipi for Windows: several targets with one exit.",
        confidence=Confidence.MEDIUM if apicv.can_be_allowed(evidence) else Confidence.LOW,
        rationale=apicv.rationale(evidence),
        context=(*apicv.state(evidence), *hyperv.state(configuration, "ipi")),
        candidates=apicv.candidates(evidence),
    )


RULE = Rule(
    name="x2apic-msr",
    looks_for="accesses to the x2APIC's MSRs (0x800-0x8ff)",
    select=select,
    min_rate=MIN_RATE,
    rationale="a 1000 Hz tick takes 1000 to 2000, and any system sends some IPIs",
    why="IPIs, ends of interrupt and timer settings are an exit each, unless the CPU virtualizes "
    "them. They come with wake-ups between vCPUs and with I/O interrupts.",
    advise=advise,
    remedy="APICv with IPI virtualization (kvm_intel.enable_ipiv), AVIC with x2AVIC; hv-ipi.",
    limits="A busy guest has a high rate, too: compare it with its work.",
    references=(*hyperv.REFERENCES, "https://docs.kernel.org/admin-guide/kernel-parameters.html"),
)

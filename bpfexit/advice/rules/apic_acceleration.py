"""Exits that APIC virtualization itself takes, for what the CPU cannot do alone."""

from bpfexit.advice import apicv, hyperv, remedies
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.inhibitors import X2APIC_MSRS
from bpfexit.advice.rule import Rule
from bpfexit.events.msr import MSR

MIN_RATE = 4000.0


def select(evidence: Evidence) -> Mask:
    """Return the exits after a virtualized access, and those for one that is not."""
    return evidence.reason(*apicv.AT_WORK)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Report what they are, and IPI virtualization where there is some."""
    del exits
    ipiv = evidence.facts.parameters.get(apicv.IPIV)
    ipi = apicv.ipi_virtualization(evidence)
    none = " (the default is Y, so the CPU mostly has none)" if ipiv == "N" else ""
    setting = (f"{apicv.IPIV} is {ipiv} on this host{none}",) if ipiv else ()
    return Advice(
        title=f"APIC virtualization leaves accesses to KVM: {_mode(evidence)}",
        changes=(
            *ipi,
            remedies.in_guest("fewer IPIs: threads that wake each other on one CPU, fewer vCPUs"),
        ),
        expect="IPI virtualization sends an IPI to one running vCPU without an exit."
        if ipi
        else "Each IPI and timer avoided saves one exit.",
        confidence=Confidence.LOW,
        rationale=f"{apicv.name(evidence)} is at work: these exits come after the access, for IPIs "
        "and timers that it does not cover; what sends them is visible only inside the guest",
        context=(*setting, *apicv.state(evidence)),
    )


def _mode(evidence: Evidence) -> str:
    if evidence.configuration.cpu_says("x2apic") is False:
        return "the local APIC's page (xAPIC; x2apic is off on the command line)"
    uses = evidence.take(evidence.at(MSR, X2APIC_MSRS)).count > 0
    return "the MSRs of x2APIC" if uses else "the local APIC, by its page (xAPIC) or by x2APIC"


RULE = Rule(
    name="apic-acceleration",
    looks_for="exits of APICv and AVIC (APIC_WRITE, EOI_INDUCED, avic_incomplete_ipi …)",
    select=select,
    min_rate=MIN_RATE,
    rationale="a 1000 Hz tick takes 1000, and any system sends some IPIs",
    why="The CPU does EOI and TPR itself. A write that it does not do itself (an IPI, the timer) "
    "ends in an exit after the write: trap-like, so KVM need not decode the instruction.",
    advise=advise,
    remedy="IPI virtualization (kvm_intel.enable_ipiv, or AVIC's own); fewer IPIs.",
    limits="Which register it was is not recorded.",
    references=(*apicv.REFERENCES, *hyperv.REFERENCES),
)

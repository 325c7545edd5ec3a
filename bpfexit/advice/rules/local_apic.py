"""Accesses to the page of the local APIC."""

from bpfexit.advice import apicv, hyperv
from bpfexit.advice.apic_page import PAGE, first_exits
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence, Where
from bpfexit.advice.rule import Rule
from bpfexit.events.mmio import MMIO

REASONS = ("APIC_ACCESS", "avic_unaccelerated_access", "avic_incomplete_ipi")
"""VMX serves a write of EOI without an MMIO access; AVIC leaves some registers to KVM."""

PER_S = 2000.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to the page, and exits for it without an address."""
    exits = evidence.at(MMIO, PAGE) | evidence.reason(*REASONS)
    return exits | first_exits(evidence)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise APIC virtualization by the host's CPU, and the Hyper-V way around it."""
    del exits
    configuration = evidence.configuration
    missing = hyperv.lacking(configuration, "vapic")
    x2apic = (Change(Where.QEMU, "-cpu …,x2apic=on, which is the default"),)
    kept_off = configuration.cpu_says("x2apic") is False
    return Advice(
        title="The guest accesses the local APIC through MMIO (xAPIC mode)",
        changes=(
            *apicv.changes(evidence),
            *(x2apic if kept_off else ()),
            *hyperv.enabling(missing),
        ),
        expect="With APICv or AVIC most of these exits end; hv-vapic avoids those for EOI on "
        "Windows.",
        confidence=Confidence.HIGH if apicv.is_on(evidence) is False else Confidence.MEDIUM,
        because="the address is architectural; " + apicv.because(evidence),
        context=(*apicv.state(evidence), *hyperv.state(configuration, "vapic")),
    )


RULE = Rule(
    name="local-apic",
    looks_for="accesses to the local APIC's page (EOI, TPR, ICR, timer)",
    select=select,
    per_s=PER_S,
    because="a 1000 Hz tick costs two: the end of interrupt and the timer's next start",
    why="Every interrupt is acknowledged, every IPI sent and the timer set by a register of this "
    "page. Without APIC virtualization each is an exit that KVM has to decode and emulate.",
    advise=advise,
    remedy="APICv (kvm_intel.enable_apicv) or AVIC (kvm_amd.avic) on the host; x2APIC, whose MSRs "
    "cost less than the page; hv-vapic for Windows.",
    limits="Registers that APICv and AVIC do not cover still exit. hv-synic keeps both from "
    "working unless hv-avic is on, too.",
    references=(*hyperv.REFERENCES, "Linux arch/x86/kvm: module parameters enable_apicv, avic"),
)

"""Accesses to the page of the local APIC."""

from bpfexit.advice import apicv, hyperv, vmm
from bpfexit.advice.apic_page import PAGE, first_exits
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.events.mmio import MMIO

REASONS = ("APIC_ACCESS",)
"""VMX serves a write of EOI without an MMIO access."""

MIN_RATE = 2000.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to the page, and exits for it without an address."""
    exits = evidence.at(MMIO, PAGE) | evidence.reason(*REASONS)
    return (exits | first_exits(evidence)) & ~evidence.reason(*apicv.AT_WORK)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise APIC virtualization; where the host has none, the ways around it."""
    del exits
    changes = apicv.changes(evidence)
    context = apicv.state(evidence)
    if not apicv.is_wanted(evidence):
        changes = (*changes, *_around(evidence))
        context = (*context, *hyperv.state(evidence.configuration, "vapic"))
    sure = apicv.can_be_allowed(evidence) or len(apicv.candidates(evidence)) == 0
    return Advice(
        title="The guest accesses the local APIC through MMIO (xAPIC mode)",
        changes=changes,
        expect=_expect(evidence, changes),
        confidence=Confidence.MEDIUM if sure and changes else Confidence.LOW,
        rationale="the address is architectural; " + apicv.rationale(evidence),
        context=context,
        candidates=apicv.candidates(evidence),
    )


def _expect(evidence: Evidence, changes: tuple[Change, ...]) -> str:
    if apicv.is_wanted(evidence):
        return "With APICv or AVIC, most of these exits end."
    if changes:
        return "hv-vapic avoids most EOI exits of Windows; x2APIC makes each exit cheaper."
    return "A CPU with APICv or AVIC ends most of these exits; a guest that uses x2APIC pays less."


def _around(evidence: Evidence) -> tuple[Change, ...]:
    """Return x2APIC, whose MSRs cost less than the page, and hv-vapic for Windows."""
    off = evidence.configuration.cpu_says("x2apic") is False
    x2apic = vmm.setting(
        evidence.guest,
        libvirt="<cpu><feature policy='require' name='x2apic'/></cpu>",
        qemu="-cpu …,x2apic=on, which is the default",
    )
    vapic = hyperv.lacking(evidence.configuration, "vapic")
    return (*(x2apic if off else ()), *hyperv.enabling(evidence, vapic))


RULE = Rule(
    name="local-apic",
    looks_for="accesses to the local APIC's page (EOI, TPR, ICR, timer)",
    select=select,
    min_rate=MIN_RATE,
    rationale="a 1000 Hz tick costs two: the end of interrupt and the timer's next start",
    why="Every interrupt is acknowledged, every IPI sent and the timer set by a register of this "
    "page. Without APIC virtualization each is an exit that KVM has to decode and emulate.",
    advise=advise,
    remedy="APICv (kvm_intel.enable_apicv) or AVIC (kvm_amd.avic) on the host, and nothing that "
    "inhibits it; if the CPU has neither, x2APIC, whose MSRs cost less than the page, and hv-vapic "
    "for Windows.",
    limits="Registers that APICv and AVIC do not cover still exit. What inhibits AVIC: hv-synic "
    "without hv-avic, a PIT that injects lost ticks again, encrypted memory (SEV), nested guests "
    "(before Linux 5.19 the svm flag alone), x2APIC without x2AVIC (before Linux 6.0).",
    references=(*apicv.REFERENCES, "https://libvirt.org/formatdomain.html#time-keeping"),
)

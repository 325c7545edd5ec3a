"""APIC virtualization that the host allows, and something inhibits for this guest."""

from bpfexit.advice import apicv, slow
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rank, Rule
from bpfexit.events.msr import MSR

MIN_RATE = 2000.0
_HYPERV = (0x40000070, 0x40000072)
_INTERRUPTS = ("EXTERNAL_INTERRUPT", "interrupt")


def select(evidence: Evidence) -> Mask:
    """Return the exits that it would spare, if something known inhibits it."""
    certain = any(inhibitor.is_certain for inhibitor in apicv.holders(evidence))
    if not certain or not apicv.is_inhibited(evidence):
        return evidence.none
    spared = apicv.spared(evidence) | evidence.at(MSR, _HYPERV) | evidence.reason(*_INTERRUPTS)
    return spared & ~slow.in_kernel(evidence)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Name what inhibits it, and how to end that."""
    del exits
    name = apicv.name(evidence)
    return Advice(
        title=f"{name} is on for the host, and inhibited for this guest",
        changes=apicv.changes(evidence),
        expect=f"{name} handles EOI and TPR, and delivers interrupts to a running guest: most of "
        "these exits end. IPIs and timers remain.",
        confidence=Confidence.MEDIUM,
        rationale=apicv.rationale(evidence),
        context=apicv.state(evidence),
        candidates=apicv.candidates(evidence),
    )


RULE = Rule(
    name="apic-inhibited",
    looks_for="exits that APICv or AVIC avoids, if something inhibits it for the guest",
    select=select,
    min_rate=MIN_RATE,
    rationale="a 1000 Hz tick costs two: the end of interrupt and the interrupt itself",
    why="KVM turns APIC virtualization off for a guest that uses what it cannot do: then each end "
    "of interrupt, each task priority and each interrupt for a running vCPU is an exit again.",
    advise=advise,
    remedy="hv-avic beside hv-synic and hv-stimer; kvm-pit.lost_tick_policy=discard; on AMD before "
    "Linux 5.19 svm=off for guests that run none; x2apic=off on AMD CPUs without x2AVIC.",
    limits="Interrupts that are not for the guest are among them.",
    references=(*apicv.REFERENCES, "https://libvirt.org/formatdomain.html#time-keeping"),
    rank=Rank.EARLY,
)

"""MSRs of Hyper-V: the synthetic clock, timers and interrupt controller."""

from bpfexit.advice import apicv, hyperv
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence, Where
from bpfexit.advice.rule import Rule
from bpfexit.events.msr import MSR

MSRS = (0x40000000, 0x400001FF)
REFERENCE_COUNT = (0x40000020, 0x40000020)
PER_S = 2000.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to any of them."""
    return evidence.at(MSR, MSRS)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Tell a clock read by MSR, which a page of memory can replace, from timers and interrupts."""
    clock = evidence.take(evidence.at(MSR, REFERENCE_COUNT))
    if 2 * clock.count >= exits.count:
        return _clock(evidence)
    return Advice(
        title="The guest works Hyper-V's timers and interrupts by MSR very often",
        changes=(
            *apicv.changes(evidence),
            Change(Where.GUEST, "find who sets short timers: powercfg /energy lists them"),
        ),
        expect="APIC virtualization takes EOI, TPR and IPIs; timers stay an exit each.",
        confidence=Confidence.LOW,
        because="this is the cheap way already: only the rate is a fault",
        context=(*apicv.state(evidence), *hyperv.state(evidence.configuration, "stimer", "avic")),
    )


def _clock(evidence: Evidence) -> Advice:
    clocksource = evidence.facts.clocksource
    said = (f"the host's clocksource is {clocksource}",) if clocksource else ()
    return Advice(
        title="The guest reads Hyper-V's reference clock by MSR, not from its page",
        changes=(
            Change(Where.HOST, "have clocksource tsc: the page needs a stable TSC"),
            Change(Where.LIBVIRT, "<cpu><feature policy='require' name='invtsc'/></cpu>"),
            Change(Where.QEMU, "-cpu …,invtsc=on (bars migration to other TSC frequencies)"),
        ),
        expect="The reads come from the reference TSC page, without an exit.",
        confidence=Confidence.MEDIUM,
        because="the page is not offered, or not taken, without a stable TSC",
        context=(*said, *hyperv.state(evidence.configuration, "time")),
    )


RULE = Rule(
    name="hyperv-msr",
    looks_for="accesses to Hyper-V's synthetic MSRs (0x40000000-0x400001ff)",
    select=select,
    per_s=PER_S,
    because="a Windows guest at 64 to 1000 ticks a second stays below, timer and EOM included",
    why="Each access is an exit. The reference counter has a page of memory beside it that costs "
    "none; timers and interrupts have not.",
    advise=advise,
    remedy="A stable TSC for the clock; APIC virtualization for EOI, TPR and IPIs.",
    limits="A guest with many short timers has many accesses, and that is in the guest.",
    references=(*hyperv.REFERENCES, "Hyper-V Top Level Functional Specification: timers"),
)

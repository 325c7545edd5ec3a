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
        title="The guest accesses Hyper-V timer and interrupt MSRs very often",
        changes=(
            *apicv.changes(evidence),
            Change(
                Where.GUEST, "find the programs that set short timers: powercfg /energy lists them"
            ),
        ),
        expect="APIC virtualization handles EOI, TPR and IPIs without an exit; each timer "
        "remains one.",
        confidence=Confidence.LOW,
        because="this is the cheapest interface already; only the rate is unusual",
        context=(*apicv.state(evidence), *hyperv.state(evidence.configuration, "stimer", "avic")),
    )


def _clock(evidence: Evidence) -> Advice:
    clocksource = evidence.facts.clocksource
    said = (f"the host's clocksource is {clocksource}",) if clocksource else ()
    return Advice(
        title="The guest reads Hyper-V's reference clock by MSR, not from its page",
        changes=(
            Change(Where.HOST, "use clocksource tsc: the page needs a stable TSC"),
            Change(Where.LIBVIRT, "<cpu><feature policy='require' name='invtsc'/></cpu>"),
            Change(Where.QEMU, "-cpu …,invtsc=on (bars migration to other TSC frequencies)"),
        ),
        expect="The reads come from the reference TSC page, without an exit.",
        confidence=Confidence.MEDIUM,
        because="without a stable TSC the page is not offered, or not used",
        context=(*said, *hyperv.state(evidence.configuration, "time")),
    )


RULE = Rule(
    name="hyperv-msr",
    looks_for="accesses to Hyper-V's synthetic MSRs (0x40000000-0x400001ff)",
    select=select,
    per_s=PER_S,
    because="a Windows guest at 64 to 1000 ticks per second stays below, timer and EOM included",
    why="Each access is an exit. The reference counter can be read from a page of memory "
    "without one; timers and interrupts cannot.",
    advise=advise,
    remedy="A stable TSC for the clock; APIC virtualization for EOI, TPR and IPIs.",
    limits="A guest with many short timers makes many accesses; the reason is inside the guest.",
    references=(*hyperv.REFERENCES, "Hyper-V Top Level Functional Specification: timers"),
)

"""The HPET, read as a clock or set as a timer."""

from bpfexit.advice import hyperv
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence, Where
from bpfexit.advice.rule import Rule
from bpfexit.events.mmio import MMIO

PER_S = 500.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to it."""
    return evidence.device(MMIO, "hpet")


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise synthetic timers and a clock, then taking the HPET away."""
    del exits
    configuration = evidence.configuration
    missing = hyperv.lacking(configuration, "stimer")
    off = (
        Change(Where.LIBVIRT, "<clock><timer name='hpet' present='no'/></clock>"),
        Change(Where.QEMU, "-machine …,hpet=off (before QEMU 8: -no-hpet)"),
    )
    is_off = configuration.machine_property("hpet") == "off" or configuration.has("no-hpet")
    return Advice(
        title="The guest uses the HPET",
        changes=(*hyperv.enabling(missing), *(() if is_off else off)),
        expect="The accesses end. Give Windows its timers first: without them, it falls back to "
        "the RTC or the ACPI PM timer.",
        confidence=Confidence.MEDIUM,
        because="which timer it takes next is the guest's choice",
        context=hyperv.state(configuration, "time", "stimer"),
    )


RULE = Rule(
    name="hpet",
    looks_for="accesses to the HPET",
    select=select,
    per_s=PER_S,
    because="a guest that only has its tick from it makes 64 to 250 accesses a second",
    why="QEMU emulates the HPET in user space: each read of its counter is an exit to QEMU and "
    "back. Windows versions without synthetic timers use it much, even when idle.",
    advise=advise,
    remedy="hv-stimer with hv-time for Windows, kvm-clock for Linux; then no HPET at all.",
    limits="What the guest runs is not known from outside.",
    references=(*hyperv.REFERENCES, "QEMU docs/about/removed-features: -no-hpet"),
)

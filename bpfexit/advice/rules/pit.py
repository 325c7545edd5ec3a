"""The PIT, as a clock or a tick."""

from bpfexit.advice import hyperv, remedies
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.events.pio import PIO

MIN_RATE = 500.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to its counters and its gate."""
    return evidence.device(PIO, "pit", "pcspk")


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise a paravirtual clock."""
    del exits
    missing = hyperv.timers(evidence)
    linux = remedies.guest_boot(
        "remove notsc, noapic, nolapic_timer and clocksource=pit from the boot options"
    )
    return Advice(
        title="The guest uses the PIT as a clock or for delays",
        changes=(*hyperv.enabling(evidence, missing), linux),
        expect="A guest with a paravirtual clock reads the PIT only at boot.",
        confidence=Confidence.LOW,
        rationale="no current system does this on purpose: look inside the guest first",
        context=hyperv.state(evidence.configuration, "time", "stimer"),
    )


RULE = Rule(
    name="pit",
    looks_for="accesses to the PIT (ports 0x40-0x43, 0x61)",
    select=select,
    min_rate=MIN_RATE,
    rationale="a guest does not need it once its TSC is calibrated",
    why="Reading the PIT takes several accesses for one value, and each is an exit.",
    advise=advise,
    remedy="kvm-clock for Linux, hv-time and hv-stimer for Windows.",
    limits="A booting guest calibrates its TSC with the PIT, which is short and expected.",
    references=(*hyperv.REFERENCES, "https://docs.kernel.org/virt/kvm/x86/timekeeping.html"),
)

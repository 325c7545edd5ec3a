"""The RTC, as a clock or a tick."""

from bpfexit.advice import apicv, hyperv, kernel, remedies
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.events.pio import PIO

MIN_RATE = 400.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to its index and its data."""
    return evidence.device(PIO, "rtc")


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise synthetic timers."""
    del exits
    missing = hyperv.timers(evidence)
    guest = remedies.in_guest(
        "find the program that reads the RTC, and have it read the system clock"
    )
    return Advice(
        title="The guest polls the RTC, or uses it for its tick",
        changes=(*hyperv.enabling(evidence, missing), *(() if missing else (guest,))),
        expect="Windows uses synthetic timers for its tick, and the accesses end.",
        confidence=Confidence.MEDIUM,
        rationale="the reader is visible only inside the guest",
        context=(*hyperv.state(evidence.configuration, "stimer"), *avic_note(evidence)),
    )


def avic_note(evidence: Evidence) -> tuple[str, ...]:
    """Report that hv-avic keeps APIC virtualization on only from Linux 5.15 on."""
    if not apicv.is_wanted(evidence) or kernel.linux_since(evidence, 5, 15) is not False:
        return ()
    return (f"this host runs Linux {evidence.kernel}: hv-avic takes Linux 5.15",)


RULE = Rule(
    name="rtc",
    looks_for="accesses to the RTC (ports 0x70, 0x71)",
    select=select,
    min_rate=MIN_RATE,
    rationale="a 64 Hz tick by the RTC makes some 256: two accesses to read, two to acknowledge",
    why="Each access goes to user space. Windows without synthetic timers, and without an HPET, "
    "has its periodic tick from the RTC and acknowledges each, even when idle.",
    advise=advise,
    remedy="hv-stimer (with hv-synic, hv-vpindex, hv-time) for Windows; otherwise find the reader.",
    limits="Firmware reads the CMOS behind it at boot.",
    references=hyperv.REFERENCES,
)

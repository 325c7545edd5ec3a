"""The RTC, as a clock or a tick."""

from bpfexit.advice import hyperv
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence, Where
from bpfexit.advice.rule import Rule
from bpfexit.events.pio import PIO

PER_S = 400.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to its index and its data."""
    return evidence.device(PIO, "rtc")


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise synthetic timers."""
    del exits
    missing = hyperv.lacking(evidence.configuration, "stimer")
    guest = Change(
        Where.GUEST, "find the program that reads the RTC, and have it read the system clock"
    )
    return Advice(
        title="The guest polls the RTC, or uses it for its tick",
        changes=(*hyperv.enabling(missing), *(() if missing else (guest,))),
        expect="Windows uses synthetic timers for its tick, and the accesses end.",
        confidence=Confidence.MEDIUM,
        because="the reader is visible only inside the guest",
        context=hyperv.state(evidence.configuration, "stimer"),
    )


RULE = Rule(
    name="rtc",
    looks_for="accesses to the RTC (ports 0x70, 0x71)",
    select=select,
    per_s=PER_S,
    because="a 64 Hz tick by the RTC makes some 256: two accesses to read, two to acknowledge",
    why="Each access goes to QEMU. Windows without synthetic timers, and without an HPET, has its "
    "periodic tick from the RTC and acknowledges each, even when idle.",
    advise=advise,
    remedy="hv-stimer (with hv-synic, hv-vpindex, hv-time) for Windows; else find the reader.",
    limits="Firmware reads the CMOS behind it at boot.",
    references=hyperv.REFERENCES,
)

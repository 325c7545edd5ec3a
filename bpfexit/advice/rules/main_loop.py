"""Devices that keep QEMU's main loop busy though the guest hardly uses them."""

from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.advice.rules import hpet, usb

MIN_RATE = 1.0
_UHCI = ("piix3-usb", "piix4-usb", "ich9-usb-uhci")


def select(evidence: Evidence) -> Mask:
    """Return no exits: the main loop is another thread."""
    return evidence.none


def advise(evidence: Evidence, exits: Exits) -> Advice | None:
    """Name a tablet on UHCI and an HPET that a Windows guest does not need."""
    del exits
    configuration = evidence.configuration
    tablet = configuration.devices("usb-tablet") and configuration.devices(*_UHCI)
    off = configuration.machine_property("hpet") == "off" or configuration.has("no-hpet")
    is_pc = any(value.startswith(("pc", "q35")) for value in configuration.values("machine"))
    unused = configuration.has_hyperv and configuration.hyperv("stimer") and is_pc and not off
    if not (tablet or unused):
        return None
    devices = " and ".join(("a USB tablet on UHCI",) * bool(tablet) + ("an HPET",) * bool(unused))
    return Advice(
        title=f"The command line has {devices}: timers of QEMU's main loop, even for an idle guest",
        changes=(
            *(usb.without_tablet(evidence) if tablet else ()),
            *(hpet.turning_off(evidence) if unused else ()),
        ),
        expect="QEMU's main thread sleeps while the guest is idle.",
        confidence=Confidence.LOW,
        rationale=f"`top -H -p {evidence.pid}` shows whether QEMU's main thread is busy; its "
        "vCPUs' exits do not",
        hint=True,
    )


RULE = Rule(
    name="main-loop",
    looks_for="a USB tablet on UHCI, or an HPET beside synthetic timers, on the command line",
    select=select,
    min_rate=MIN_RATE,
    rationale="it looks at the command line alone",
    why="An emulated UHCI is polled every millisecond while a device is attached, and a running "
    "HPET fires as often as it was set: in QEMU's main loop, which takes a host CPU.",
    advise=advise,
    remedy="A virtio tablet or none; no HPET beside synthetic timers.",
    limits="Whether the main loop is busy is not measured.",
    references=(
        "https://www.qemu.org/docs/master/system/devices/usb.html",
        "https://www.qemu.org/docs/master/system/i386/hyperv.html",
    ),
    needs_no_exits=True,
)

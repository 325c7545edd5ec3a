"""PCI configuration space, read all the time."""

from bpfexit.advice import remedies
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.events.mmio import MMIO
from bpfexit.events.pio import PIO

MIN_RATE = 500.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to it, by ports or by memory."""
    ports = evidence.device(PIO, "pci-conf")
    return ports | evidence.device(MMIO, "pcie-mmcfg")


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise to find the program that accesses it."""
    del evidence, exits
    return Advice(
        title="The guest reads PCI configuration space continuously",
        changes=(
            remedies.in_guest(
                "find the reader: lspci in a loop, a monitoring agent, a driver that masks "
                "interrupts there"
            ),
        ),
        expect="The exits end with the accesses.",
        confidence=Confidence.MEDIUM,
        rationale="after boot nothing needs it often",
    )


RULE = Rule(
    name="pci-config",
    looks_for="accesses to PCI configuration space",
    select=select,
    min_rate=MIN_RATE,
    rationale="a booted guest makes almost none",
    why="Each register takes two port accesses or one MMIO access, all emulated in user space.",
    advise=advise,
    remedy="In the guest: stop the program that polls.",
    limits="A guest scans it at boot and when a device is plugged.",
    references=("https://docs.kernel.org/PCI/pci.html",),
)

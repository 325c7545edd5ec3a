"""PCI configuration space, read all the time."""

from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence, Where
from bpfexit.advice.rule import Rule
from bpfexit.events.mmio import MMIO
from bpfexit.events.pio import PIO

PER_S = 500.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to it, by ports or by memory."""
    ports = evidence.device(PIO, "pci-conf")
    return ports | evidence.device(MMIO, "pcie-mmcfg")


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise to find who does."""
    del evidence, exits
    return Advice(
        title="The guest reads PCI configuration space all the time",
        changes=(
            Change(
                Where.GUEST,
                "find who: lspci in a loop, a monitoring agent, a driver that masks "
                "interrupts there",
            ),
        ),
        expect="The exits end with the accesses.",
        confidence=Confidence.MEDIUM,
        because="after boot nothing needs it often",
    )


RULE = Rule(
    name="pci-config",
    looks_for="accesses to PCI configuration space",
    select=select,
    per_s=PER_S,
    because="a guest that has booted makes next to none",
    why="Each register takes two port accesses, or one to memory, all emulated by QEMU.",
    advise=advise,
    remedy="In the guest: stop who polls.",
    limits="A guest that boots, or is given a device, scans it.",
    references=("Linux Documentation/PCI/pci",),
)

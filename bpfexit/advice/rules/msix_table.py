"""The MSI-X table of an emulated device: interrupts that the guest masks."""

from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence, Where
from bpfexit.advice.rule import Rank, Rule
from bpfexit.events.mmio import MMIO

MIN_RATE = 500.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to such tables."""
    return evidence.device(MMIO, "msix-table", "msix-pba")


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise interrupts that stay where they are."""
    del exits, evidence
    return Advice(
        title="The guest masks interrupts (MSI-X table)",
        changes=(Change(Where.GUEST, "Linux: pin interrupts (smp_affinity), stop irqbalance"),),
        expect="Each mask or move of an interrupt writes the table, which is emulated.",
        confidence=Confidence.MEDIUM,
        rationale="the guest's own memory map names the table",
    )


RULE = Rule(
    name="msix-table",
    looks_for="accesses to the MSI-X table of a device",
    select=select,
    min_rate=MIN_RATE,
    rationale="a driver writes it when it starts, and rarely later",
    why="The table has the target and the mask of each interrupt; each write is emulated.",
    advise=advise,
    remedy="Pin interrupts; a driver that does not mask each of them.",
    limits="Known only from the guest's memory map (--qmp, --libvirt).",
    references=("https://docs.kernel.org/PCI/msi-howto.html",),
    rank=Rank.LATER,
)

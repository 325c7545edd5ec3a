"""Interrupt status and acknowledgement of virtio-mmio devices."""

from bpfexit.advice import virtio, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.events.mmio import MMIO

MIN_RATE = 1000.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to registers of virtio-mmio, without the notify."""
    return evidence.device(MMIO, "virtio-mmio") & ~evidence.device(MMIO, "virtio-mmio notify")


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise the PCI transport, whose MSI-X needs neither."""
    del exits
    return Advice(
        title="virtio-mmio: every interrupt is read and acknowledged by the guest",
        changes=vmm.setting(
            evidence.guest,
            qemu="-M microvm,pcie=on with virtio-*-pci devices instead of virtio-*-device",
            firecracker="--enable-pci",
            since="Firecracker 1.13" if evidence.guest.vmm == "firecracker" else "",
        ),
        expect="With PCI, the MSI-X vector identifies the queue: no status to read, nothing to "
        "acknowledge, two exits to user space less per interrupt.",
        confidence=Confidence.HIGH if evidence.is_mapped(select(evidence)) else Confidence.MEDIUM,
        rationale="the offsets 0x60 and 0x64 of a region of virtio-mmio are its interrupt's status "
        "and acknowledgement",
    )


RULE = Rule(
    name="virtio-mmio",
    looks_for="interrupt status (0x60) and acknowledgement (0x64) of virtio-mmio devices",
    select=select,
    min_rate=MIN_RATE,
    rationale="an interrupt takes two, and 500 interrupts per second are a light load",
    why="A virtio-mmio device has one interrupt for all: the guest reads why it came, and "
    "acknowledges it, and both accesses go to user space.",
    advise=advise,
    remedy="The PCI transport with MSI-X.",
    limits="The regions are assumed to be where QEMU's microvm and Firecracker place them.",
    references=(
        *virtio.REFERENCES,
        "https://www.qemu.org/docs/master/system/i386/microvm.html",
    ),
)

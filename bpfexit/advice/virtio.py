"""Where virtio devices are told of new requests."""

from bpfexit.advice.evidence import Evidence, Mask
from bpfexit.events.access import Access
from bpfexit.events.mmio import MMIO
from bpfexit.events.pio import PIO

PORTS = (0xC000, 0xFFFF)
"""Where firmware puts the ports of PCI devices on QEMU."""

NOTIFY_BYTES = 2
LIMITS = (
    "Without the guest's memory map, 16-bit writes to ports from 0xc000 on count as "
    "notifies of legacy devices, and those of modern ones are not known."
)


def notifies(evidence: Evidence) -> Mask:
    """Return writes to notify registers: of a legacy device, or a region of their own."""
    unnamed = evidence.at(PIO, PORTS) & ~evidence.is_named()
    usual = unnamed & (evidence.rows["size"] == NOTIFY_BYTES)
    legacy = evidence.device(PIO, "virtio-pci notify") | usual
    modern = evidence.device(MMIO, "virtio-pci-notify")
    notifies: Mask = (legacy | modern) & evidence.access(Access.WRITE)
    return notifies

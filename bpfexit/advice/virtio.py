"""Where virtio devices are notified of new requests."""

import numpy as np

from bpfexit.advice.evidence import Evidence, Mask
from bpfexit.events.access import Access
from bpfexit.events.mmio import MMIO
from bpfexit.events.pio import PIO

PORTS = (0xC000, 0xFFFF)
"""Where firmware puts the ports of PCI devices on QEMU."""
HIGH_BARS = (1 << 32, (1 << 64) - 1)
"""Where firmware puts 64-bit BARs."""

NOTIFY_BYTES = 2
_NOTIFY_PAGES = (0x3000, 0x3FFF)
"""Where a modern device of QEMU has its notify registers, in a BAR aligned to 16 KiB."""

REFERENCES = ("https://docs.oasis-open.org/virtio/virtio/v1.2/virtio-v1.2.html",)
LIMITS = (
    "Without the guest's memory map, 16-bit writes to ports from 0xc000 on, and to the fourth "
    "page of a 64-bit BAR, count as notifies where the kernel serves them, as only an ioeventfd "
    "is served, or where the guest has a virtio device."
)


def notifies(evidence: Evidence) -> Mask:
    """Return writes to notify registers: of a legacy, a modern or a virtio-mmio device."""
    named = evidence.device(PIO, "virtio-pci notify", "virtio-pci-notify-pio")
    named |= evidence.device(MMIO, "virtio-pci-notify", "virtio-mmio notify")
    notifies: Mask = (named | _unnamed(evidence)) & evidence.access(Access.WRITE)
    return notifies


def _unnamed(evidence: Evidence) -> Mask:
    """Return 16-bit writes where such registers lie, which nothing else explains."""
    ports = evidence.at(PIO, PORTS)
    page = evidence.rows["address"] & np.uint64(0x3FFF)
    bars = evidence.at(MMIO, HIGH_BARS) & (page >= _NOTIFY_PAGES[0]) & (page <= _NOTIFY_PAGES[1])
    usual: Mask = (ports | bars) & ~evidence.is_named() & (evidence.rows["size"] == NOTIFY_BYTES)
    if evidence.configuration.has_virtio() is False:
        return evidence.none
    if evidence.configuration.is_known and evidence.configuration.has_virtio() is None:
        return usual & ~evidence.in_user_space()  # an ioeventfd
    return usual

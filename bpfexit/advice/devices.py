"""Emulated devices on the command line, for guests whose memory map is unknown."""

from bpfexit.advice.evidence import Evidence, Mask
from bpfexit.advice.virtio import PORTS, notifies
from bpfexit.events.pio import PIO

_WITH_PORTS = (
    *(
        "e1000",
        "igb",
        "rtl8139",
        "pcnet",
        "ne2k",
        "i82",
        "tulip",
        "vmxnet3",
        "piix3-usb",
        "ich9-usb",
    ),
    *("virtio", "vhost", "usb-tablet", "qxl", "ES1370", "AC97", "lsi", "mptsas"),
)
"""Drivers whose devices have ports in the range of PCI devices, or are attached to one."""


def ports_of(evidence: Evidence, *drivers: str) -> Mask:
    """Return accesses to unnamed ports of PCI devices if one of these drivers may own them.

    Disks of the machine itself have ports there, too, so the device is only the likely one.
    """
    with_ports = evidence.configuration.devices(*_WITH_PORTS)
    if not with_ports or not all(value.startswith(drivers) for value in with_ports):
        return evidence.none
    return evidence.at(PIO, PORTS) & ~evidence.is_named() & ~notifies(evidence)


def rationale(evidence: Evidence, mask: Mask) -> str:
    """Return how the device is known."""
    if evidence.is_mapped(mask):
        return "the guest's own memory map names it"
    return "it is the only device on the command line with ports there"

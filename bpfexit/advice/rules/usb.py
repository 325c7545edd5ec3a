"""Emulated USB controllers, and the tablet that most of them are for."""

from bpfexit.advice import devices, remedies, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.events.mmio import MMIO
from bpfexit.events.pio import PIO

_XHCI = ("xhci", "doorbell", "operational", "runtime", "capabilities")
"""xHCI's regions are `capabilities`, `operational`, `runtime` and `doorbell`."""
NAMES = ("uhci", "ehci", "ohci", "usb", *_XHCI)
_DRIVERS = ("piix3-usb", "piix4-usb", "ich9-usb", "vt82c686b-usb", "usb-")
MIN_RATE = 500.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to the registers of a controller."""
    named = evidence.device(PIO, *NAMES) | evidence.device(MMIO, *NAMES)
    return named | devices.ports_of(evidence, *_DRIVERS)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise a virtio tablet, or none."""
    del exits
    is_xhci = evidence.take(select(evidence) & evidence.is_called(*_XHCI)).count > 0
    return Advice(
        title="The guest drives an emulated USB controller" + (" (xHCI)" if is_xhci else ""),
        changes=_changes(evidence, is_xhci),
        expect="Each transfer rings a doorbell; without the device the accesses end."
        if is_xhci
        else "A UHCI controller is polled 1,000 times per second while a device is attached; "
        "without one the accesses end.",
        confidence=Confidence.MEDIUM,
        rationale=devices.rationale(evidence, select(evidence)),
        context=evidence.configuration.devices(*_DRIVERS, "qemu-xhci", "nec-usb-xhci")[:3],
    )


def _changes(evidence: Evidence, is_xhci: bool) -> tuple[Change, ...]:
    """Return what to do about the tablet, unless the guest is known to have none."""
    configuration = evidence.configuration
    if configuration.is_known and not configuration.devices("usb-tablet"):
        find = remedies.on_host("`info usb` of the monitor lists the devices: detach unused ones")
        return (find,)
    return (*without_tablet(evidence), *(() if is_xhci else _xhci(evidence)))


def _xhci(evidence: Evidence) -> tuple[Change, ...]:
    return vmm.setting(
        evidence.guest,
        libvirt="<controller type='usb' model='qemu-xhci'/>, or model='none'",
        qemu="-device qemu-xhci instead of UHCI and EHCI",
    )


def without_tablet(evidence: Evidence) -> tuple[Change, ...]:
    """Return how to replace the USB tablet, or to have none."""
    return vmm.setting(
        evidence.guest,
        libvirt="<input type='tablet' bus='virtio'/>, or none",
        qemu="-device virtio-tablet-pci, or none, instead of -device usb-tablet",
        proxmox="qm set VMID --tablet 0",
        openstack="openstack image set --property hw_input_bus=virtio IMAGE",
        kubevirt="spec.template.spec.domain.devices.inputs[].bus: virtio",
    )


RULE = Rule(
    name="usb",
    looks_for="accesses to an emulated USB controller (UHCI, EHCI, xHCI)",
    select=select,
    min_rate=MIN_RATE,
    rationale="an idle xHCI makes none, a UHCI with a tablet hundreds",
    why="The driver of a USB controller polls and rings its registers, all emulated in user "
    "space. Mostly it is there for the tablet, which gives the pointer its place.",
    advise=advise,
    remedy="A virtio tablet, xHCI instead of UHCI, or no USB at all.",
    limits="Without the guest's memory map it is known only if it is the only device with ports.",
    references=(
        "https://www.qemu.org/docs/master/system/devices/usb.html",
        "https://libvirt.org/formatdomain.html#input-devices",
    ),
)

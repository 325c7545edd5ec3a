"""Emulated USB controllers, and the tablet that most of them are for."""

from bpfexit.advice import devices, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.events.mmio import MMIO
from bpfexit.events.pio import PIO

NAMES = (
    *("uhci", "ehci", "ohci", "xhci", "usb"),
    *("doorbell", "operational", "runtime", "capabilities"),
)
"""xHCI's regions are `capabilities`, `operational`, `runtime` and `doorbell`."""
_DRIVERS = ("piix3-usb", "piix4-usb", "ich9-usb", "vt82c686b-usb", "usb-")
PER_S = 500.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to the registers of a controller."""
    named = evidence.device(PIO, *NAMES) | evidence.device(MMIO, *NAMES)
    return named | devices.ports_of(evidence, *_DRIVERS)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise a virtio tablet, or none."""
    del exits
    return Advice(
        title="The guest drives an emulated USB controller",
        changes=without_tablet(evidence),
        expect="A UHCI controller is polled 1,000 times a second while a device is attached; "
        "without one the accesses end.",
        confidence=Confidence.MEDIUM,
        because=devices.because(evidence, select(evidence)),
        context=evidence.configuration.devices(*_DRIVERS, "qemu-xhci", "nec-usb-xhci")[:3],
    )


def without_tablet(evidence: Evidence) -> tuple[Change, ...]:
    """Return how to replace the USB tablet, or to have none."""
    return vmm.setting(
        evidence.guest,
        libvirt="<input type='tablet' bus='virtio'/>, or none; <controller type='usb' "
        "model='qemu-xhci'/>, or model='none'",
        qemu="-device virtio-tablet-pci, or none, instead of -device usb-tablet; -device qemu-xhci",
        proxmox="qm set VMID --tablet 0",
        openstack="openstack image set --property hw_input_bus=virtio IMAGE",
        kubevirt="spec.template.spec.domain.devices.inputs[].bus: virtio",
    )


RULE = Rule(
    name="usb",
    looks_for="accesses to an emulated USB controller (UHCI, EHCI, xHCI)",
    select=select,
    per_s=PER_S,
    because="an idle xHCI makes none, a UHCI with a tablet hundreds",
    why="The driver of a USB controller polls and rings its registers, all emulated in user "
    "space. Mostly it is there for the tablet, which gives the pointer its place.",
    advise=advise,
    remedy="A virtio tablet, xHCI instead of UHCI, or no USB at all.",
    limits="Without the guest's memory map it is known only where it is the one device with ports.",
    references=(
        "https://www.qemu.org/docs/master/system/devices/usb.html",
        "https://libvirt.org/formatdomain.html#input-devices",
    ),
)

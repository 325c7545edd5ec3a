"""The emulated display."""

from bpfexit.advice import remedies, vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.events.mmio import MMIO
from bpfexit.events.pio import PIO

NAMES = ("vga", "cirrus", "qxl", "vbe", "bochs", "ati")
MIN_RATE = 1000.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to its registers and its old window."""
    return evidence.device(PIO, *NAMES) | evidence.device(MMIO, *NAMES)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise another display, or none."""
    del exits
    return Advice(
        title="The guest draws on an emulated VGA display",
        changes=(
            *vmm.setting(
                evidence.guest,
                libvirt="<video><model type='virtio'/></video>, or type='none'",
                qemu="-device virtio-vga, or -vga none for a server",
                proxmox="qm set VMID --vga virtio, or --vga none for a server",
                openstack="openstack image set --property hw_video_model=virtio IMAGE",
                kubevirt="spec.template.spec.domain.devices.autoattachGraphicsDevice: false",
            ),
            remedies.in_guest("let the display sleep, or log in over the network"),
        ),
        expect="A display with a linear frame buffer and its own driver takes few exits.",
        confidence=Confidence.MEDIUM,
        rationale="a text console and an unaccelerated driver look the same",
        context=evidence.configuration.devices("VGA", "cirrus-vga", "qxl", "bochs-display")[:2],
    )


RULE = Rule(
    name="display",
    looks_for="accesses to an emulated display",
    select=select,
    min_rate=MIN_RATE,
    rationale="a blinking cursor causes a few",
    why="Registers, and the banked window at 0xa0000, are emulated in user space.",
    advise=advise,
    remedy="virtio-vga, or no display for a server.",
    limits="Firmware menus and installers draw this way, too.",
    references=("https://libvirt.org/formatdomain.html#video-devices",),
)

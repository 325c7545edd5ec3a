"""Emulated sound cards."""

from bpfexit.advice import vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.events.mmio import MMIO
from bpfexit.events.pio import PIO

NAMES = ("intel-hda", "hda", "ac97", "es1370", "sb16", "AC97", "ES1370")
MIN_RATE = 500.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to the registers of one."""
    return evidence.device(MMIO, *NAMES) | evidence.device(PIO, *NAMES)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise virtio-sound, or none."""
    del exits
    return Advice(
        title="The guest plays through an emulated sound card",
        changes=(
            *vmm.setting(
                evidence.guest,
                libvirt="no <sound>",
                qemu="no -device intel-hda",
                proxmox="qm set VMID --delete audio0",
                kubevirt="no spec.template.spec.domain.devices.sound",
            ),
            *vmm.setting(
                evidence.guest,
                libvirt="<sound model='virtio'/>, for Linux guests",
                qemu="-device virtio-sound-pci,audiodev=…, for Linux guests",
                since="QEMU 8.2",
            ),
        ),
        expect="Without the card the accesses end; virtio-sound takes a notify per buffer.",
        confidence=Confidence.MEDIUM,
        rationale="the guest's own memory map names it",
        context=evidence.configuration.devices("intel-hda", "ich9-intel-hda", "AC97")[:2],
    )


RULE = Rule(
    name="audio",
    looks_for="accesses to an emulated sound card (HDA, AC97)",
    select=select,
    min_rate=MIN_RATE,
    rationale="a silent card makes none",
    why="The driver reads the stream's position and rings the card's command buffer, access by "
    "access, in user space; a short period makes that frequent.",
    advise=advise,
    remedy="No sound card if it is unused; virtio-sound; longer periods.",
    limits="Known only from the guest's memory map (--qmp, --libvirt).",
    references=(
        "https://libvirt.org/formatdomain.html#sound-devices",
        "https://www.qemu.org/docs/master/system/devices/virtio-snd.html",
    ),
)

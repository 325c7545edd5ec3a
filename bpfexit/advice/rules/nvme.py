"""Emulated NVMe disks."""

from bpfexit.advice import vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.events.mmio import MMIO

MIN_RATE = 500.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to its registers: mostly doorbells."""
    return evidence.device(MMIO, "nvme")


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise an ioeventfd for the doorbells, or virtio-blk."""
    del exits
    return Advice(
        title="The guest rings the doorbells of an emulated NVMe disk",
        changes=(
            *vmm.setting(
                evidence.guest,
                qemu="-device nvme,ioeventfd=on,… (for guests that use shadow doorbells: Linux)",
                since="QEMU 7.2",
            ),
            *vmm.setting(
                evidence.guest,
                libvirt="<target dev='vda' bus='virtio'/> with an iothread",
                qemu="-device virtio-blk-pci,iothread=…,… instead of nvme",
            ),
        ),
        expect="With shadow doorbells a guest rings less often, and with an ioeventfd that ends in "
        "the kernel.",
        confidence=Confidence.MEDIUM,
        rationale="the guest's own memory map names it",
        context=evidence.configuration.devices("nvme")[:2],
    )


RULE = Rule(
    name="nvme",
    looks_for="accesses to an emulated NVMe disk",
    select=select,
    min_rate=MIN_RATE,
    rationale="a request takes two, and 250 requests per second are a light load",
    why="Each request rings a doorbell when it is queued, and another when its end is seen.",
    advise=advise,
    remedy="ioeventfd=on; virtio-blk; a passed-through disk.",
    limits="Known only from the guest's memory map (--qmp, --libvirt).",
    references=("https://www.qemu.org/docs/master/system/devices/nvme.html",),
)

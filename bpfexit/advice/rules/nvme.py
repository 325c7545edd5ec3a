"""Emulated NVMe disks."""

from bpfexit.advice import vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Confidence
from bpfexit.advice.rule import Rule
from bpfexit.events.mmio import MMIO

PER_S = 500.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to its registers: mostly doorbells."""
    return evidence.device(MMIO, "nvme")


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise an ioeventfd for the doorbells, or virtio-blk."""
    del exits
    return Advice(
        title="The guest rings the doorbells of an emulated NVMe disk",
        changes=vmm.setting(
            evidence.guest,
            libvirt="<target dev='vda' bus='virtio'/> with an iothread",
            qemu="-device nvme,ioeventfd=on,…, or virtio-blk-pci with an iothread",
            since="QEMU 7.2",
        ),
        expect="With an ioeventfd or shadow doorbells, a doorbell ends in the kernel, or needs no "
        "exit.",
        confidence=Confidence.MEDIUM,
        because="the guest's own memory map names it",
        context=evidence.configuration.devices("nvme")[:2],
    )


RULE = Rule(
    name="nvme",
    looks_for="accesses to an emulated NVMe disk",
    select=select,
    per_s=PER_S,
    because="a request takes two, and 250 requests per second are a light load",
    why="Each request rings a doorbell when it is queued, and another when its end is seen.",
    advise=advise,
    remedy="ioeventfd=on; virtio-blk; a passed-through disk.",
    limits="Known only from the guest's memory map (--qmp, --libvirt).",
    references=("https://www.qemu.org/docs/master/system/devices/nvme.html",),
)

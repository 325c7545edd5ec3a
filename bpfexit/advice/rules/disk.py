"""Emulated IDE and AHCI disks."""

from bpfexit.advice import vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence, Where
from bpfexit.advice.rule import Rule
from bpfexit.events.mmio import MMIO
from bpfexit.events.pio import PIO

NAMES = ("ide", "piix-bmdma", "bmdma", "ahci")
MIN_RATE = 300.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to their registers; where AHCI's are, only a map can tell."""
    return evidence.device(PIO, *NAMES) | evidence.device(MMIO, *NAMES)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Advise virtio."""
    del exits
    known = evidence.is_mapped(select(evidence))
    return Advice(
        title="The guest uses an emulated IDE or SATA disk",
        changes=(
            *vmm.setting(
                evidence.guest,
                libvirt="<target dev='vda' bus='virtio'/> instead of bus='ide' or 'sata'",
                qemu="-device virtio-blk-pci,drive=… (or virtio-scsi-pci)",
                proxmox="qm set VMID --scsihw virtio-scsi-single --scsi0 STORAGE:DISK,iothread=1",
                openstack="openstack image set --property hw_disk_bus=virtio IMAGE",
                kubevirt="spec.template.spec.domain.devices.disks[].disk.bus: virtio",
            ),
            Change(Where.GUEST, "Windows: install the virtio driver before the change"),
        ),
        expect="One notify serves several requests, instead of several exits per request.",
        confidence=Confidence.HIGH,
        rationale="the guest's own memory map names it" if known else "the ports are those of IDE",
        context=evidence.configuration.devices("ide-", "ahci", "ich9-ahci")[:3],
    )


RULE = Rule(
    name="disk",
    looks_for="accesses to an emulated IDE or SATA disk",
    select=select,
    min_rate=MIN_RATE,
    rationale="a request takes about six; fewer than 50 requests per second are hardly a load",
    why="Each request to an emulated disk takes several register accesses, and each is an exit to "
    "user space on the vCPU's own thread.",
    advise=advise,
    remedy="A virtio disk.",
    limits="AHCI and the bus-master ports are known only from the guest's memory map. A CD-ROM "
    "counts as a disk.",
    references=("https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms",),
)

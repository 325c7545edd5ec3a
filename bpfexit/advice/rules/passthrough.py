"""Passed-through devices: regions of VFIO that the guest cannot access by itself."""

import re

import numpy as np

from bpfexit.advice import vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Change, Confidence, Where
from bpfexit.advice.rule import Rule

_NAME = re.compile(r"vfio|[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7] ", re.ASCII)
_MSIX = ("msix-table", "msix-pba")
PER_S = 200.0


def select(evidence: Evidence) -> Mask:
    """Return accesses to regions of VFIO, its quirks, and the table of MSI-X."""
    names = evidence.names
    if not len(names):
        return evidence.none
    vfio = bool(evidence.configuration.devices("vfio"))
    found = [
        bool(_NAME.match(name)) or (vfio and name.startswith(_MSIX)) for name in names.tolist()
    ]
    return np.array(found, bool)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Tell the masking of interrupts from registers."""
    masks = evidence.take(select(evidence) & evidence.is_called(*_MSIX))
    context = evidence.configuration.devices("vfio")[:3]
    if 2 * masks.count >= exits.count:
        return Advice(
            title="The guest masks interrupts of a passed-through device (MSI-X table)",
            changes=(
                Change(Where.GUEST, "Linux: pin its interrupts (smp_affinity), stop irqbalance"),
                Change(Where.GUEST, "a newer driver that does not mask each interrupt"),
            ),
            expect="The table is emulated, since a guest may not write it; accesses end with the "
            "masking.",
            confidence=Confidence.MEDIUM,
            because="the guest's own memory map names the table",
            context=context,
        )
    return Advice(
        title="The guest accesses emulated parts of a passed-through device",
        changes=vmm.setting(
            evidence.guest,
            libvirt="<qemu:override> with x-no-kvm-intx, or x-no-geforce-quirks=on, of that device",
            qemu="-device vfio-pci,…,x-no-geforce-quirks=on, where the driver needs no quirk",
        )
        if evidence.take(evidence.is_called("vfio")).count
        else (),
        expect="A BAR that is a page or more is mapped into the guest; smaller ones, pages beside "
        "the MSI-X table, and quirks are emulated.",
        confidence=Confidence.LOW,
        because="the guest's own memory map names the region; why it is not mapped is visible in "
        "the host's log and `info mtree`",
        context=context,
    )


RULE = Rule(
    name="passthrough",
    looks_for="accesses to regions of a passed-through device (VFIO)",
    select=select,
    per_s=PER_S,
    because="a device whose BARs are mapped makes none once it runs",
    why="VFIO maps the BARs of a device into the guest. What shares a page with the MSI-X table, "
    "is smaller than a page, or needs a quirk is emulated in user space.",
    advise=advise,
    remedy="Fewer interrupt masks; a driver that leaves the quirk's registers alone.",
    limits="Known only from the guest's memory map (--qmp, --libvirt).",
    references=(
        "https://docs.kernel.org/driver-api/vfio.html",
        "https://docs.kernel.org/PCI/msi-howto.html",
    ),
)

"""Passed-through devices: regions of VFIO that the guest cannot access by itself."""

import re

import numpy as np

from bpfexit.advice import vmm
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.finding import Advice, Candidate, Change, Confidence, Where
from bpfexit.advice.rule import Rule

_NAME = re.compile(r"vfio|[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7] ", re.ASCII)
_MSIX = ("msix-table", "msix-pba")
_NVIDIA = "vfio-nvidia"
MIN_RATE = 200.0
_CANDIDATES = (
    Candidate(
        "the device interrupts by INTx and KVM does not help: QEMU then unmaps its BARs for 1.1 s",
        "whether MSI is enabled (`lspci -vv` in the guest); x-intx-mmap-timeout-ms, x-no-kvm-intx",
    ),
    Candidate(
        "the registers share a page with the MSI-X table, or the BAR is smaller than a page",
        "the sizes in `lspci -vv`, and `info mtree -f` of the monitor",
    ),
    Candidate("a quirk of QEMU's covers them", "the region's name in `info mtree -f`"),
)


def select(evidence: Evidence) -> Mask:
    """Return accesses to regions of VFIO, its quirks, and the table of MSI-X."""
    names = evidence.names
    if not len(names):
        return evidence.none
    vfio = bool(evidence.configuration.devices("vfio"))
    devices = [
        bool(_NAME.match(name)) or (vfio and name.startswith(_MSIX)) for name in names.tolist()
    ]
    return np.array(devices, bool)


def advise(evidence: Evidence, exits: Exits) -> Advice:
    """Distinguish the masking of interrupts from registers."""
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
            rationale="the guest's own memory map names the table",
            context=context,
        )
    is_quirk = evidence.take(evidence.is_called(_NVIDIA)).count > 0
    return Advice(
        title="The guest accesses emulated parts of a passed-through device",
        changes=_no_quirk(evidence) if is_quirk else _message_interrupts(evidence),
        expect="A BAR that is a page or more is mapped into the guest; smaller ones, pages beside "
        "the MSI-X table, and quirks are emulated.",
        confidence=Confidence.LOW,
        rationale="the guest's own memory map names the region, not why it is emulated",
        context=context,
        candidates=() if is_quirk else _CANDIDATES,
    )


def _no_quirk(evidence: Evidence) -> tuple[Change, ...]:
    option = "x-no-geforce-quirks"
    return vmm.setting(
        evidence.guest,
        libvirt=f"<qemu:override> with <qemu:property name='{option}' type='bool' value='true'/>, "
        "if the driver needs no quirk",
        qemu=f"-device vfio-pci,…,{option}=on, if the driver needs no quirk",
    )


def _message_interrupts(evidence: Evidence) -> tuple[Change, ...]:
    """Return MSI in place of INTx, and the mapping of BARs where an option forbids it."""
    forbids = any("x-no-mmap=on" in text for text in evidence.configuration.devices("vfio"))
    mapping = vmm.setting(
        evidence.guest,
        libvirt="<qemu:override> without x-no-mmap",
        qemu="-device vfio-pci,… without x-no-mmap=on",
    )
    driver = "let the driver use MSI or MSI-X: no pci=nomsi (Linux), MSISupported (Windows)"
    return (*(mapping if forbids else ()), Change(Where.GUEST, driver))


RULE = Rule(
    name="passthrough",
    looks_for="accesses to regions of a passed-through device (VFIO)",
    select=select,
    min_rate=MIN_RATE,
    rationale="a device whose BARs are mapped makes none once it runs",
    why="VFIO maps the BARs of a device into the guest. What shares a page with the MSI-X table, "
    "is smaller than a page, or needs a quirk is emulated in user space.",
    advise=advise,
    remedy="MSI or MSI-X instead of INTx; fewer interrupt masks; no needless quirk.",
    limits="Known only from the guest's memory map (--qmp, --libvirt).",
    references=(
        "https://docs.kernel.org/driver-api/vfio.html",
        "https://docs.kernel.org/PCI/msi-howto.html",
    ),
)

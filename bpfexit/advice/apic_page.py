"""Reads of the local APIC's page that take two exits each."""

import numpy as np

from bpfexit.advice.evidence import Evidence, Mask
from bpfexit.events.access import Access
from bpfexit.events.kind import NO_KIND
from bpfexit.events.mmio import MMIO

PAGE = (0xFEE00000, 0xFEE00FFF)
_FAULTS = ("EPT_VIOLATION", "npf")
"""Reasons of an access to an unmapped page: memory, or the APIC page."""

SPREAD = 0.1
FAULTS_RATE = 1000.0
"""The threshold of the rule `memory-faults`, per second and vCPU."""


def faults_on_memory(evidence: Evidence) -> Mask:
    """Return nested page faults that are no MMIO access, nor the first exit of one."""
    return evidence.reason(*_FAULTS) & evidence.kind(NO_KIND) & ~first_exits(evidence)


def first_exits(evidence: Evidence) -> Mask:
    """Return exits without an access that are the first of two for a read of the APIC page.

    If the page exists but APICv or AVIC is inactive, Linux 6.1 maps nothing there (RET_PF_EMULATE
    in kvm_faultin_pfn()) and lets the guest execute a read again before it emulates it. 5.10, 6.12
    and 7.2 take one exit. Only their number distinguishes these exits from faults on memory: each
    vCPU has as many of them as reads.
    """
    faulting = evidence.none
    tids = evidence.rows["tid"]
    for reason in map(evidence.reason, _FAULTS):
        reads = reason & evidence.at(MMIO, PAGE) & evidence.access(Access.READ)
        for tid in np.unique(tids[reads]):
            faults = reason & evidence.kind(NO_KIND) & (tids == tid)
            if _are_pairs(evidence, faults, reads & (tids == tid)):
                faulting |= faults
    return faulting


def _are_pairs(evidence: Evidence, faults: Mask, reads: Mask) -> bool:
    """Return whether there is one fault per read, apart from a few on memory."""
    expected = evidence.take(reads).count
    beside = evidence.take(faults).count - expected
    most = max(SPREAD * expected, FAULTS_RATE * evidence.seconds - 1)
    return -SPREAD * expected <= beside <= most

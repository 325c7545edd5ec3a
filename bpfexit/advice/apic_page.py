"""The page of the local APIC, and the exits that its reads take twice."""

import numpy as np

from bpfexit.advice.evidence import Evidence, Mask
from bpfexit.events.access import Access
from bpfexit.events.kind import NO_KIND
from bpfexit.events.mmio import MMIO

PAGE = (0xFEE00000, 0xFEE00FFF)
FAULTS = ("EPT_VIOLATION", "npf")
"""Reasons of an access to a page that is not mapped: memory, or the APIC page."""

SPREAD = 0.1
FAULTS_PER_S = 1000.0
"""Fewer faults on memory per second and vCPU are no finding of the rule `memory-faults`."""


def first_exits(evidence: Evidence) -> Mask:
    """Return exits without an access that are the first of two for a read of the APIC page.

    Where the page exists but APICv or AVIC is not active, Linux 6.1 maps nothing there
    (RET_PF_EMULATE in kvm_faultin_pfn()) and has the guest execute a read again before it
    emulates it. 5.10, 6.12 and 7.2 take one exit. Only the numbers tell such exits from
    faults on memory: on each vCPU there are as many of them as reads.
    """
    found = evidence.none
    tids = evidence.rows["tid"]
    for reason in map(evidence.reason, FAULTS):
        reads = reason & evidence.at(MMIO, PAGE) & evidence.access(Access.READ)
        for tid in np.unique(tids[reads]):
            faults = reason & evidence.kind(NO_KIND) & (tids == tid)
            if _are_pairs(evidence, faults, reads & (tids == tid)):
                found |= faults
    return found


def _are_pairs(evidence: Evidence, faults: Mask, reads: Mask) -> bool:
    """Say whether there is one fault for each read, beside a few on memory."""
    expected = evidence.take(reads).count
    beside = evidence.take(faults).count - expected
    most = max(SPREAD * expected, FAULTS_PER_S * evidence.seconds - 1)
    return -SPREAD * expected <= beside <= most

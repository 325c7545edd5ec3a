"""Exits that last long in the kernel: longer than what KVM does for any exit."""

import numpy as np
from numpy.typing import NDArray

from bpfexit.advice.apic_page import FAULTS
from bpfexit.advice.evidence import Evidence, Mask
from bpfexit.model.grouping import ADDRESS_FIELDS
from bpfexit.model.histogram import LOWER_NS
from bpfexit.model.rows import Rows

LONG_NS = 1 << 20
"""KVM serves an exit in microseconds. From here on, the thread waited for something."""
MEAN_NS = 250_000
SPLIT_LOCK_NS = (5_000_000, 40_000_000)
"""The mitigation sleeps 10 ms per split lock, and the thread then waits for a CPU."""

SPLIT_LOCKS = ("EXCEPTION_NMI", "BUS_LOCK", "buslock")


def in_kernel(evidence: Evidence) -> Mask:
    """Return the exits, by reason and address, that last long on average, or for the most part.

    "For the most part": those of 1 ms and more take half of their time. Time in user space,
    page faults and split locks are other rules'.
    """
    rows = evidence.exits.rows
    if not len(rows):
        return evidence.none
    sums, place = rows.summed_by(("reason", *ADDRESS_FIELDS))
    total, timed = sums["total_ns"].astype(float), np.maximum(sums["timed"], 1)
    in_kernel_ns = total - sums["user_ns"]
    mean = in_kernel_ns / timed
    slow = (mean >= MEAN_NS) | ((_in_long_ones(sums) >= total / 2) & (total > 0))
    mostly_user = sums["user_ns"] >= total / 2
    found: Mask = (slow & ~mostly_user)[place]
    return found & ~evidence.reason(*FAULTS) & ~split_locks(evidence)


def split_locks(evidence: Evidence) -> Mask:
    """Return the exits that last as long as the split lock mitigation makes them last."""
    found = evidence.none
    facts = evidence.facts
    off = facts.settings.get("split_lock_detect") == "off"
    cannot = facts.has_flag("split_lock_detect") is facts.has_flag("bus_lock_detect") is False
    if off or cannot or facts.settings.get("kernel.split_lock_mitigate") == "0":
        return found
    for name in SPLIT_LOCKS:
        exits = evidence.reason(name)
        first, last = SPLIT_LOCK_NS
        if first <= evidence.take(exits).mean_ns <= last:
            found |= exits
    return found


def _in_long_ones(sums: Rows) -> NDArray[np.float64]:
    """Return the time in exits of `LONG_NS` and more, at the least, ns, shape (n,)."""
    first = int(np.searchsorted(LOWER_NS, LONG_NS))
    edges = LOWER_NS[first:].astype(float)
    parts = [block.hist.dense()[:, first:].astype(float) @ edges for block in sums.blocks()]
    return np.concatenate(parts)

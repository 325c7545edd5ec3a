"""Exits that last long in the kernel: longer than what KVM does for any exit."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.advice.apic_page import faults_on_memory
from bpfexit.advice.evidence import Evidence, Exits, Mask
from bpfexit.advice.kernel import linux_since
from bpfexit.model.grouping import ADDRESS_FIELDS
from bpfexit.model.histogram import LOWER_NS
from bpfexit.model.rows import Rows

LONG_NS = 1 << 20
"""KVM serves an exit in microseconds. From here on, the thread waited for something."""
MEAN_NS = 250_000
SPLIT_LOCK_NS = (5_000_000, 40_000_000)
"""The mitigation sleeps 10 ms per split lock, and the thread then waits for a CPU."""

SPLIT_LOCKS = ("EXCEPTION_NMI",)
"""Only VMX intercepts #AC for it; no AMD CPU detects split locks."""


def in_kernel(evidence: Evidence, *, without_waiting: bool = False) -> Mask:
    """Return the exits, by reason and address, that last long on average, or for the most part.

    "For the most part": those of 1 ms and more take half of their time. Time in user space,
    page faults and split locks are other rules'; so is waiting for a CPU, if asked for.
    """
    rows = evidence.exits.rows
    if not len(rows):
        return evidence.none
    sums, sum_of = rows.summed_by(("reason", *ADDRESS_FIELDS))
    wait, user_wait = _waits(evidence, sums) if without_waiting else (0.0, 0.0)
    total, user = sums["total_ns"] - wait, sums["user_ns"] - user_wait
    mean = (total - user) / np.maximum(sums["timed"], 1)
    slow = (mean >= MEAN_NS) | ((_in_long_ones(sums) - wait >= total / 2) & (total > 0))
    mask: Mask = (slow & (user < total / 2))[sum_of]
    return mask & ~faults_on_memory(evidence) & ~split_locks(evidence)


def without_waiting(evidence: Evidence, exits: Exits) -> Exits:
    """Return exits with the time that is left without waiting for a CPU.

    Where that was not measured for each exit, those of `LONG_NS` and more count as waiting: ask
    only if the vCPUs waited.
    """
    return exits.less(*_waits(evidence, exits.rows))


def _waits(evidence: Evidence, rows: Rows) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the waiting of rows, and the part of it in user space, ns, each of shape (n,)."""
    if evidence.has_waiting or not len(rows):
        return rows["wait_ns"], rows["user_wait_ns"]
    return _in_long_ones(rows), np.zeros(len(rows))


def may_wait_unseen(evidence: Evidence) -> Mask:
    """Return the exits that last long in the kernel without their waiting, and page faults.

    What a thread waits for there is measured only as far as it could have run.
    """
    return in_kernel(evidence, without_waiting=True) | faults_on_memory(evidence)


def split_locks(evidence: Evidence) -> Mask:
    """Return the exits that last as long as the split lock mitigation makes them last.

    Linux sleeps for each from 5.19 on; before, it only warned.
    """
    facts, detect = evidence.facts, evidence.facts.settings.get("split_lock_detect", "")
    off = detect == "off" or detect.startswith("ratelimit")
    cannot = facts.has_flag("split_lock_detect") is False
    mitigates = facts.settings.get("kernel.split_lock_mitigate") != "0"
    if off or cannot or not mitigates or linux_since(evidence, 5, 19) is False:
        return evidence.none
    exits = evidence.reason(*SPLIT_LOCKS)
    first, last = SPLIT_LOCK_NS
    return exits if first <= evidence.take(exits).mean_ns <= last else evidence.none


def _in_long_ones(sums: Rows) -> NDArray[np.float64]:
    """Return the time in exits of `LONG_NS` and more, at the least, ns, shape (n,)."""
    first = int(np.searchsorted(LOWER_NS, LONG_NS))
    edges = LOWER_NS[first:].astype(float)
    parts = [block.hist.dense()[:, first:].astype(float) @ edges for block in sums.blocks()]
    return np.concatenate(parts)

"""Whether a guest's memory comes from swap while it runs, as far as the counters tell."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

import numpy as np

from bpfexit.advice.evidence import Evidence, Exits
from bpfexit.model import numbers
from bpfexit.model.histogram import LOWER_NS

LEAST_RATE = 10.0
"""Pages per second; fewer cost less than a percent of a vCPU's time, even from a disk."""

LONG_NS = 1 << 16
"""A page that is there, or a new one, takes less; one from a fast disk takes about 80 µs."""

_ENOUGH = 0.5


@dataclass(frozen=True)
class SwappedIn:
    """A guest on a host that swaps pages in; `faults` are its major ones.

    `pages` and `faults` are per second; `faults` are None if unknown. The kernel counts those that
    it serves for a halted vCPU (asynchronous page faults) for no process. `swapped_bytes` is 0
    where the guest's memory is shared: what of that is in swap is not known.
    """

    swapped_bytes: int
    pages: float
    faults: float | None

    @property
    def context(self) -> tuple[str, ...]:
        """The counters, a sentence each."""
        size = numbers.memory(self.swapped_bytes)
        return (
            f"{size} of the guest's memory are in swap"
            if self.swapped_bytes
            else "how much of the guest's memory is in swap is not known: it is shared",
            f"the host swaps in {numbers.rate(self.pages)} pages/s",
            *(() if self.faults is None else (f"major faults: {numbers.rate(self.faults)}/s",)),
        )

    def explains(self, slow_per_s: float) -> bool:
        """Return whether it is the guest's own memory that these long faults wait for."""
        return bool(self.swapped_bytes) and (self.faults or 0.0) >= _ENOUGH * slow_per_s


def swapped_in(evidence: Evidence) -> SwappedIn | None:
    """Return what shows that the guest's memory is swapped in; None if nothing does."""
    usage, pages = evidence.usage, evidence.host.swapped_in
    if usage is None or not pages or not evidence.seconds:
        return None
    per_s, faults = pages / evidence.seconds, None
    if usage.major_faults is not None and usage.seconds:
        faults = usage.major_faults / usage.seconds
    swapped = usage.swapped_bytes or 0
    if max(per_s if swapped else 0.0, min(per_s, faults or 0.0)) < LEAST_RATE:
        return None
    return SwappedIn(swapped, per_s, faults)


def is_excluded(evidence: Evidence) -> bool:
    """Return whether no page was swapped in on this host, or none can be."""
    return evidence.facts.swap_bytes == 0 or evidence.host.swapped_in == 0


@dataclass(frozen=True)
class LongOnes:
    """The exits that last at least `ns`: how many per second, and their share of the time."""

    ns: float
    per_s: float
    share: float


def long_ones(exits: Exits) -> LongOnes:
    """Return the exits that last long: half of the mean or more, and longer than a new page."""
    mean = exits.mean_ns
    edge = max(LONG_NS, 0.0 if isnan(mean) else mean / 2)
    first = int(np.searchsorted(LOWER_NS, edge))
    hist = exits.rows.hist.dense()[:, first:].astype(float)
    total = float(exits.rows["total_ns"].sum())
    in_long = float((hist @ LOWER_NS[first:].astype(float)).sum())
    per_s = float(hist.sum()) / exits.seconds if exits.seconds else 0.0
    return LongOnes(edge, per_s, in_long / total if total else 0.0)

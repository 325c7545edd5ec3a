"""A sample: what the kernel's maps held at one moment, all counters cumulative.

The structs are those of `bpf_programs/wire.h`; a test compares the constants.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.histogram import BUCKETS, LOWER_NS, Counts
from bpfexit.model.reasons import Reasons
from bpfexit.model.rows import FIELDS, NO_REASON, Rows

SLOT_SHIFT = 12
SLOT_MASK = (1 << 20) - 1
SIZE_SHIFT = 4
SIZE_MASK = 0xFF
ACCESS_SHIFT = 2
ACCESS_MASK = 0x3
KIND_MASK = 0x3
REASON_SHIFT = 32

SHORTEST_INTERVAL_S = 0.1
LONGEST_INTERVAL_S = 3600.0
"""Seconds from one sample to the next. The buckets have 32 bits: one would have to count 1.2
million exits a second of a single vCPU to come round within an hour and be misread."""


@dataclass(frozen=True)
class Sample:
    """The maps at one moment.

    `rows` and `vcpus` are copies of the first entries of the arrays of struct
    row and struct vcpu; an entry keeps its place for as long as a source lives.
    Everything in them grows, but `max_ns`: that is since the previous sample.
    """

    taken_ns: int  # CLOCK_MONOTONIC
    rows: NDArray[Any]
    vcpus: NDArray[Any]
    slots_full: int  # exits of vCPUs for which there was no slot
    missed: int  # runs of a program that the kernel skipped, for recursion
    slow: NDArray[Any] | None = None  # of `model.slow.RECORD`: told of since the previous sample


@dataclass(frozen=True)
class Difference:
    """What happened from one sample to the next, not yet named.

    `vm` and `reason` of the rows are yet to be filled: from `slots`, places in
    the sample's vCPUs, and from `codes`, the reasons' codes; both of shape (n,).
    """

    rows: Rows
    slots: NDArray[np.uint32]
    codes: NDArray[np.uint32]


def difference(before: Sample | None, after: Sample) -> Difference:
    """Subtract; only rows that changed are there."""
    rows = after.rows
    old = np.zeros(len(rows), rows.dtype)
    if before is not None:
        old[: len(before.rows)] = before.rows
    changed = (rows["count"] != old["count"]) | (rows["user_ns"] != old["user_ns"])
    rows, old = rows[changed], old[changed]
    what = rows["what"]
    slots = (((what >> SLOT_SHIFT) & SLOT_MASK) - np.uint64(1)).astype(np.uint32)
    owners = after.vcpus[slots]
    fields = np.zeros(len(rows), FIELDS)
    for name in ("count", "total_ns", "user_count", "user_ns"):
        fields[name] = rows[name] - old[name]
    fields["address"] = rows["address"]
    fields["kind"] = what & KIND_MASK
    fields["access"] = (what >> ACCESS_SHIFT) & ACCESS_MASK
    fields["size"] = (what >> SIZE_SHIFT) & SIZE_MASK
    fields["pid"] = owners["owner"] >> 32
    fields["tid"] = owners["owner"] & 0xFFFFFFFF
    fields["vcpu"] = owners["vcpu_id"]
    fields["isa"] = owners["isa"]
    # Bucket counters have 32 bits: their difference is right even after they wrap.
    hist = (rows["hist"] - old["hist"])[:, :BUCKETS].astype(np.uint64)
    fields["timed"] = hist.sum(axis=1)
    fields["max_ns"] = np.maximum(rows["max_ns"], _least_maxima(hist))
    return Difference(Rows(fields, hist), slots, (what >> REASON_SHIFT).astype(np.uint32))


def _least_maxima(hist: Counts) -> NDArray[np.uint64]:
    """Return the lower edge of each histogram's highest bucket, 0 when it is empty.

    An exit may end between the reading of a maximum and the start of a new one
    (see `sources.mapped`): then its bucket is all that tells how long it took.
    """
    highest = BUCKETS - 1 - np.argmax(hist[:, ::-1] != 0, axis=1)
    return np.where(hist.any(axis=1), LOWER_NS[highest], np.uint64(0))


def name_reasons(diff: Difference, reasons: Reasons) -> tuple[str, ...]:
    """Fill the `reason` field of the rows; return the names it points to."""
    isas = diff.rows["isa"].astype(np.uint64)
    pairs, place = np.unique(isas << np.uint64(32) | diff.codes, return_inverse=True)
    names = [reasons.name(int(pair) >> 32, int(pair) & 0xFFFFFFFF) for pair in pairs]
    known = tuple(dict.fromkeys(name for name in names if name is not None))
    places = [NO_REASON if name is None else known.index(name) for name in names]
    diff.rows.fields["reason"] = np.array(places, "i4")[place] if len(pairs) else 0
    return known

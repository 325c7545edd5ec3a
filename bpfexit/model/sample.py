"""A sample: the kernel's maps at one moment, all counters cumulative.

The structs are those of `bpf_programs/wire.h`; a test compares the constants.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.durations import TimeLimits
from bpfexit.model.histogram import BUCKETS, LOWER_NS
from bpfexit.model.histograms import Histograms
from bpfexit.model.rows import FIELDS, IDENTITY, NO_REASON, REQUESTED_SUMS, Rows, joined
from bpfexit.names.reasons import Reasons

SLOT_SHIFT = 14
SLOT_MASK = (1 << 18) - 1
SIZE_SHIFT = 7
SIZE_MASK = 0x7F
ACCESS_SHIFT = 5
ACCESS_MASK = 0x3
KIND_MASK = 0x1F
REASON_SHIFT = 32

_GROWING = ("total_ns", "user_count", "user_ns", "wait_ns", "user_wait_ns")

INTERVAL = TimeLimits("0.1s", "3600s")
"""From one sample to the next. The buckets have 32 bits: 1.2 million exits per second
of a single vCPU would overflow one within an hour."""


@dataclass(frozen=True)
class Sample:
    """The vCPUs and the losses at one moment; all counters in them only grow.

    `vcpus` is a copy of the first entries of the array of struct vcpu. An entry keeps its index
    until its thread has ended; then it is zero, also in the copy that the next sample is compared
    with.
    """

    taken_ns: int  # CLOCK_MONOTONIC
    vcpus: NDArray[Any]
    slots_full: int  # exits of vCPUs for which there was no slot
    missed: int  # runs of a program that the kernel skipped, for recursion
    slow: NDArray[Any] | None = None  # of `model.slow.RECORD`: reported since the previous sample
    at_taken: NDArray[Any] | None = None  # the vCPUs at `taken_ns`, if `vcpus` are later

    @property
    def clock(self) -> NDArray[Any]:
        """The vCPUs as they were at `taken_ns`: what their times are taken from."""
        return self.vcpus if self.at_taken is None else self.at_taken


@dataclass(frozen=True)
class Difference:
    """What happened in some rows between two copies of them, without names.

    The fields that come from vCPUs and names are filled in later: from `slots`, indexes of vCPUs,
    and from `codes`, the codes of the reasons; both of shape (n,).
    """

    rows: Rows
    slots: NDArray[np.uint32]
    codes: NDArray[np.uint32]


def difference(before: NDArray[Any], after: NDArray[Any]) -> Difference:
    """Subtract one copy of rows, struct row each, from a later copy of the same rows.

    All fields grow, except for `max_ns`, which is the maximum since the earlier copy.
    """
    packed_key = after["packed_key"]
    fields = np.zeros(len(after), FIELDS)
    requested = {*REQUESTED_SUMS} & {*(after.dtype.names or ())}
    for name in (*_GROWING, *requested):
        fields[name] = after[name] - before[name]
    fields["address"] = after["target"]
    fields["kind"] = packed_key & KIND_MASK
    fields["access"] = (packed_key >> ACCESS_SHIFT) & ACCESS_MASK
    fields["size"] = (packed_key >> SIZE_SHIFT) & SIZE_MASK
    # Bucket counters have 32 bits: their difference is right even after they wrap.
    hist = Histograms.of(after["hist"][:, :BUCKETS] - before["hist"][:, :BUCKETS])
    fields["timed"] = hist.totals()
    fields["count"] = fields["timed"] + after["no_latency"] - before["no_latency"]
    fields["max_ns"] = np.maximum(after["max_ns"], _least_maxima(hist))
    return Difference(
        Rows(fields, hist), slots_of(packed_key), (packed_key >> REASON_SHIFT).astype(np.uint32)
    )


def slots_of(packed_key: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Return the slots of the rows' vCPUs, from their field `packed_key`."""
    return (((packed_key >> SLOT_SHIFT) & SLOT_MASK) - np.uint64(1)).astype(np.uint32)


def joined_differences(parts: Sequence[Difference]) -> Difference:
    """Return the differences of all parts as one."""
    none = np.zeros(0, np.uint32)
    return Difference(
        joined([part.rows for part in parts]),
        np.concatenate([none, *(part.slots for part in parts)]),
        np.concatenate([none, *(part.codes for part in parts)]),
    )


def _least_maxima(hist: Histograms) -> NDArray[np.uint64]:
    """Return the lower edge of each histogram's highest bucket, 0 if it is empty.

    An exit may end between the reading of a maximum and the start of a new one (see
    `tracer.mmap_rows`). Then only its bucket shows how long it took.
    """
    return LOWER_NS[np.maximum(hist.highest(), 0)]


def of_traced(diff: Difference, vcpus: NDArray[Any]) -> Difference:
    """Return the rows of vCPUs that are counted; `vcpus` is an array of struct vcpu."""
    traced = vcpus["traced"][diff.slots] != 0
    if traced.all():
        return diff
    return Difference(diff.rows.take(traced), diff.slots[traced], diff.codes[traced])


def name_owners(diff: Difference, vcpus: NDArray[Any]) -> None:
    """Fill the rows' fields that come from their vCPUs; `vcpus` is an array of struct vcpu."""
    fields, owners = diff.rows.fields, vcpus["owner"][diff.slots]
    fields["pid"] = owners >> 32
    fields["tid"] = owners & 0xFFFFFFFF
    fields["vcpu"] = vcpus["vcpu_id"][diff.slots]
    fields["isa"] = vcpus["isa"][diff.slots]


def name_reasons(diff: Difference, reasons: Reasons) -> tuple[str, ...]:
    """Fill the `reason` field of the rows; return the names that it indexes."""
    isas = diff.rows["isa"].astype(np.uint64)
    pairs, pair_of = np.unique(isas << np.uint64(32) | diff.codes, return_inverse=True)
    names = [reasons.name(int(pair) >> 32, int(pair) & 0xFFFFFFFF) for pair in pairs]
    known = tuple(dict.fromkeys(name for name in names if name is not None))
    reason_indexes = [NO_REASON if name is None else known.index(name) for name in names]
    diff.rows.fields["reason"] = np.array(reason_indexes, "i4")[pair_of] if len(pairs) else 0
    return known


def rows_by_name(diff: Difference) -> Rows:
    """Return the rows with names of reasons, those that differ only in the code merged.

    A VMX reason may have flags next to its code, which its name does not show.
    """
    if len(np.unique(diff.codes)) == len(np.unique(diff.rows["reason"])):
        return diff.rows
    rows, _ = diff.rows.summed_by(IDENTITY)
    return rows

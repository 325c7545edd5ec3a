"""The account of the vCPUs' time in a snapshot, by vCPU, or by guest, or of all together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.rows import Rows
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.vcpu_parts import PART_FIELDS, PARTS, VcpuTime, time_of

THREAD = ("vm", "pid", "tid", "vcpu")


def knows_time(snapshot: Snapshot) -> bool:
    """Say whether all parts of the vCPUs' time are known: on a back end with exits, without -r."""
    return snapshot.origin.has_exit_events and not snapshot.only


def total_time(snapshot: Snapshot) -> VcpuTime:
    """Return the time of all vCPUs together."""
    return time_of(vcpu_parts(snapshot), has_waiting=has_waiting(snapshot))


def has_waiting(snapshot: Snapshot) -> bool:
    """Say whether waiting is a part of the time of its own, of all vCPUs."""
    return snapshot.origin.has_waiting and bool(snapshot.vcpus["has_parts"].all())


def vcpu_parts(snapshot: Snapshot) -> NDArray[Any]:
    """Return the parts of each of the snapshot's vCPUs, dtype `PART_FIELDS`, shape (n,)."""
    return parts_of(snapshot.vcpus, snapshot.rows, snapshot.idle)


def parts_of(vcpus: NDArray[Any], rows: Rows, idle_rows: NDArray[np.bool_]) -> NDArray[Any]:
    """Return the parts of the time of vCPUs, of dtype `VCPU_FIELDS`, whose rows these are.

    In recordings of versions that did not count them, they come from the rows: then waiting
    is within the others, and an exit counts in the interval in which it ends.
    """
    parts = np.zeros(len(vcpus), PART_FIELDS)
    if vcpus["has_parts"].all():
        for name in PARTS:
            parts[name] = vcpus[name]
        return parts
    busy = _of_vcpus(rows.chosen(~idle_rows), vcpus)
    idle = _of_vcpus(rows.chosen(idle_rows), vcpus)
    parts["guest_ns"] = vcpus["guest_ns"]
    parts["user_ns"] = busy["user_ns"]
    parts["kvm_ns"] = np.maximum(busy["total_ns"] - busy["user_ns"], 0)
    parts["idle_ns"] = idle["total_ns"]
    return parts


def _places(vcpus: NDArray[Any], fields: NDArray[Any], names: Sequence[str]) -> NDArray[np.intp]:
    """Return numbers of those that agree in the named fields: of the vCPUs, then of the rows."""
    both = np.concatenate([vcpus[[*names]], fields[[*names]]])
    _, place = np.unique(both, return_inverse=True)
    return place


def _of_vcpus(rows: Rows, vcpus: NDArray[Any]) -> NDArray[Any]:
    """Add up the times in the rows of each vCPU, shape (n,) as these vCPUs."""
    place = _places(vcpus, rows.fields, THREAD)
    at, of_rows = np.split(place, [len(vcpus)])
    sums = np.zeros(len(place), [("total_ns", "i8"), ("user_ns", "i8")])
    for name in sums.dtype.names or ():
        of_threads = np.bincount(of_rows, rows[name], len(place))
        sums[name] = np.minimum(of_threads, _MOST_NS)  # files may hold more than 63 bits do
    return sums[at]


_MOST_NS = 2.0**62

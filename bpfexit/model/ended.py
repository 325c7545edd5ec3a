"""Guests that have ended: a sum keeps the last ones apart and merges the others."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.guest import Guest
from bpfexit.model.rows import NO_VCPU, Rows
from bpfexit.model.snapshot import Snapshot, merged
from bpfexit.model.structs import copied

MOST_ENDED = 256
"""Ended guests that are kept apart: hosts start and end thousands per day."""

OTHERS = "(others that ended)"
"""The name of the guest that stands for all earlier ones; its process is 0."""


def with_fewer_ended(snapshot: Snapshot, most: int = MOST_ENDED) -> Snapshot:
    """Merge the guests that ended before the last `most` into `OTHERS`; no exit is lost."""
    ended = snapshot.ended - {(0, OTHERS)}
    if len(ended) <= most:
        return snapshot
    in_order = dict.fromkeys((guest.pid, guest.name) for guest in snapshot.guests)
    oldest = set([guest for guest in in_order if guest in ended][: len(ended) - most])
    left = [guest for guest in snapshot.guests if (guest.pid, guest.name) not in oldest]
    guests = dict.fromkeys((Guest(0, OTHERS, ended=True), *left))
    known = replace(
        _as_others(snapshot, oldest),
        guests=tuple(guests),
        others=snapshot.others + len(oldest),
    )
    return merged([known])


def _as_others(snapshot: Snapshot, oldest: set[tuple[int, str]]) -> Snapshot:
    """Give the rows and vCPUs of these guests to `OTHERS`; keep only used names."""
    vms = (*snapshot.vms, OTHERS)
    fields, vcpus = copied(snapshot.rows.fields), copied(snapshot.vcpus)
    for array in (fields, vcpus):
        theirs = _are_of(array, snapshot.vms, oldest)
        array["vm"][theirs] = len(snapshot.vms)
        array["pid"][theirs] = array["tid"][theirs] = 0
        array["vcpu"][theirs] = NO_VCPU
    used = np.union1d(fields["vm"], vcpus["vm"])
    for array in (fields, vcpus):
        array["vm"] = np.searchsorted(used, array["vm"])
    rows = Rows(fields, snapshot.rows.hist)
    return replace(
        snapshot,
        rows=rows,
        vcpus=vcpus,
        vms=tuple(vms[index] for index in used),
        usage=snapshot.usage.where(lambda guest: (guest.pid, guest.vm) not in oldest),
    )


def _are_of(
    array: NDArray[np.void], vms: tuple[str, ...], guests: set[tuple[int, str]]
) -> NDArray[np.bool_]:
    """Return which entries, with fields `vm` and `pid`, are of these guests, shape (n,)."""
    owners, owner_of = np.unique(array[["vm", "pid"]], return_inverse=True)
    chosen = np.array([(pid, vms[vm]) in guests for vm, pid in owners.tolist()], bool)
    theirs: NDArray[np.bool_] = chosen[owner_of] if len(owner_of) else np.zeros(0, bool)
    return theirs

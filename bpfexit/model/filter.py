"""Which exits to count, and what of a snapshot they are."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.events.kind import Kind
from bpfexit.model.slow import Slow
from bpfexit.model.snapshot import Snapshot


@dataclass(frozen=True)
class Filter:
    """Which exits to count at all; empty means every one."""

    pids: tuple[int, ...] = ()
    vcpus: tuple[int, ...] = ()
    reasons: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()  # to be traced besides those that always are
    exact_io: bool = False  # count each access of string I/O, too


def kept(snapshot: Snapshot, wanted: Filter) -> Snapshot:
    """Return the snapshot with only the rows, vCPUs and guests that are wanted."""
    if not (wanted.pids or wanted.vcpus or wanted.reasons):
        return snapshot
    rows, vcpus = snapshot.rows, snapshot.vcpus
    keep = _chosen(rows["pid"], wanted.pids) & _chosen(rows["vcpu"], wanted.vcpus)
    if wanted.reasons:
        names = {name.lower() for name in wanted.reasons}
        known = np.array([name.lower() in names for name in snapshot.reasons] + [False], bool)
        keep &= known[rows["reason"]]
    seen = _chosen(vcpus["pid"], wanted.pids) & _chosen(vcpus["vcpu"], wanted.vcpus)
    guests = snapshot.guests
    if wanted.pids:
        guests = tuple(guest for guest in guests if guest.pid in wanted.pids)
    return replace(
        snapshot,
        rows=rows.take(keep),
        vcpus=vcpus[seen],
        guests=guests,
        slow=snapshot.slow and _kept_slow(snapshot.slow, wanted),
        only=wanted.reasons or snapshot.only,
    )


def _kept_slow(slow: Slow, wanted: Filter) -> Slow:
    """Return it with only the exits that are wanted; whose the others were is not known."""
    reasons = {name.lower() for name in wanted.reasons}
    return replace(
        slow,
        exits=tuple(
            each
            for each in slow.exits
            if (not wanted.pids or each.pid in wanted.pids)
            and (not wanted.vcpus or each.vcpu in wanted.vcpus)
            and (not reasons or (each.reason or "").lower() in reasons)
        ),
    )


def _chosen(values: NDArray[Any], wanted: tuple[int, ...]) -> NDArray[np.bool_]:
    return np.isin(values, wanted) if wanted else np.ones(len(values), bool)

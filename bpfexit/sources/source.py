"""What every command reads from, be it the live kernel or a recording."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.slow import Slow
from bpfexit.model.snapshot import Snapshot


@dataclass(frozen=True)
class Filter:
    """Which exits to count at all; empty means every one."""

    pids: tuple[int, ...] = ()
    vcpus: tuple[int, ...] = ()
    reasons: tuple[str, ...] = ()


def kept(snapshot: Snapshot, wanted: Filter) -> Snapshot:
    """Return the snapshot with only the rows, vCPUs and guests that are wanted."""
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


class Source(Protocol):
    """Snapshots, one after another."""

    @property
    def emits_exits(self) -> bool:
        """Whether the back end emits `kvm_exit`, so that there are reasons and latencies."""

    def notes(self) -> list[str]:
        """Return what one should know of it, a sentence each, once the snapshots have ended."""

    def next(self) -> Snapshot | None:
        """Return what has happened since the last call, or since opening; None at the end."""

    def due(self) -> float | None:
        """Return how long the next snapshot lasts, s; None when that is the caller's choice."""

    def measuring_cost(self) -> AbstractContextManager[None]:
        """Measure meanwhile what bpfexit's programs cost, where that can be: for the next snapshot.

        That costs a little itself, and no snapshot may be taken meanwhile.
        """

    def close(self) -> Snapshot | None:
        """Stop; return what happened since the last call. None when there is no more, or again."""

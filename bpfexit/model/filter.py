"""Which exits to count, and the part of a snapshot that matches."""

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import numpy as np

from bpfexit.events.kind import Kind
from bpfexit.model.slow import Slow
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.threads import Mask, Threads


@dataclass(frozen=True)
class Filter:
    """Which exits to count; an empty field means all."""

    pids: tuple[int, ...] = ()
    vcpus: tuple[int, ...] = ()
    reasons: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()  # traced in addition to the default ones
    tids: tuple[int, ...] = ()
    exact_io: bool = False  # count each access of string I/O, not its exits alone
    blocked: bool = False  # measure the time in which vCPUs are blocked
    guests: tuple[str, ...] = ()  # names, in which * and ? match any characters

    @property
    def is_of_some_guests(self) -> bool:
        """Whether it leaves guests or vCPUs out."""
        return bool(self.pids or self.vcpus or self.tids or self.guests)

    def names(self, guest: str) -> bool:
        """Return whether a guest's name is wanted."""
        return not self.guests or any(fnmatchcase(guest, pattern) for pattern in self.guests)


def kept(snapshot: Snapshot, wanted: Filter) -> Snapshot:
    """Return the snapshot with only the wanted rows, vCPUs and guests."""
    if not (wanted.is_of_some_guests or wanted.reasons):
        return snapshot
    exits = _with_reasons(snapshot, wanted.reasons) if wanted.reasons else None
    names = wanted.names if wanted.guests else None
    part = Threads(wanted.pids, wanted.tids, wanted.vcpus, names).part(snapshot, exits)
    slow = snapshot.slow and _kept_slow(snapshot.slow, wanted)
    return replace(part, slow=slow, only=wanted.reasons or snapshot.only)


def _with_reasons(snapshot: Snapshot, reasons: tuple[str, ...]) -> Mask:
    names = {name.lower() for name in reasons}
    known = np.array([name.lower() in names for name in snapshot.reasons] + [False], bool)
    chosen: Mask = known[snapshot.rows["reason"]]
    return chosen


def _kept_slow(slow: Slow, wanted: Filter) -> Slow:
    """Return only the wanted exits; the counts of the others stay: their guests are unknown."""
    reasons = {name.lower() for name in wanted.reasons}
    return replace(
        slow,
        exits=tuple(
            slow_exit
            for slow_exit in slow.exits
            if (not wanted.pids or slow_exit.pid in wanted.pids)
            and (not wanted.vcpus or slow_exit.vcpu in wanted.vcpus)
            and (not wanted.tids or slow_exit.tid in wanted.tids)
            and wanted.names(slow_exit.vm)
            and (not reasons or (slow_exit.reason or "").lower() in reasons)
        ),
    )

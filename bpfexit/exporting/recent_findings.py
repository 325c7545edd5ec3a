"""Which rules of `bpfexit diagnose` report which guest, over the last minutes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from bpfexit.advice.diagnosis import diagnose
from bpfexit.exporting.changes import Owner
from bpfexit.model.ended import with_fewer_ended
from bpfexit.model.snapshot import Snapshot, merged

WINDOW_S = 300.0
PART_S = 60.0
"""The length of a part of the window: parts are added to it and leave it."""

Reports = Mapping[Owner, frozenset[str]]
"""The rules that report each guest."""


class RecentFindings:
    """A window of snapshots, in a few sums, and what the rules report in it.

    Guests that have ended are together one guest there, which has no series: a rule takes time
    with each, and thousands may have ended in the window.
    """

    def __init__(self) -> None:
        self._parts: deque[Snapshot] = deque(maxlen=round(WINDOW_S / PART_S))
        self._part: Snapshot | None = None

    def add(self, snapshot: Snapshot) -> Reports | None:
        """Add an interval; return the reports when a part is complete, None otherwise."""
        part = merged([self._part, snapshot]) if self._part else snapshot
        self._part = with_fewer_ended(part, most=0)
        if self._part.duration_s < PART_S:
            return None
        self._parts.append(self._part)
        self._part = None
        return _reports(with_fewer_ended(merged(self._parts), most=0))


def _reports(snapshot: Snapshot) -> Reports:
    return {
        Owner(guest.guest.pid, guest.vm): frozenset(finding.rule for finding in guest.findings)
        for guest in diagnose(snapshot).guests
    }

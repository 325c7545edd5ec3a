"""Several readings of the maps within one interval, merged into one snapshot.

A long interval is read in between, so that rows and slots of ended guests are freed, 32-bit
counters are summed before they wrap, and short-lived guests are named.
"""

from dataclasses import replace

from bpfexit.model.slow import Slow, joined_slow
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.snapshot_sum import SnapshotSum


class Readings:
    """Snapshots that wait for the end of their interval."""

    def __init__(self) -> None:
        self._parts = SnapshotSum(bounded=True)
        self._slow: Slow | None = None

    def add(self, snapshot: Snapshot) -> None:
        """Keep a snapshot until the interval ends."""
        self._parts.add(snapshot)
        self._slow = joined_slow([self._slow, snapshot.slow])

    def ended_by(self, last: Snapshot) -> Snapshot:
        """Return the interval, of which this is the last part; begin another one."""
        if not self._parts.intervals:
            return last
        self.add(last)
        total = replace(self._parts.sum(), slow=self._slow)
        self._parts, self._slow = SnapshotSum(bounded=True), None
        return total

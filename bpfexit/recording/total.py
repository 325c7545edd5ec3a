"""A recording, or a window of it, added up to one snapshot."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from math import inf
from pathlib import Path

from bpfexit.errors import BpfexitError
from bpfexit.model.filter import Filter
from bpfexit.model.snapshot import Snapshot, merged
from bpfexit.recording.reader import RecordingSource


@dataclass(frozen=True)
class Total:
    """A recording, or a window of it, as one snapshot."""

    snapshot: Snapshot
    cut: str | None  # how the file ends before its time; None when it does not
    intervals: int  # how many snapshots were added up
    notes: tuple[str, ...] = ()  # see `RecordingSource.notes`


def total(
    path: Path, wanted: Filter, begin_s: float | None = None, end_s: float | None = None
) -> Total:
    """Add up the intervals from `begin_s` to `end_s`, s since the recording's start.

    Takes as much memory as the sum has rows, however long the recording is.
    Raises `BpfexitError` for what is no recording and for an empty window.
    """
    source = RecordingSource(path, wanted)
    adding = Adding()
    with closing(source):
        for snapshot in within(source, begin_s, end_s):
            adding.add(snapshot)
    if not adding.intervals:
        raise BpfexitError(f"{path} has no interval in that window: {covers(source)}")
    return Total(adding.sum(), source.cut, adding.intervals, tuple(source.notes()))


def within(
    source: RecordingSource, begin_s: float | None, end_s: float | None
) -> Iterator[Snapshot]:
    """Yield the snapshots of a window, s since the recording's start.

    An interval belongs to the window that its middle lies in: windows that
    adjoin share none and miss none, and a clock's jitter moves none.
    """
    first = -inf if begin_s is None else begin_s
    last = inf if end_s is None else end_s
    while snapshot := source.next():
        if first <= snapshot.start + snapshot.duration_s / 2 - source.start < last:
            yield snapshot


def covers(source: RecordingSource) -> str:
    """Say how long a recording is that was read to its end."""
    return f"it lasts {max(0.0, source.end - source.start):.1f} s"


class Adding:
    """Adds snapshots up, several at once: each merge sorts all rows of the sum so far."""

    def __init__(self) -> None:
        self.intervals = 0
        self._parts: list[Snapshot] = []
        self._rows = 0

    def add(self, snapshot: Snapshot) -> None:
        """Add one; the sum so far is made when what waits is as large."""
        self.intervals += 1
        self._parts.append(snapshot)
        self._rows += len(snapshot.rows)
        if len(self._parts) > _CHUNK or self._rows > max(_CHUNK_ROWS, 2 * len(self._parts[0].rows)):
            self.sum()

    def sum(self) -> Snapshot:
        """Return everything so far as one snapshot; something must have been added."""
        self._parts = [merged(self._parts)]
        self._rows = len(self._parts[0].rows)
        return self._parts[0]


_CHUNK = 256
_CHUNK_ROWS = 16384
"""What waits to be added: so many snapshots or rows (1.3 KB each) at most."""

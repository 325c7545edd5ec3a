"""A recording, or a window of it, added up to one snapshot."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from math import inf
from pathlib import Path

from bpfexit.errors import BpfexitError
from bpfexit.formats.json.snapshot_reader import MEMORY
from bpfexit.model.filter import Filter
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.snapshot_sum import SnapshotSum
from bpfexit.recording.reader import RecordingSource

SUM_MEMORY = MEMORY
"""Bytes that the sum of a recording's intervals may take, as many as a single interval may."""


@dataclass(frozen=True)
class Total:
    """A recording, or a window of it, as one snapshot."""

    snapshot: Snapshot
    cut: str | None  # how the file is cut; None if it is not
    intervals: int  # number of snapshots added up
    notes: tuple[str, ...] = ()  # see `RecordingSource.notes`


def total(
    path: Path, wanted: Filter, begin_s: float | None = None, end_s: float | None = None
) -> Total:
    """Add up the intervals from `begin_s` to `end_s`, s since the recording's start.

    Takes as much memory as the sum has rows, however long the recording is.
    Raises `BpfexitError` if it is not a recording, and for an empty window.
    """
    return total_of(RecordingSource(path, wanted), begin_s, end_s)


def total_of(
    source: RecordingSource,
    begin_s: float | None = None,
    end_s: float | None = None,
    note: Callable[[Snapshot], object] = lambda _: None,
) -> Total:
    """Add up an open recording likewise and close it; `note` is called with each snapshot."""
    window_sum = SnapshotSum(SUM_MEMORY)
    for snapshot in window(source, begin_s, end_s):
        window_sum.add(snapshot)
        note(snapshot)
        del snapshot  # before the next one is read
    return Total(window_sum.sum(), source.cut, window_sum.intervals, tuple(source.notes()))


def window(
    source: RecordingSource, begin_s: float | None = None, end_s: float | None = None
) -> Iterator[Snapshot]:
    """Yield the snapshots of a window and close the recording.

    Raises `BpfexitError` for an empty window.
    """
    is_empty = True
    with closing(source):
        for snapshot in within(source, begin_s, end_s):
            is_empty = False
            yield snapshot
            del snapshot  # before the next one is read
    if is_empty:
        raise BpfexitError(f"{source.path} has no interval in this window: {_covers(source)}")


def within(
    source: RecordingSource, begin_s: float | None, end_s: float | None
) -> Iterator[Snapshot]:
    """Yield the snapshots of a window, s since the recording's start.

    An interval belongs to the window that contains its middle: adjoining windows
    share none and miss none, and a clock's jitter moves none.
    """
    first = -inf if begin_s is None else begin_s
    last = inf if end_s is None else end_s
    while snapshot := source.next():
        if first <= snapshot.start + snapshot.duration_s / 2 - source.start < last:
            yield snapshot
        del snapshot  # before the next one is read


def _covers(source: RecordingSource) -> str:
    """Return the length of a recording that was read to its end."""
    return f"it lasts {max(0.0, source.end - source.start):.1f} s"

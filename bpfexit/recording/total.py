"""A recording, or a window of it, added up to one snapshot."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from math import inf
from pathlib import Path

from bpfexit.errors import BpfexitError
from bpfexit.formats.json.snapshot import MEMORY
from bpfexit.model.ended import with_fewer_ended
from bpfexit.model.filter import Filter
from bpfexit.model.guest import Guest, guests_size, newcomers
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
    return total_of(RecordingSource(path, wanted), begin_s, end_s)


def total_of(
    source: RecordingSource,
    begin_s: float | None = None,
    end_s: float | None = None,
    note: Callable[[Snapshot], object] = lambda _: None,
) -> Total:
    """Add up the same of a recording that is open, and close it; `note` is called with each."""
    adding = Adding(SUM_MEMORY)
    with closing(source):
        for snapshot in within(source, begin_s, end_s):
            adding.add(snapshot)
            note(snapshot)
    if not adding.intervals:
        raise BpfexitError(f"{source.path} has no interval in that window: {_covers(source)}")
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


def _covers(source: RecordingSource) -> str:
    """Say how long a recording is that was read to its end."""
    return f"it lasts {max(0.0, source.end - source.start):.1f} s"


class Adding:
    """Adds snapshots up, several at once: each merge sorts all rows of the sum so far."""

    def __init__(self, most: int | None = None, *, bounded: bool = False) -> None:
        """Add up; `most` is how many bytes the sum may take, roughly, where it is another's.

        `bounded` is for what may go on for ever: of the guests that ended, the sum keeps the
        last ones apart and adds up the others.
        """
        self._bounded = bounded
        self.intervals = 0
        self._most = most
        self._sum: Snapshot | None = None
        self._sum_size = 0
        self._waiting: list[Snapshot] = []
        self._waiting_size = 0
        self._guests: tuple[Guest, ...] = ()

    def add(self, snapshot: Snapshot) -> None:
        """Add one; the sum so far is made when what waits is half as large, so seldom enough.

        Raises `BpfexitError` when the sum takes more memory than it may.
        """
        self.intervals += 1
        size = snapshot.size + guests_size(newcomers(snapshot.guests, self._guests))
        self._guests = snapshot.guests
        if self._waiting and self._waiting_size + size > max(_LEAST_WAITING, self._sum_size // 2):
            self.sum()
        self._waiting.append(snapshot)
        self._waiting_size += size

    def sum(self) -> Snapshot:
        """Return everything so far as one snapshot; something must have been added."""
        if self._waiting:
            parts = [self._sum] if self._sum else []
            total = merged([*parts, *self._waiting])
            self._sum = with_fewer_ended(total) if self._bounded else total
            self._sum_size = self._sum.size + guests_size(self._sum.guests)
            self._waiting, self._waiting_size = [], 0
            self._check()
        if self._sum is None:
            raise ValueError("nothing was added")
        return self._sum

    def _check(self) -> None:
        if self._most is not None and self._sum_size > self._most:
            raise BpfexitError(
                f"the intervals take more than {self._most >> 20} MiB of memory when they are "
                "added up: choose some of the guests or exits with -p, -v or --reason"
            )


_LEAST_WAITING = 8 << 20
SUM_MEMORY = MEMORY
"""Bytes that the sum of a recording's intervals may take, as many as one of them."""

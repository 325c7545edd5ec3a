"""A recording: snapshots read back from JSON lines, gzip when the name ends in .gz.

A header line may come first, and again where a recorder appended to the file;
lines about guests come before the snapshots they are in.
"""

from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from bpfexit.errors import BpfexitError
from bpfexit.formats.json.recording import Header
from bpfexit.model.filter import Filter
from bpfexit.model.guest import Guest
from bpfexit.model.snapshot import Snapshot
from bpfexit.model.text import printable
from bpfexit.recording.entries import Entries
from bpfexit.recording.state import Known
from bpfexit.recording.wanted import Wanted


class RecordingSource:
    """The snapshots of a file, one after another."""

    def __init__(self, path: Path, wanted: Filter) -> None:
        """Open and read the first. Raises `BpfexitError` if it is not a recording."""
        self.path = path
        self._wanted = Wanted(wanted)
        self._entries = Entries(path)
        self.header: Header | None = None
        """The last header read; None for files of `top -j`."""
        self._known = Known()
        self._snapshots = self._read()
        self._ahead: Snapshot | None = None
        first = self._peek()
        if first is None:
            why = "".join(f" ({note})" for note in self._entries.notes())
            raise BpfexitError(
                f"{path} contains no complete interval{why}: make one with `bpfexit record`"
            )
        self._has_exit_events = first.origin.has_exit_events
        self.start = first.start
        """When the first snapshot began, unix time, s."""
        self.end = first.start
        """When the last one returned ended, unix time, s."""

    @property
    def cut(self) -> str | None:
        """How the file ends within a line or a compressed block, once it has been read."""
        return self._entries.cut

    @property
    def has_exit_events(self) -> bool:
        """Whether the first snapshot's back end has them."""
        return self._has_exit_events

    def next(self) -> Snapshot | None:
        """Return the next snapshot; None after the last."""
        snapshot = self._peek()
        self._ahead = None
        if snapshot is None:
            return None
        self.end = snapshot.start + snapshot.duration_s
        return self._wanted.kept(snapshot)

    def notes(self) -> list[str]:
        """Return, after the last snapshot, the damage and what of the filter is missing."""
        name = printable(str(self.path))
        return self._entries.notes() + [f"{name} has {clause}" for clause in self._wanted.missing()]

    def read(self) -> None:
        """Do nothing: intervals are as they were recorded."""

    def due(self) -> float | None:
        """Return how long the next snapshot lasted, s."""
        snapshot = self._peek()
        return snapshot.duration_s if snapshot else 0.0

    def measuring_cost(self) -> AbstractContextManager[None]:
        """Do nothing: the cost measured at the time is in the snapshots."""
        return nullcontext()

    def close(self) -> Snapshot | None:
        """Close the file."""
        self._snapshots.close()
        return None

    def _peek(self) -> Snapshot | None:
        """Read the next snapshot on demand, so that an error loses none before it."""
        if self._ahead is None:
            self._ahead = next(self._snapshots, None)
        return self._ahead

    def _read(self) -> Generator[Snapshot, None, None]:
        """Yield the snapshots; headers and guests are kept for those that follow."""
        for entry in self._entries.read():
            if isinstance(entry, Header):
                self.header = entry
                self._known = Known(entry.origin.facts)
            elif isinstance(entry, Guest):
                self._add(entry)
            else:
                yield self._known.put_into(entry)
            del entry  # before the next one is read

    def _add(self, guest: Guest) -> None:
        try:
            self._known.add(guest)
        except BpfexitError as error:
            raise BpfexitError(f"{self.path}, line {self._entries.line}: {error}") from None

"""A recording that is shown: any interval can be next, also one before."""

import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from pathlib import Path

from bpfexit.model.filter import Filter
from bpfexit.model.snapshot import Snapshot
from bpfexit.recording.lines import Lines
from bpfexit.recording.reader import RecordingSource

MEMORY = 64 << 20
"""Bytes of intervals that are kept, roughly; others are read again."""

_INTERVAL = b'{"schema":"bpfexit.snapshot/'


class Replay:
    """The intervals of a recording, from any one on."""

    def __init__(self, path: Path, wanted: Filter) -> None:
        """Open the recording and begin to count its intervals. Raises `BpfexitError`."""
        self._path, self._wanted = path, wanted
        self._source = RecordingSource(path, wanted)
        self._read = 0
        self._kept: OrderedDict[int, Snapshot] = OrderedDict()
        self._size = 0
        self._first_new = 1
        self.position = 0
        """The interval that was returned last, from 1; 0 before the first."""
        self.intervals = 0
        """How many there are; 0 until they have been counted."""
        self._counter = threading.Thread(target=self._count, daemon=True)
        self._counter.start()

    @property
    def has_exit_events(self) -> bool:
        """Whether the first interval's back end has them."""
        return self._source.has_exit_events

    def notes(self) -> list[str]:
        """Return the damage and what of the filter is missing."""
        return self._source.notes()

    def next(self) -> Snapshot | None:
        """Return the next interval; None after the last."""
        found = self._interval(self.position + 1)
        if found is None:
            self.intervals = self.position
            return None
        self.position += 1
        self._first_new = max(self._first_new, self.position + 1)
        return found

    def skip_to(self, number: int) -> Iterator[Snapshot]:
        """Make `number` the next interval; yield those before it that have never been returned."""
        for skipped in range(self._first_new, number):
            found = self._interval(skipped)
            if found is None:
                number = skipped
                break
            self.position, self._first_new = skipped, skipped + 1
            yield found
        self.position = number - 1

    def read(self) -> None:
        """Do nothing: nothing gets lost."""

    def due(self) -> float | None:
        """Return how long the next interval lasted, s."""
        number = self.position + 1
        if number in self._kept:
            return self._kept[number].duration_s
        return self._source.due() if self._read == self.position else 0.0

    def measuring_cost(self) -> AbstractContextManager[None]:
        """Do nothing: the cost measured at the time is in the snapshots."""
        return nullcontext()

    def close(self) -> Snapshot | None:
        """Close the file."""
        return self._source.close()

    def _interval(self, number: int) -> Snapshot | None:
        if number in self._kept:
            return self._kept[number]
        if number <= self._read:
            self._source.close()
            self._source, self._read = RecordingSource(self._path, self._wanted), 0
        while self._read < number:
            found = self._source.next()
            if found is None:
                return None
            self._read += 1
            self._keep(self._read, found)
        return self._kept[number]

    def _keep(self, number: int, snapshot: Snapshot) -> None:
        if number not in self._kept:
            self._kept[number] = snapshot
            self._size += snapshot.size
        while self._size > MEMORY and len(self._kept) > 1:
            first = next(each for each in self._kept if each != number)
            self._size -= self._kept.pop(first).size

    def _count(self) -> None:
        with suppress(OSError), open(self._path, "rb", buffering=0) as file:
            lines = Lines(partial(os.read, file.fileno()), self._path.suffix == ".gz")
            number = sum(line.data.startswith(_INTERVAL) for line in lines)
            self.intervals = self.intervals or number

"""The counters in the kernel's maps: read, and freed when their threads have ended."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.guest import Identity
from bpfexit.model.sample import Difference, Sample, difference, joined_differences
from bpfexit.model.structs import as_bytes, taken
from bpfexit.tracer import loader
from bpfexit.tracer.loader import Programs
from bpfexit.tracer.mmap_rows import copied_changes, copied_vcpus, restart_maxima, windows
from bpfexit.tracer.slots import FreeList, RowIndex, ended_slots, rows_of


class Counters:
    """Rows and vCPUs in the kernel, and a copy of the rows as of the last reading.

    `bpf_programs/wire.h` defines the order in which the fields may be read.
    """

    def __init__(self, programs: Programs, max_rows: int) -> None:
        """Make all rows and slots free. Raises `BpfexitError`."""
        maps = programs.maps
        self._programs = programs
        self._vcpus = programs.vcpus
        self._rows_fd = maps[loader.ROWS].fd
        self._slots_full = maps[loader.SLOTS_FULL]
        self._rows = np.zeros(max_rows, programs.row)
        self._row_index = RowIndex(maps[loader.ROW_INDEX])
        self._free_rows = FreeList(maps[loader.FREE_ROWS])
        self._free_rows.push(range(max_rows - 1, -1, -1))
        self._free_slots = FreeList(maps[loader.FREE_SLOTS])
        self._free_slots.push(range(len(self._vcpus) - 1, -1, -1))
        self._rows_used = self._slots_used = 0
        self._slots_lock = threading.Lock()

    def ended_slots(self) -> NDArray[np.intp]:
        """Return the slots of threads that have ended, before their rows are read the last time."""
        return ended_slots(self._vcpus)

    def read_rows(self) -> Difference:
        """Return what has happened in the rows since the last reading, and update their copy.

        Rows are read in windows, one after another, so that little memory is needed besides the
        copy.
        """
        parts = []
        for first, shared in self._shared_rows():
            before = self._rows[first : first + len(shared)]
            changed, rows = copied_changes(shared, before)
            restart_maxima(shared, changed, rows)
            parts.append(difference(_taken(before, changed), rows))
            every = len(changed) == len(before)
            as_bytes(before)[... if every else changed] = as_bytes(rows)
        return joined_differences(parts)

    def sample(self, slow: NDArray[Any] | None = None) -> Sample:
        """Read the vCPUs, after rows and slow exits: whatever is in either has a slot."""
        vcpus = self.vcpus()
        slots_full = self._slots_full.sum_over_cpus(0)
        return Sample(time.monotonic_ns(), vcpus, slots_full, self._programs.missed(), slow)

    def vcpus(self) -> NDArray[Any]:
        """Read the vCPUs alone, those that have come since the last reading included."""
        taken = np.flatnonzero(self._vcpus["owner"])
        self._slots_used = max(self._slots_used, int(taken[-1]) + 1 if len(taken) else 0)
        return copied_vcpus(self._vcpus[: self._slots_used])

    def without_latency(self) -> int:
        """Return the exits and accesses without a latency, in all rows together."""
        return sum(int(shared["no_latency"].sum()) for _, shared in self._shared_rows())

    def give_back(self, slots: NDArray[np.intp], sample: Sample) -> None:
        """Clear slots of ended threads and their rows, here and in the kernel, for reuse.

        In this order: no program may find a row that is not cleared, or a slot that has rows. The
        vCPUs know how many rows are in use until all free ones are on the stack.
        """
        if not len(slots):
            return
        indexes = rows_of(self._rows[: self._rows_used], slots)
        self._row_index.delete(self._rows[indexes])
        for first, shared in self._shared_rows():
            here = indexes[(indexes >= first) & (indexes < first + len(shared))]
            shared[here - first] = np.zeros((), shared.dtype)
        self._rows[indexes] = np.zeros((), self._rows.dtype)
        self._free_rows.push(indexes[::-1].tolist())
        self._note_rows_used()  # they were most just before that: rows are taken meanwhile
        sample.vcpus[slots] = np.zeros((), sample.vcpus.dtype)
        with self._slots_lock:
            self._vcpus[slots] = np.zeros((), self._vcpus.dtype)
        self._free_slots.push(slots[::-1].tolist())

    def ignore(self, identity: Identity) -> None:
        """Stop the count of a process's vCPUs; another thread may call this.

        What they have counted since the last reading is no longer read.
        """
        with self._slots_lock:  # a slot that is given back may be another process's then
            vcpus = self._vcpus
            of_process = vcpus["owner"] >> 32 == identity.pid
            of_process &= vcpus["process_start"] == identity.started
            vcpus["traced"][of_process] = 0

    def _shared_rows(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield the rows in use from the kernel's memory, one window after another."""
        self._note_rows_used()
        return windows(self._rows_fd, self._rows.dtype, self._rows_used)

    def _note_rows_used(self) -> None:
        """See how many rows are in use: none lies beyond the most that ever were at a time.

        The vCPUs count a row before they take it, so it may be more, where none is free.
        """
        counted = min(int(self._vcpus["rows"].sum()), len(self._rows))
        self._rows_used = max(self._rows_used, counted)


def _taken(rows: NDArray[Any], indexes: NDArray[np.intp]) -> NDArray[Any]:
    """Return the rows at these ascending indexes; without a copy if these are all."""
    return rows if len(indexes) == len(rows) else taken(rows, indexes)

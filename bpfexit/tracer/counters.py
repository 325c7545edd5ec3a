"""The counters in the kernel's maps: read, and given back when their threads have ended."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.sample import Difference, Sample, difference, joined_differences
from bpfexit.tracer import loader
from bpfexit.tracer.loader import Programs
from bpfexit.tracer.mmap_rows import copied_changes, copied_vcpus, plain, restart_maxima, windows
from bpfexit.tracer.slots import FreeList, RowIndex, ended_slots, rows_of


class Counters:
    """Rows and vCPUs as the kernel has them, and a copy of the rows as they were last read.

    `bpf_programs/wire.h` tells in which order the fields may be read.
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

    def ended_slots(self) -> NDArray[np.intp]:
        """Return the slots of threads that have ended, before their rows are read a last time."""
        return ended_slots(self._vcpus)

    def read_rows(self) -> Difference:
        """Return what has happened in the rows since the last reading, of which one copy is kept.

        A window after the other, so that little else than that copy takes memory.
        """
        parts = []
        for first, shared in self._shared_rows():
            before = self._rows[first : first + len(shared)]
            at, rows = copied_changes(shared, before)
            restart_maxima(shared, at, rows)
            parts.append(difference(plain(before)[at].view(rows.dtype), rows))
            plain(before)[at] = plain(rows)
        return joined_differences(parts)

    def sample(self, slow: NDArray[Any] | None = None) -> Sample:
        """Read the vCPUs. After rows and slow exits: whoever is in either has a slot."""
        taken = np.flatnonzero(self._vcpus["owner"])
        self._slots_used = max(self._slots_used, int(taken[-1]) + 1 if len(taken) else 0)
        vcpus = copied_vcpus(self._vcpus[: self._slots_used])
        slots_full = self._slots_full.sum_over_cpus(0)
        return Sample(time.monotonic_ns(), vcpus, slots_full, self._programs.missed(), slow)

    def without_latency(self) -> int:
        """Return the exits and accesses without a latency, in all rows together."""
        return sum(int(shared["no_latency"].sum()) for _, shared in self._shared_rows())

    def give_back(self, slots: NDArray[np.intp], sample: Sample) -> None:
        """Clear slots of ended threads and their rows, here and in the kernel, for others to use.

        In this order: nobody may find a row that is not cleared, nor a slot that has rows; and
        the vCPUs know how many rows are in use until all that are free are on the stack.
        """
        if not len(slots):
            return
        places = rows_of(self._rows[: self._rows_used], slots)
        self._row_index.delete(self._rows[places])
        for first, shared in self._shared_rows():
            here = places[(places >= first) & (places < first + len(shared))]
            shared[here - first] = np.zeros((), shared.dtype)
        self._rows[places] = np.zeros((), self._rows.dtype)
        self._free_rows.push(places[::-1].tolist())
        self._note_rows_used()  # they were most just before that: rows are taken meanwhile
        for vcpus in (self._vcpus, sample.vcpus):
            vcpus[slots] = np.zeros((), vcpus.dtype)
        self._free_slots.push(slots[::-1].tolist())

    def _shared_rows(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield the rows in use as the kernel has them, a window after the other."""
        self._note_rows_used()
        return windows(self._rows_fd, self._rows.dtype, self._rows_used)

    def _note_rows_used(self) -> None:
        """See how many rows are in use: none lies beyond the most that ever were at a time.

        The vCPUs count a row before they take it, so it may be more, where none is free.
        """
        counted = min(int(self._vcpus["rows"].sum()), len(self._rows))
        self._rows_used = max(self._rows_used, counted)

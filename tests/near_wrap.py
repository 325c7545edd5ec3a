"""bpfexit, with counters in the kernel that stand shortly before 2^32 when a row is taken.

`python -m tests.near_wrap ARGUMENT...`: buckets, of 32 bits, wrap within a few exits, and the
others, of 64 bits, need more than 32. `export` keeps the series of all guests for a day, to be
compared with what they did. Nothing else differs.
"""

from collections.abc import Iterable
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from bpfexit.__main__ import main
from bpfexit.tracer.counters import Counters
from bpfexit.tracer.loader import Programs
from bpfexit.tracer.mmap_rows import windows
from bpfexit.tracer.slots import FreeList

FIRST = 2**32 - 3
COUNTERS = ("no_latency", "total_ns", "user_count", "user_ns", "wait_ns", "user_wait_ns", "hist")


class _ReadyRows:
    """A free list of rows, which sets the counters of those that it gets."""

    def __init__(self, free: FreeList, counters: "NearWrap") -> None:
        self._free, self._counters = free, counters

    def push(self, indexes: Iterable[int]) -> None:
        """Push rows that are zero, after setting their counters."""
        rows = list(indexes)
        self._counters.preset(np.array(sorted(rows), np.intp))
        self._free.push(rows)


class NearWrap(Counters):
    """Counters whose rows begin at `FIRST`."""

    def __init__(self, programs: Programs, max_rows: int) -> None:
        super().__init__(programs, max_rows)
        self.preset(np.arange(max_rows))
        ready: Any = _ReadyRows(self._free_rows, self)
        self._free_rows = ready

    def preset(self, indexes: NDArray[np.intp]) -> None:
        """Set the counters of free rows, in the kernel and in the copy of the last reading."""
        for first, shared in windows(self._rows_fd, self._rows.dtype, len(self._rows)):
            here = indexes[(indexes >= first) & (indexes < first + len(shared))]
            for name in COUNTERS:
                shared[name][here - first] = FIRST
        for name in COUNTERS:
            self._rows[name][indexes] = FIRST


if __name__ == "__main__":
    with (
        mock.patch("bpfexit.exporting.roster.KEPT_S", 24 * 3600.0),
        mock.patch("bpfexit.exporting.roster.MOST_ENDED", 10**6),
        mock.patch("bpfexit.tracer.source.Counters", NearWrap),
    ):
        main()

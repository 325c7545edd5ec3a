"""Rows that a vCPU takes while those of an ended one are given back are read like all others."""

from collections.abc import Iterable
from contextlib import closing

import numpy as np
import pytest

from tests.bench.filled import FilledSource, threads

pytestmark = pytest.mark.usefixtures("needs_bpf", "needs_root")

KEYS = 4
ENDS, GOES_ON = 0, 1
LATE = slice(6, 8)
EXITS = 7


class TakingRows(FilledSource):
    """Two vCPUs: one ends, the other one takes two rows just before the first one's are free."""

    def __init__(self, owners: list[tuple[int, int]]) -> None:
        super().__init__(owners, KEYS)
        self._late = self._shared[LATE].copy()
        self._shared[LATE] = np.zeros((), self._shared.dtype)
        self._vcpus["rows"][GOES_ON] = KEYS - len(self._late)
        counters = self._counters
        # The stacks are full, since no program has taken anything from them.
        counters._free_rows.push = self._take_late  # type: ignore[method-assign]
        counters._free_slots.push = list  # type: ignore[method-assign,assignment]

    def end_first(self) -> None:
        self._vcpus["task"][ENDS] = 0

    def _take_late(self, indices: Iterable[int]) -> None:
        del indices
        self._vcpus["rows"][GOES_ON] = KEYS
        self._shared[LATE] = self._late
        self.count(LATE)

    def count(self, rows: slice) -> None:
        self._shared["no_latency"][rows] += np.uint64(EXITS)
        self._shared["seq"][rows] += np.uint64(2)


def test_they_are_read() -> None:
    with threads(1, 2) as owners, closing(TakingRows(owners)) as source:
        source.count(slice(0, 6))
        assert source.next().exits == 6 * EXITS
        source.end_first()
        assert source.next().exits == 0
        assert source.next().exits == 2 * EXITS

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
        self.free_again: set[int] = set()
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
        self.free_again = {int(index) for index in indices}
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


def test_a_long_interval_is_read_in_between_and_gives_rows_back_then() -> None:
    with threads(1, 2) as owners, closing(TakingRows(owners)) as source:
        source.count(slice(0, 6))
        source.read()
        source.end_first()
        source.read()
        assert source.free_again == {0, 1, 2, 3}
        assert source.next().exits == 8 * EXITS
        assert source.next().exits == 0

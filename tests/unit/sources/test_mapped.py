"""Rows are read whole while another writes them."""

import mmap
import os
from collections.abc import Iterator
from itertools import chain, repeat
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.sources.mapped import copied, mapped_array, restart_maxima
from tests.unit import wire

ROW = wire.struct("row")
ROWS = 3


def writing(row: Any) -> Iterator[None]:
    """Write a row as `count_exit` of rows.h does, over and over, one store at a step."""
    while True:
        row["seq"] += 1
        yield
        row["count"] += 1
        yield
        row["total_ns"] += 10
        yield
        row["max_ns"] = 10
        row["hist"][0] += 1
        yield
        row["seq"] += 1
        yield


class Shared(np.ndarray[Any, Any]):
    """An array that a writer changes between one access and the next, and in their midst."""

    steps: Iterator[int]
    writers: Any

    def write(self) -> None:
        for _ in range(next(self.steps)):
            for writer in self.writers:
                next(writer)

    def torn(self, at: Any) -> Any:
        """Copy field by field, with the writer at work in between."""
        plain = self.view(np.ndarray)
        copy = plain[at].copy()
        for name in ROW.names or ():
            self.write()
            copy[name] = plain[name][at]
        return copy

    def __getitem__(self, at: Any) -> Any:
        self.write()
        if isinstance(at, str):
            return self.view(np.ndarray)[at].copy()
        return self.torn(at)

    def copy(self, order: Any = "C") -> Any:
        del order
        return self.torn(slice(None))


def shared(steps: Iterator[int], busy: int = ROWS) -> Shared:
    array = np.zeros(ROWS, ROW).view(Shared)
    array.steps = steps
    array.writers = [writing(array.view(np.ndarray)[at : at + 1][0]) for at in range(busy)]
    return array


def is_whole(row: Any) -> bool:
    return bool(
        row["seq"] % 2 == 0
        and row["total_ns"] == 10 * row["count"]
        and row["hist"][0] == row["count"]
        and row["seq"] == 2 * row["count"]
    )


@given(st.lists(st.integers(0, 3), max_size=60))
def test_a_row_is_copied_as_it_is_between_two_writes(steps: list[int]) -> None:
    found = copied(shared(chain(steps, repeat(0))), np.zeros(0, ROW))
    assert all(is_whole(row) for row in found)


def test_a_row_that_rests_at_last_is_copied_as_it_is_then() -> None:
    # 25 steps: five writes, whose last one ends long before the retries do.
    found = copied(shared(chain(repeat(1, 25), repeat(0))), np.zeros(0, ROW))
    assert found["count"].tolist() == [5] * ROWS


def test_a_row_that_never_rests_is_as_it_was_before() -> None:
    before = np.zeros(1, ROW)
    before["count"], before["seq"] = 7, 14
    found = copied(shared(repeat(1), busy=2), before)
    assert found["count"].tolist() == [7, 0, 0]
    assert found["seq"].tolist() == [14, 0, 0]


def test_a_row_left_in_the_midst_of_a_write_is_as_it_was_before() -> None:
    half = np.zeros(2, ROW)
    half["seq"], half["count"] = [3, 4], [2, 2]
    found = copied(half, np.zeros(2, ROW))
    assert found["count"].tolist() == [0, 2]
    assert half["count"].tolist() == [2, 2]


def test_a_copy_does_not_change_with_what_was_copied() -> None:
    array = np.zeros(2, ROW)
    found = copied(array, array[:0])
    array["count"] = 5
    assert found["count"].tolist() == [0, 0]
    assert len(copied(array[:0], array[:0])) == 0


def test_starting_new_maxima_touches_nothing_else() -> None:
    generator = np.random.default_rng(1)
    array = np.frombuffer(generator.bytes(4 * ROW.itemsize), ROW).copy()
    array["max_ns"] = [0, 5, 6, 0]
    copy = array.copy()
    array["max_ns"][0] = 9  # an exit that ended since: not in the copy, so not to be lost
    restart_maxima(array, copy)
    assert array["max_ns"].tolist() == [9, 0, 0, 0]
    for name in set(ROW.names or ()) - {"max_ns"}:
        assert (array[name] == copy[name]).all()
    assert copy["max_ns"].tolist() == [0, 5, 6, 0]


def test_a_mapped_array_is_the_file_itself() -> None:
    length = 9
    fd = os.memfd_create("rows")
    try:
        pages = -(-length * ROW.itemsize // mmap.PAGESIZE)
        os.ftruncate(fd, pages * mmap.PAGESIZE)
        array = mapped_array(fd, ROW, length)
        assert len(array) == length
        array["max_ns"][length - 1] = 11
        (offset,) = (found[1] for name, found in (ROW.fields or {}).items() if name == "max_ns")
        at = (length - 1) * ROW.itemsize + offset
        assert int.from_bytes(os.pread(fd, 8, at), "little") == 11
        os.pwrite(fd, (12).to_bytes(8, "little"), at)
        assert array["max_ns"][length - 1] == 12
    finally:
        os.close(fd)

"""Rows are read whole while another writes them."""

import mmap
import os
from collections.abc import Iterator
from itertools import accumulate, chain, product, repeat
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bpfexit.tracer.mmap_rows import (
    copied_changes,
    copied_vcpus,
    mapped_array,
    restart_maxima,
    windows,
)
from tests.unit import wire

ROW = wire.struct("row")
ROWS = 3


def writing(row: Any) -> Iterator[None]:
    """Write a row as `count_exit` of rows.h does, over and over, one store at a step."""
    while True:
        row["seq"] += 1
        yield
        row["no_latency"] += 1
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
    struct = ROW

    def __array_finalize__(self, of: Any) -> None:
        """Keep the writer at work in an array of the same memory."""
        vars(self).update(vars(of) if isinstance(of, Shared) else {})

    def write(self) -> None:
        for _ in range(next(self.steps)):
            for writer in self.writers:
                next(writer)

    def torn(self, at: Any) -> Any:
        """Copy field by field, with the writer at work in between."""
        plain = self.view(np.ndarray).view(self.struct)
        copy = plain[at].copy()
        for name in self.struct.names or ():
            self.write()
            copy[name] = plain[name][at]
        return copy.view(self.dtype)

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
        and row["total_ns"] == 10 * row["no_latency"]
        and row["hist"][0] == row["no_latency"]
        and row["seq"] == 2 * row["no_latency"]
    )


@given(st.lists(st.integers(0, 3), max_size=60))
def test_a_row_is_copied_as_it_is_between_two_writes(steps: list[int]) -> None:
    _, found = copied_changes(shared(chain(steps, repeat(0))), np.zeros(ROWS, ROW))
    assert all(is_whole(row) for row in found)


@given(st.lists(st.integers(0, 3), max_size=200), st.integers(1, 4))
def test_copies_one_after_another_tell_of_every_write(steps: list[int], times: int) -> None:
    array = shared(chain([5], steps, repeat(0)))
    before = np.zeros(ROWS, ROW)
    for _ in range(times):
        at, found = copied_changes(array, before)
        assert (found["no_latency"] > before["no_latency"][at]).all()
        before[at] = found
    array.steps = repeat(0)
    rest = array.view(np.ndarray)
    whole = rest["seq"] % 2 == 0
    at, found = copied_changes(array, before)
    before[at] = found
    assert (before[whole] == rest[whole]).all()


def test_a_row_that_rests_at_last_is_copied_as_it_is_then() -> None:
    # 25 steps: five writes, whose last one ends long before the retries do.
    at, found = copied_changes(shared(chain(repeat(1, 25), repeat(0))), np.zeros(ROWS, ROW))
    assert at.tolist() == list(range(ROWS))
    assert found["no_latency"].tolist() == [5] * ROWS


def test_a_row_that_never_rests_is_left_for_the_next_copy() -> None:
    array = shared(chain([5], repeat(1)), busy=1)
    array.view(np.ndarray)["seq"][2] = 8
    at, _ = copied_changes(array, np.zeros(ROWS, ROW))
    assert at.tolist() == [2]


def test_a_row_left_in_the_midst_of_a_write_is_left_out() -> None:
    half = np.zeros(2, ROW)
    half["seq"], half["no_latency"] = [3, 4], [2, 2]
    at, found = copied_changes(half, np.zeros(2, ROW))
    assert (at.tolist(), found["no_latency"].tolist()) == ([1], [2])
    assert half["no_latency"].tolist() == [2, 2]


def test_a_row_that_was_not_written_is_left_out() -> None:
    array = np.zeros(3, ROW)
    array["seq"] = [2, 4, 2]
    before = array.copy()
    array["seq"][1], array["no_latency"][1] = 6, 3
    at, found = copied_changes(array, before)
    assert (at.tolist(), found["no_latency"].tolist()) == ([1], [3])
    assert [len(each) for each in copied_changes(array[:0], before[:0])] == [0, 0]


def test_a_copy_does_not_change_with_what_was_copied() -> None:
    array = np.zeros(2, ROW)
    array["seq"] = 2
    _, found = copied_changes(array, np.zeros(2, ROW))
    array["no_latency"] = 5
    assert found["no_latency"].tolist() == [0, 0]


def test_starting_new_maxima_touches_nothing_else() -> None:
    generator = np.random.default_rng(1)
    array = np.frombuffer(generator.bytes(5 * ROW.itemsize), ROW).copy()
    array["max_ns"] = [0, 5, 6, 0, 7]
    at = np.array([0, 1, 2, 3])
    rows = array[at]
    before = array.copy()
    array["max_ns"][0] = 9  # an exit that ended since: not in the copy, so not to be lost
    restart_maxima(array, at, rows)
    assert array["max_ns"].tolist() == [9, 0, 0, 0, 7]
    for name in set(ROW.names or ()) - {"max_ns"}:
        assert (array[name] == before[name]).all()


@pytest.mark.parametrize("length", [0, 1, 64, 40_000])
def test_windows_are_all_of_the_file_in_order(length: int) -> None:
    fd = os.memfd_create("rows")
    try:
        array = np.zeros(length, ROW)
        array["no_latency"] = range(length)
        os.write(fd, bytes(-(-max(1, array.nbytes) // mmap.PAGESIZE) * mmap.PAGESIZE))
        os.pwrite(fd, array.tobytes(), 0)
        parts = [(first, part["no_latency"].tolist()) for first, part in windows(fd, ROW, length)]
        assert [first for first, _ in parts] == [0, *accumulate(len(c) for _, c in parts)][:-1]
        assert [count for _, counts in parts for count in counts] == list(range(length))
        assert all(len(counts) * ROW.itemsize <= 1 << 20 for _, counts in parts)
    finally:
        os.close(fd)


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


VCPU = wire.struct("vcpu")


def living(vcpu: Any) -> Iterator[None]:
    """Write a vCPU as new_vcpu(), exits and the end of its thread do, one store at a step."""
    for name in ("vcpu_id", "traced", "task", "owner"):
        vcpu[name] = 7
        yield
    for _ in range(3):
        vcpu["exit_ns"] = 1
        yield
        vcpu["guest_ns"] += 1
        yield
        vcpu["exit_ns"] = 0
        yield
    vcpu["task"] = 0
    while True:
        yield


class SharedVcpus(Shared):
    """Copies one field of all after the other, last first: nobody promises an order."""

    def torn(self, at: Any) -> Any:
        array = self.view(np.ndarray)
        copy = array[at].copy()
        for name in reversed(VCPU.names or ()):
            self.write()
            copy[name] = array[name][at]
        return copy


STORES = 14
"""Of one vCPU's whole life."""
ACCESSES = 2 + 2 * len(VCPU.names or ())


@pytest.mark.parametrize("before", range(STORES))
def test_a_vcpu_is_copied_when_it_is_set_up_and_ended_when_it_changes_no_more(before: int) -> None:
    for access, burst in product(range(1, ACCESSES), range(1, STORES - before + 1)):
        assert_copied([before, *[0] * (access - 1), burst])


def assert_copied(steps: list[int]) -> None:
    """Copy vCPUs twice while so many stores are made before each access to them."""
    array = np.zeros(1, VCPU).view(SharedVcpus)
    array.steps = chain(steps, repeat(0))
    plain = array.view(np.ndarray)
    array.writers = [living(plain[:1][0])]
    for _ in range(2):
        vcpus = copied_vcpus(array)
        unset = vcpus["owner"] == 0
        assert not any(vcpus[unset].tobytes())
        assert (vcpus["vcpu_id"][~unset] == 7).all()
        assert (vcpus["traced"][~unset] == 7).all()
        ended = ~unset & (vcpus["task"] == 0)
        assert not vcpus["exit_ns"][ended].any()
        assert (vcpus["guest_ns"][ended] == 3).all()

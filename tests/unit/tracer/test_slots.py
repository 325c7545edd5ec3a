"""What ended threads had is found, and goes back in an order that keeps the lowest on top."""

import errno
import os
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from bpfexit.errors import BpfexitError
from bpfexit.tracer.maps import Map
from bpfexit.tracer.slots import FreeList, RowIndex, ended_slots, rows_of, vcpu_slots
from tests.unit import wire

C = wire.defines()


class Table(Map):
    """A map that keeps what is done with it, and raises an error where it has one."""

    def __init__(self, error: OSError | None = None) -> None:
        self.pushed: list[int] = []
        self.deleted: list[tuple[int, int]] = []
        self._error = error

    def push(self, numbers: Iterable[int]) -> None:
        self.pushed += numbers
        if self._error:
            raise self._error

    def delete(self, key: bytes) -> None:
        self.deleted.append((int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")))
        if self._error:
            raise self._error


def row_of(slot: int, reason: int) -> int:
    return reason << C["REASON_SHIFT"] | (slot + 1) << C["SLOT_SHIFT"]


def test_only_slots_in_use_whose_thread_is_gone_have_ended() -> None:
    vcpus = np.zeros(4, wire.struct("vcpu"))
    vcpus["owner"] = [0, 5, 6, 7]
    vcpus["task"] = [0, 9, 0, 0]
    assert ended_slots(vcpus).tolist() == [2, 3]


class Starting(np.ndarray[Any, Any]):
    """vCPUs that are set up between the first access and the next: `task`, then `owner`."""

    def __getitem__(self, at: Any) -> Any:
        plain = self.view(np.ndarray)
        found = plain[at].copy()
        plain["task"], plain["owner"] = 9, 5
        return found


def test_a_vcpu_that_starts_meanwhile_has_not_ended() -> None:
    assert ended_slots(np.zeros(1, wire.struct("vcpu")).view(Starting)).tolist() == []


def test_the_rows_of_slots_are_found_and_free_ones_are_nobodys() -> None:
    rows = np.zeros(6, wire.struct("row"))
    rows["packed_key"] = [row_of(0, 1), row_of(2, 1), 0, row_of(2, 9), row_of(1, 2**32 - 1), 0]
    assert rows_of(rows, np.array([2])).tolist() == [1, 3]
    assert rows_of(rows, np.array([0, 1])).tolist() == [0, 4]
    assert rows_of(rows, np.array([], np.intp)).tolist() == []
    assert rows_of(rows[:0], np.array([2])).tolist() == []


def test_indices_are_pushed_one_after_another() -> None:
    table = Table()
    FreeList(table).push([3, 1, 0])
    assert table.pushed == [3, 1, 0]


def test_a_free_list_that_takes_nothing_is_an_error() -> None:
    with pytest.raises(BpfexitError, match=r"free list .* \(Cannot allocate memory\)"):
        FreeList(Table(OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)))).push([0])


def test_the_keys_of_rows_are_forgotten() -> None:
    rows = np.zeros(2, wire.struct("row"))
    rows["packed_key"], rows["target"] = [row_of(3, 30), row_of(3, 2**32 - 1)], [0x608, 2**64 - 1]
    for table in (Table(), Table(FileNotFoundError())):  # a key may never have been there
        RowIndex(table).delete(rows)
        assert table.deleted == [(row_of(3, 30), 0x608), (row_of(3, 2**32 - 1), 2**64 - 1)]


@pytest.mark.parametrize(
    ("cpus", "slots"), [(1, 1024), (64, 1024), (65, 2048), (640, 16384), (10**6, 65536)]
)
def test_the_room_for_vcpus_follows_the_host(cpus: int, slots: int) -> None:
    assert vcpu_slots(cpus) == slots

"""What ended threads had is found, and goes back in an order that keeps the lowest on top."""

import ctypes
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bpfexit.errors import BpfexitError
from bpfexit.tracer.slots import FreeList, RowIndex, ended_slots, rows_of, vcpu_slots
from tests.unit import wire

C = wire.defines()
TABLE = SimpleNamespace(map_fd=7)


class Library:
    """The two calls into the kernel, kept."""

    def __init__(self, refuses: bool = False) -> None:
        self.pushed: list[tuple[int, int]] = []
        self.deleted: list[tuple[int, int]] = []
        self._result = -1 if refuses else 0

    def bpf_update_elem(self, fd: int, key: None, value: Any, flags: int) -> int:
        assert (key, flags) == (None, 0)
        self.pushed.append((fd, ctypes.cast(value, ctypes.POINTER(ctypes.c_uint32))[0]))
        return self._result

    def bpf_delete_elem(self, fd: int, key: Any) -> int:
        assert fd == TABLE.map_fd
        packed_key, target = ctypes.cast(key, ctypes.POINTER(ctypes.c_uint64))[0:2]
        self.deleted.append((packed_key, target))
        return 0


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
    library = Library()
    FreeList(library, TABLE).push([3, 1, 0])
    assert library.pushed == [(7, 3), (7, 1), (7, 0)]


def test_a_free_list_that_takes_nothing_is_an_error() -> None:
    with pytest.raises(BpfexitError, match="room"):
        FreeList(Library(refuses=True), TABLE).push([0])


def test_the_keys_of_rows_are_forgotten() -> None:
    library = Library()
    rows = np.zeros(2, wire.struct("row"))
    rows["packed_key"], rows["target"] = [row_of(3, 30), row_of(3, 2**32 - 1)], [0x608, 2**64 - 1]
    RowIndex(library, TABLE).delete(rows)
    assert library.deleted == [(row_of(3, 30), 0x608), (row_of(3, 2**32 - 1), 2**64 - 1)]


@pytest.mark.parametrize(
    ("cpus", "slots"), [(1, 1024), (64, 1024), (65, 2048), (640, 16384), (10**6, 65536)]
)
def test_the_room_for_vcpus_follows_the_host(cpus: int, slots: int) -> None:
    assert vcpu_slots(cpus) == slots

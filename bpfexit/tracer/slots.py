"""The room in the kernel's arrays: what entries are free, and how those of ended threads become so.

An array's free indices are on a stack in the kernel, from which the programs take them. Since
the last one put there is taken first, only as many are ever in use as once were at a time:
those in use lie below that number.
"""

import ctypes
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.errors import BpfexitError
from bpfexit.model.sample import slots_of

_VCPUS_A_CPU = 16
_LEAST_VCPUS, _MOST_VCPUS = 1 << 10, 1 << 16
"""At most 2^16: slot hints in the programs have 16 bits."""


def vcpu_slots(cpus: int) -> int:
    """Return for how many vCPU threads there is room on a host of so many CPUs.

    Hosts run some vCPUs a CPU; 16 are more than any runs well. It is a power of two,
    since slots are masked in the programs. A slot takes 300 bytes.
    """
    wanted = 1 << (cpus * _VCPUS_A_CPU - 1).bit_length()
    return min(max(wanted, _LEAST_VCPUS), _MOST_VCPUS)


class FreeList:
    """The free indices of an array: a stack in the kernel."""

    def __init__(self, library: Any, table: Any) -> None:
        self._push = library.bpf_update_elem
        self._fd = table.map_fd

    def push(self, indices: Iterable[int]) -> None:
        """Put indices there; the last one is taken first. Raises `BpfexitError`."""
        index = ctypes.c_uint32()
        pointer = ctypes.byref(index)
        for value in indices:
            index.value = value
            if self._push(self._fd, None, pointer, 0) != 0:
                raise BpfexitError(
                    "the kernel refused to note what room its maps have; is it out of memory?"
                )


class RowIndex:
    """The hash from a key to the index of its row."""

    def __init__(self, library: Any, table: Any) -> None:
        self._delete = library.bpf_delete_elem
        self._fd = table.map_fd

    def delete(self, rows: NDArray[Any]) -> None:
        """Forget the keys of these rows, struct row each."""
        key = (ctypes.c_uint64 * 2)()
        for packed_key, target in zip(
            rows["packed_key"].tolist(), rows["target"].tolist(), strict=True
        ):
            key[:] = [packed_key, target]
            self._delete(self._fd, ctypes.byref(key))


def ended_slots(vcpus: NDArray[Any]) -> NDArray[np.intp]:
    """Return the slots of threads that have ended: nothing is written there any longer.

    `owner` must be read first. A vCPU that starts meanwhile sets it last, so a `task` that
    is zero after that is one that has ended (`bpf_programs/wire.h` has the order of all fields).
    """
    used = np.flatnonzero(vcpus["owner"])
    ended: NDArray[np.intp] = used[vcpus["task"][used] == 0]
    return ended


def rows_of(rows: NDArray[Any], slots: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the places of the rows that are in use by these slots."""
    taken = np.flatnonzero(rows["packed_key"])
    return taken[np.isin(slots_of(rows["packed_key"][taken]), slots)]

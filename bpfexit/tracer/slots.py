"""Free entries in the kernel's arrays, and how those of ended threads are freed.

The free indexes of an array are on a stack in the kernel, from which the programs take them. The
index pushed last is taken first, so those in use lie below the largest number that was in use at a
time.
"""

import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.errors import BpfexitError
from bpfexit.model.sample import slots_of
from bpfexit.tracer.maps import Map

_KEY = struct.Struct("<QQ")
"""`struct row_key` of maps.h."""

_VCPUS_A_CPU = 16
_LEAST_VCPUS, _MOST_VCPUS = 1 << 10, 1 << 16
"""At most 2^16: slot hints in the programs have 16 bits."""


def vcpu_slots(cpus: int) -> int:
    """Return the number of slots for vCPU threads on a host with this many CPUs.

    16 per CPU are more than any host runs well. It is a power of two, because programs mask slots.
    A slot takes 300 bytes.
    """
    wanted = 1 << (cpus * _VCPUS_A_CPU - 1).bit_length()
    return min(max(wanted, _LEAST_VCPUS), _MOST_VCPUS)


class FreeList:
    """The free indices of an array: a stack in the kernel."""

    def __init__(self, stack: Map) -> None:
        self._map = stack

    def push(self, indices: Iterable[int]) -> None:
        """Push indexes; the last one is taken first. Raises `BpfexitError`."""
        try:
            self._map.push(indices)
        except OSError as error:
            raise BpfexitError(
                f"the kernel refused to fill the free list of a map ({error.strerror}); "
                "is it out of memory?"
            ) from None


class RowIndex:
    """The hash from a key to the index of its row."""

    def __init__(self, index: Map) -> None:
        self._map = index

    def delete(self, rows: NDArray[Any]) -> None:
        """Forget the keys of these rows, struct row each."""
        for packed_key, target in zip(
            rows["packed_key"].tolist(), rows["target"].tolist(), strict=True
        ):
            with suppress(FileNotFoundError):  # when the row was taken, the kernel had no memory
                self._map.delete(_KEY.pack(packed_key, target))


def ended_slots(vcpus: NDArray[Any]) -> NDArray[np.intp]:
    """Return the slots of threads that have ended: nothing is written there any longer.

    `owner` must be read first. A vCPU that starts meanwhile sets it last, so if `task` is zero
    afterwards, the thread has ended (`bpf_programs/wire.h` has the order of all fields).
    """
    used = np.flatnonzero(vcpus["owner"])
    ended: NDArray[np.intp] = used[vcpus["task"][used] == 0]
    return ended


def rows_of(rows: NDArray[Any], slots: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the indexes of the rows that these slots use."""
    taken = np.flatnonzero(rows["packed_key"])
    return taken[np.isin(slots_of(rows["packed_key"][taken]), slots)]

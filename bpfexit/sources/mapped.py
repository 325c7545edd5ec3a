"""Arrays of the kernel's, mapped into this process: read whole and without a system call."""

import mmap
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

_RETRIES = 50


def mapped_array(fd: int, dtype: np.dtype[Any], length: int) -> NDArray[Any]:
    """Map an array map (BPF_F_MMAPABLE, Linux 5.5) of `length` entries of `dtype`."""
    page = mmap.PAGESIZE
    size = (length * dtype.itemsize + page - 1) // page * page
    memory = mmap.mmap(fd, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    return np.frombuffer(memory, dtype, length)


def copied(shared: NDArray[Any], before: NDArray[Any]) -> NDArray[Any]:
    """Copy rows that the kernel may be writing, each as it was between two writes.

    A row's `seq` is odd while it is written and has changed afterwards. A row
    that stays busy keeps the value it has in `before`, shorter than `shared` or
    not, or zeros: what is new in it comes with the next copy.
    """
    seq = shared["seq"].copy()
    copy = shared.copy()
    torn = np.flatnonzero((seq & 1 != 0) | (seq != shared["seq"]))
    for _ in range(_RETRIES):
        if not len(torn):
            break
        time.sleep(0)
        seq = shared["seq"][torn]
        copy[torn] = shared[torn]
        torn = torn[(seq & 1 != 0) | (seq != shared["seq"][torn])]
    for at in torn:
        copy[at] = before[at] if at < len(before) else np.zeros((), copy.dtype)
    copy["max_ns"][torn] = 0  # it was told with `before`; the new one stays where it is
    return copy


def restart_maxima(shared: NDArray[Any], copy: NDArray[Any]) -> None:
    """Zero `max_ns` in the kernel's rows, where the copy has one.

    User space writes nothing else. The kernel stores a maximum only when it is
    larger, so the one thing that can go wrong is that an exit that ends between
    the copy and this store is missing from the next interval's maximum; the
    histogram still has it, and bounds the maximum (see `model.sample`).
    """
    shared["max_ns"][np.flatnonzero(copy["max_ns"])] = 0

"""Arrays of the kernel's, mapped into this process: read without a system call for each entry."""

import mmap
import time
from collections.abc import Iterator
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bpfexit.model.structs import taken

_RETRIES = 50
_VCPU_RETRIES = 8

_WINDOW = 1 << 20
"""Bytes of an array that are mapped and copied at once: more cost a page fault per page."""


def mapped_array(fd: int, dtype: np.dtype[Any], length: int, first: int = 0) -> NDArray[Any]:
    """Map `length` entries of an array map (BPF_F_MMAPABLE, Linux 5.5) from `first` on.

    `first` must lie where a page begins.
    """
    page = mmap.PAGESIZE
    size = (length * dtype.itemsize + page - 1) // page * page
    access, offset = mmap.PROT_READ | mmap.PROT_WRITE, first * dtype.itemsize
    memory = mmap.mmap(fd, size, mmap.MAP_SHARED, access, offset=offset)
    return np.frombuffer(memory, dtype, length)


def windows(fd: int, dtype: np.dtype[Any], length: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield the first `length` entries of an array map, a megabyte at a time: index, entries.

    All of a mapping is in this process's memory from the start, because its pages are the kernel's,
    and an array may have gigabytes.
    """
    whole_pages = lcm(mmap.PAGESIZE, dtype.itemsize) // dtype.itemsize
    step = max(1, _WINDOW // dtype.itemsize // whole_pages) * whole_pages
    for first in range(0, length, step):
        yield first, mapped_array(fd, dtype, min(step, length - first), first)


def copied_changes(
    shared: NDArray[Any], before: NDArray[Any]
) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Copy the rows written since `before`, each as it was between two writes: places, rows.

    The kernel may be writing: a row's `seq` is odd while it is written and has
    changed afterwards. A row that stays busy is left out: what is new in it comes
    with the next copy.
    """
    seq = shared["seq"].copy()
    changed = np.flatnonzero(seq != before["seq"])
    seq, rows = seq[changed], taken(shared, changed)
    torn = np.flatnonzero((seq & 1 != 0) | (seq != shared["seq"][changed]))
    for _ in range(_RETRIES):
        if not len(torn):
            return changed, rows
        time.sleep(0)
        seq = shared["seq"][changed[torn]]
        rows[torn] = taken(shared, changed[torn])
        torn = torn[(seq & 1 != 0) | (seq != shared["seq"][changed[torn]])]
    complete = np.ones(len(changed), bool)
    complete[torn] = False
    return changed[complete], rows[complete]


def copied_vcpus(shared: NDArray[Any]) -> NDArray[Any]:
    """Copy vCPUs, struct vcpu each, while their threads write; none that is not set up yet.

    In the order that `bpf_programs/wire.h` gives: `owner`, `task`, the rest. One that was not
    set up as the copy began is all zeros: what it has by now comes with the next copy. One
    that ended since then still has its thread: so what says that it has ended is final. The
    counters of one are from between two of its entries and exits, or, where those never are
    far enough apart, from some of these.
    """
    owner = shared["owner"].copy()
    task = shared["task"].copy()
    at = np.arange(len(shared))
    before, vcpus = _where(shared, at), shared.copy()
    for _ in range(_VCPU_RETRIES):
        at = at[_have_moved(before, _where(shared, at))]
        if not len(at):
            break
        before = _where(shared, at)
        vcpus[at] = shared[at]
    vcpus["owner"], vcpus["task"] = owner, task
    vcpus[owner == 0] = np.zeros((), vcpus.dtype)
    return vcpus


def _where(vcpus: NDArray[Any], at: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return `guest_ns` and `exit_ns`, which tell where vCPUs are and since when, shape (2, n)."""
    return np.stack([vcpus["guest_ns"][at].astype(np.int64), vcpus["exit_ns"][at].astype(np.int64)])


def _have_moved(before: NDArray[np.int64], after: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which vCPUs may have had an entry or exit meanwhile, or be amid one, shape (n,)."""
    guest_ns, exit_ns = after
    moved: NDArray[np.bool_] = (before != after).any(axis=0) | (guest_ns > 0) & (exit_ns == 0)
    return moved


def restart_maxima(shared: NDArray[Any], indexes: NDArray[np.intp], rows: NDArray[Any]) -> None:
    """Zero `max_ns` in the kernel's rows at these places, where the copied rows have one.

    User space writes nothing else in rows that are in use. The kernel stores a
    maximum only when it is larger, so the one thing that can go wrong is that an
    exit that ends between the copy and this store is missing from the next
    interval's maximum; the histogram still has it, and bounds the maximum (see
    `model.sample`).
    """
    shared["max_ns"][indexes[rows["max_ns"] != 0]] = 0

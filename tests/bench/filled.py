"""A kernel source whose maps this process fills itself, as so many vCPUs with so many rows would.

The maps are real ones, read as ever; the programs are loaded and not attached, so
nobody else writes. Threads of our own stand in for the vCPUs'.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import numpy as np

from bpfexit.events.access import Access
from bpfexit.events.pio import PIO
from bpfexit.guests.guests import Guests
from bpfexit.host import preflight
from bpfexit.model.filter import Filter
from bpfexit.model.histogram import BUCKETS, bucket_of
from bpfexit.model.sample import ACCESS_SHIFT, REASON_SHIFT, SIZE_SHIFT, SLOT_SHIFT
from bpfexit.tracer.loader import ROWS, Programs
from bpfexit.tracer.mmap_rows import mapped_array
from bpfexit.tracer.source import KernelSource

SVM_IO = 0x7B
PIO_READ = PIO | Access.READ << ACCESS_SHIFT
EXITS_A_ROW = 50
"""Exits that each row has more after `go_on`; their latencies fill some ten buckets."""

_THREADS = """
import sys, threading
ends = threading.Event()
threads = [threading.Thread(target=ends.wait, daemon=True) for _ in range(int(sys.argv[1]))]
for thread in threads: thread.start()
print(*(thread.native_id for thread in threads), flush=True)
sys.stdin.read()
"""


@contextmanager
def threads(processes: int, each: int) -> Iterator[list[tuple[int, int]]]:
    """Yield process and thread of so many idle threads."""
    pipe = subprocess.PIPE
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _THREADS, str(each)], stdin=pipe, stdout=pipe, text=True
        )
        for _ in range(processes)
    ]
    try:
        owners = []
        for process in running:
            assert process.stdout
            owners += [(process.pid, int(tid)) for tid in process.stdout.readline().split()]
        yield owners
    finally:
        for process in running:
            process.communicate()


class FilledSource(KernelSource):
    """Room for the vCPUs of these threads, each with as many rows."""

    def __init__(self, owners: list[tuple[int, int]], keys: int) -> None:
        ready = preflight.ready()
        rows = len(owners) * keys
        with mock.patch.object(Programs, "attach"):  # nobody else is to write
            super().__init__(ready.backend, ready.tracefs, Filter(), Guests(), rows)
        self._vcpus = self._programs.vcpus
        self._shared = mapped_array(self._programs.maps[ROWS].fd, self._programs.row, rows)
        assert len(owners) <= len(self._vcpus)
        self._take_slots(owners, keys)
        self._take_rows(keys)

    def _take_slots(self, owners: list[tuple[int, int]], keys: int) -> None:
        vcpus = self._vcpus[: len(owners)]
        vcpus["task"] = np.arange(len(owners)) + 1
        vcpus["owner"] = [pid << 32 | tid for pid, tid in owners]
        vcpus["guest_ns"] -= np.uint64(time.monotonic_ns())  # they are in the guest
        vcpus["vcpu_id"] = np.arange(len(owners)) % 100
        vcpus["isa"] = 2
        vcpus["traced"] = 1
        vcpus["rows"] = keys

    def _take_rows(self, keys: int) -> None:
        at = np.arange(len(self._shared), dtype=np.uint64)
        slots = at // np.uint64(keys) + np.uint64(1)
        access = np.uint64(SVM_IO << REASON_SHIFT | 4 << SIZE_SHIFT | PIO_READ)
        self._shared["packed_key"] = access | slots << np.uint64(SLOT_SHIFT)
        self._shared["target"] = at % np.uint64(keys) * np.uint64(8)

    def go_on(self, random: np.random.Generator) -> None:
        """Count some exits in each row, as the programs would; no two rows are alike."""
        rows = self._shared
        ns = random.lognormal(9, 0.6, (len(rows), EXITS_A_ROW)).astype(np.uint64)
        bucket = bucket_of(ns) + np.arange(len(rows))[:, None] * BUCKETS
        counts = np.bincount(bucket.ravel(), minlength=len(rows) * BUCKETS).astype(np.uint32)
        rows["seq"] += np.uint64(2)
        rows["hist"][:, :BUCKETS] += counts.reshape(-1, BUCKETS)
        rows["total_ns"] += ns.sum(axis=1)
        rows["max_ns"] = ns.max(axis=1)
        rows["user_count"] += random.integers(1, EXITS_A_ROW, len(rows)).astype(np.uint64)
        rows["user_ns"] += ns.sum(axis=1) // np.uint64(20)
        self._vcpus["guest_ns"] += np.uint64(1000)

"""Guests chosen by name: one that is wanted beside one that is not."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bpfexit.model.sample import slots_of
from bpfexit.tracer.source import KernelSource
from tests.counting import GUEST, next_line, started, write


@contextmanager
def done(name: str, *options: str) -> Iterator[dict[str, Any]]:
    """Run a guest; yield what it says it did, while its threads are still there."""
    with started([*GUEST, "--name", name, *options]) as guest:
        next_line(guest)
        write(guest, "\n")
        yield json.loads(next_line(guest))
        guest.communicate()


def until_ignored(source: KernelSource, pid: int) -> None:
    """Wait until the kernel counts no vCPU of a process."""
    while True:
        source.next()
        vcpus = source._counters.vcpus()
        of_process = vcpus[vcpus["owner"] >> np.uint64(32) == pid]
        if len(of_process) and not of_process["traced"].any():
            return
        time.sleep(0.01)


def counted_of(source: KernelSource, pid: int) -> int:
    """Return the exits in the kernel's rows of a process."""
    owners = source._counters.vcpus()["owner"] >> np.uint64(32)
    slots = np.flatnonzero(owners == pid)
    total = 0
    for _, rows in source._counters._shared_rows():
        own = rows[np.isin(slots_of(rows["packed_key"]), slots)]
        total += int(own["no_latency"].sum()) + int(own["hist"].sum())
    return total

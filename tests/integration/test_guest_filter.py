"""Guests chosen by name: the kernel stops counting the others, and counts all exits of these."""

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import numpy as np
import pytest

from bpfexit.model.filter import Filter
from bpfexit.model.sample import slots_of
from bpfexit.run.session import live_source
from bpfexit.tracer.source import KernelSource
from tests.counting import CONTROL_PORT, GUEST, next_line, started, write

pytestmark = pytest.mark.usefixtures("needs_bpf", "needs_kvm")

MIX = ("--mix", "pio-read-user=1")
EXITS = 1009


@pytest.fixture
def source() -> Iterator[KernelSource]:
    with closing(live_source(Filter(guests=("wanted*",)))) as opened:
        yield opened


@contextmanager
def running(name: str, *arguments: str) -> Iterator[int]:
    """Run a guest until the end of the context; yield its process."""
    with started([*GUEST, "--name", name, *MIX, *arguments]) as guest:
        ready = json.loads(next_line(guest))
        write(guest, "\n")
        try:
            yield int(ready["pid"])
        finally:
            guest.terminate()
            guest.communicate()


def count(name: str) -> None:
    """Run a guest that takes `EXITS` exits, and one at its end."""
    with started([*GUEST, "--name", name, *MIX, "--exits", str(EXITS)]) as guest:
        next_line(guest)
        write(guest, "\n")
        next_line(guest)
        guest.communicate()


def ports(source: KernelSource) -> dict[int, int]:
    """Return the exits since the last reading by port."""
    rows = source.next().rows
    return dict(zip(rows["address"].tolist(), rows["count"].tolist(), strict=True))


def until_ignored(source: KernelSource, pid: int) -> None:
    """Wait until the kernel counts no vCPU of a process."""
    while True:
        source.next()
        vcpus = source._counters.vcpus()
        of_process = vcpus[vcpus["owner"] >> np.uint64(32) == pid]
        if len(of_process) and not of_process["traced"].any():
            return
        time.sleep(0.01)


def test_a_wanted_guest_that_starts_later_has_all_of_its_exits(source: KernelSource) -> None:
    count("wanted-1")
    assert ports(source) == {0x608: EXITS, CONTROL_PORT: 1}
    count("other")
    assert ports(source) == {}
    count("wanted-2")
    assert ports(source) == {0x608: EXITS, CONTROL_PORT: 1}


def counted_of(source: KernelSource, pid: int) -> int:
    """Return the exits in the kernel's rows of a process."""
    owners = source._counters.vcpus()["owner"] >> np.uint64(32)
    slots = np.flatnonzero(owners == pid)
    return sum(
        int(rows["no_latency"][np.isin(slots_of(rows["packed_key"]), slots)].sum())
        for _, rows in source._counters._shared_rows()
    )


def test_the_kernel_counts_no_exit_of_the_others(source: KernelSource) -> None:
    with running("other") as pid:
        until_ignored(source, pid)
        before = counted_of(source, pid)
        count("wanted-1")
        assert counted_of(source, pid) == before
        snapshot = source.next()
        assert snapshot.exits == EXITS + 1
        assert {guest.name for guest in snapshot.guests} == {"wanted-1"}

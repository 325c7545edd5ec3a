"""Guests chosen by name: the kernel stops counting the others, and counts all exits of these."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from bpfexit.model.filter import Filter
from bpfexit.run.session import live_source
from bpfexit.tracer.source import KernelSource
from tests.counting import CONTROL_PORT, running
from tests.named_guests import counted_of, done, until_ignored

pytestmark = pytest.mark.usefixtures("needs_bpf", "needs_kvm")

MIX = ("--mix", "pio-read-user=1")
EXITS = 1009
COUNTED = (*MIX, "--exits", str(EXITS))


@pytest.fixture
def source() -> Iterator[KernelSource]:
    with closing(live_source(Filter(guests=("wanted*",)))) as opened:
        yield opened


def ports(source: KernelSource) -> dict[int, int]:
    """Return the exits since the last reading by port."""
    rows = source.next().rows
    return dict(zip(rows["address"].tolist(), rows["count"].tolist(), strict=True))


def test_a_wanted_guest_that_starts_later_has_all_of_its_exits(source: KernelSource) -> None:
    for name, exits in ("wanted-1", EXITS), ("other", 0), ("wanted-2", EXITS):
        with done(name, *COUNTED):
            assert ports(source) == ({0x608: exits, CONTROL_PORT: 1} if exits else {})


def test_the_kernel_counts_no_exit_of_the_others(source: KernelSource) -> None:
    with running(["--name", "other", *MIX]) as pid:
        until_ignored(source, pid)
        before = counted_of(source, pid)
        with done("wanted-1", *COUNTED):
            snapshot = source.next()
        assert counted_of(source, pid) == before
        assert snapshot.exits == EXITS + 1
        assert {guest.name for guest in snapshot.guests} == {"wanted-1"}

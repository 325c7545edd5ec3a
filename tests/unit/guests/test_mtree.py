"""`info mtree -f`: as QEMU 7.2 prints it, and whatever a hostile one may."""

from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from bpfexit.events.mmio import MMIO
from bpfexit.events.pio import PIO
from bpfexit.events.region import Region
from bpfexit.guests.maps import mtree
from bpfexit.guests.maps.mtree import regions

TEXT = """FlatView #0
 AS "I/O", root: io
 Root memory region: io
  0000000000000070-0000000000000070 (prio 0, i/o): rtc-index
  0000000000000071-0000000000000071 (prio 0, i/o): rtc @0000000000000001
  0000000000000072-000000000000007d (prio 0, i/o): io @0000000000000072
  0000000000000608-000000000000060b (prio 0, i/o): acpi-tmr
  000000000000c040-000000000000c07f (prio 1, i/o): virtio-pci

FlatView #1
 AS "memory", root: system
 AS "cpu-memory-0", root: system
 AS "virtio-blk-pci", root: bus master container
 Root memory region: system
  0000000000000000-00000000000bffff (prio 0, ram): pc.ram KVM
  00000000000c0000-00000000000c0fff (prio 0, rom): pc.ram @00000000000c0000 KVM
  00000000fee00000-00000000feefffff (prio 4096, i/o): kvm-apic-msi
  00000000ffc00000-00000000ffffffff (prio 0, romd): system.flash0 KVM
  00000000fffffff0-00000000ffffffff (prio -1, i/o): overlapping

FlatView #2
 AS "PIIX4_PM", root: bus master container
 Root memory region: (none)
  0000000000000608-000000000000060b (prio 0, i/o): not-the-processors
  No rendered FlatView
"""

FOUND = (
    Region(PIO, 0x70, 0x70, "rtc-index"),
    Region(PIO, 0x71, 0x71, "rtc+0x1"),
    Region(PIO, 0x608, 0x60B, "acpi-tmr"),
    Region(PIO, 0xC040, 0xC07F, "virtio-pci"),
    Region(MMIO, 0xFEE00000, 0xFEEFFFFF, "kvm-apic-msi"),
    Region(MMIO, 0xFFC00000, 0xFFFFFFFF, "system.flash0"),
)


def line(first: int, last: int, name: str) -> str:
    return f"  {first:016x}-{last:016x} (prio 0, i/o): {name}\r\n"


def test_what_is_emulated_for_the_processors_is_found() -> None:
    assert regions(TEXT) == FOUND


def test_line_ends_of_the_monitor_do_not_matter() -> None:
    assert regions(TEXT.replace("\n", "\r\n")) == FOUND


def test_a_port_beyond_the_last_and_a_region_that_ends_before_it_begins_are_none() -> None:
    head = 'FlatView #0\n AS "I/O", root: io\n'
    assert regions(head + line(0x10000, 0x10000, "a") + line(2, 1, "b") + line(3, 4, "c")) == (
        Region(PIO, 3, 4, "c"),
    )


def test_names_and_numbers_of_regions_are_bounded() -> None:
    many = "".join(line(0x1000 * at, 0x1000 * at, "a") for at in range(1, 20000))
    found = regions('FlatView #0\n AS "memory", root: x\n' + line(0, 0, "a" * 99) + many)
    assert len(found) == mtree.MAX_REGIONS
    assert max(len(each.name) for each in found) == mtree.MAX_NAME


def test_what_comes_after_the_limit_is_not_read() -> None:
    assert regions("x" * mtree.MAX_CHARACTERS + TEXT) == ()


@given(st.text(max_size=200) | st.lists(st.sampled_from(TEXT.splitlines(True))).map("".join))
@example("")
@example("FlatView #")
@example('FlatView #0\n AS "I/O", root: \x1b\n')
def test_anything_else_is_no_crash_and_what_is_found_is_in_order(text: str) -> None:
    found = regions(text)
    for before, after in pairwise(found):
        assert (before.kind, before.last) < (after.kind, after.first)

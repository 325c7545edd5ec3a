"""The platform map: what usually lies at an address of an x86 guest, and devices' registers.

It stands behind a guest's own memory map, which knows better; for MSRs, which no
memory map has, it is what there is.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from bpfexit.events.kind import Kind
from bpfexit.events.mmio import MMIO
from bpfexit.events.region import Region
from bpfexit.events.registry import VIEWS
from bpfexit.names.mmio import MEMORY_OF
from bpfexit.names.registers import REGISTERS

PLATFORM: tuple[Region, ...] = tuple(
    Region(view.kind, *each) for view in VIEWS for each in view.ranges
)
"""QEMU's. In order of kind and address, without overlap, as `Guest.regions` is."""

_OTHERS: dict[str, tuple[Region, ...]] = {
    vmm: (
        *(region for region in PLATFORM if region.kind < MMIO),
        *(Region(MMIO, *each) for each in ranges),
        *(region for region in PLATFORM if region.kind > MMIO),
    )
    for vmm, ranges in MEMORY_OF.items()
}


def platform(vmm: str) -> tuple[Region, ...]:
    """Return the platform that a VMM gives its guests; that of QEMU for one that is not known."""
    return _OTHERS.get(vmm, PLATFORM)


def region_at(regions: Sequence[Region], kind: Kind, address: int) -> Region | None:
    """Return the region that an address lies in; they must be in order of kind and address."""
    at = bisect_right(regions, (kind, address), key=lambda each: (each.kind, each.first)) - 1
    if at < 0:
        return None
    found = regions[at]
    return found if found.kind == kind and found.first <= address <= found.last else None


def described(region: Region, address: int) -> str:
    """Return a region's name, and which of its registers lies at that address if that is known.

    QEMU's `kvm-apic-msi` has the registers of an `apic-msi`.
    """
    offset = address - region.first
    ranges = REGISTERS.get(region.name.removeprefix("kvm-"), ())
    at = bisect_right(ranges, offset, key=lambda each: each[0]) - 1
    if at < 0 or offset > ranges[at][1]:
        return region.name
    return f"{region.name} {ranges[at][2]}"

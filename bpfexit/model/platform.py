"""The platform map: what is usually at an address of an x86 guest, and devices' registers.

A guest's own memory map takes precedence. No memory map contains MSRs, so this map alone names
them.
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
    Region(view.kind, *entry) for view in VIEWS for entry in view.ranges
)
"""QEMU's platform, in order of kind and address, without overlap, as `Guest.regions` is."""

_OTHERS: dict[str, tuple[Region, ...]] = {
    vmm: (
        *(region for region in PLATFORM if region.kind < MMIO),
        *(Region(MMIO, *entry) for entry in ranges),
        *(region for region in PLATFORM if region.kind > MMIO),
    )
    for vmm, ranges in MEMORY_OF.items()
}


def platform(vmm: str) -> tuple[Region, ...]:
    """Return the platform of a VMM; QEMU's if the VMM is unknown."""
    return _OTHERS.get(vmm, PLATFORM)


def region_at(regions: Sequence[Region], kind: Kind, address: int) -> Region | None:
    """Return the region that contains an address; they must be in order of kind and address."""
    index = (
        bisect_right(regions, (kind, address), key=lambda region: (region.kind, region.first)) - 1
    )
    if index < 0:
        return None
    region = regions[index]
    return region if region.kind == kind and region.first <= address <= region.last else None


def described(region: Region, address: int) -> str:
    """Return a region's name, followed by the register at that address if it is known.

    QEMU's `kvm-apic-msi` has the registers of an `apic-msi`.
    """
    offset = address - region.first
    ranges = REGISTERS.get(region.name.removeprefix("kvm-"), ())
    index = bisect_right(ranges, offset, key=lambda entry: entry[0]) - 1
    if index < 0 or offset > ranges[index][1]:
        return region.name
    return f"{region.name} {ranges[index][2]}"

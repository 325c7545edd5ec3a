"""The platform map: in order, and right where a header of this machine knows better."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from bpfexit.events.access import Kind
from bpfexit.names.platform import PLATFORM, described, region_at
from bpfexit.names.platform_tables import MSRS, REGISTERS
from bpfexit.names.region import Region

HEADER = Path("/usr/include/x86_64-linux-gnu/asm/kvm_para.h")


def test_the_map_is_in_order_and_nothing_overlaps() -> None:
    for before, after in pairwise(PLATFORM):
        assert (before.kind, before.last) < (after.kind, after.first)
    for each in PLATFORM:
        assert each.first <= each.last


@pytest.mark.parametrize("device", REGISTERS)
def test_no_registers_of_a_device_overlap(device: str) -> None:
    for (_, before, _), (after, _, _) in pairwise(REGISTERS[device]):
        assert before < after


@pytest.mark.parametrize(
    ("kind", "address", "name"),
    [
        (Kind.PIO, 0x40, "pit channel 0"),
        (Kind.PIO, 0x43, "pit mode"),
        (Kind.PIO, 0x71, "rtc"),
        (Kind.PIO, 0x3FD, "serial LSR"),
        (Kind.PIO, 0x608, "acpi-tmr"),
        (Kind.PIO, 0x60B, "acpi-tmr"),
        (Kind.PIO, 0xCFC, "pci-conf-data"),
        (Kind.MMIO, 0xFEC00010, "ioapic window"),
        (Kind.MMIO, 0xFED000F0, "hpet counter"),
        (Kind.MMIO, 0xFED000F4, "hpet counter"),
        (Kind.MMIO, 0xFED00128, "hpet timer 1 comparator"),
        (Kind.MMIO, 0xFEE00020, "apic ID"),
        (Kind.MMIO, 0xFEE00080, "apic TPR"),
        (Kind.MMIO, 0xFEE000B0, "apic EOI"),
        (Kind.MMIO, 0xFEE00300, "apic ICR"),
        (Kind.MMIO, 0xFEE00380, "apic timer init"),
        (Kind.MMIO, 0xFEE00390, "apic timer count"),
        (Kind.MMIO, 0xFEE00FF0, "apic"),
        (Kind.MMIO, 0xFEB00250, "virtio-mmio notify"),
        (Kind.MSR, 0x10, "TSC"),
        (Kind.MSR, 0x6E0, "TSC_DEADLINE"),
        (Kind.MSR, 0x80B, "x2apic EOI"),
        (Kind.MSR, 0x830, "x2apic ICR"),
        (Kind.MSR, 0x83F, "x2apic self IPI"),
        (Kind.MSR, 0x26F, "MTRRfix4K_F8000"),
        (Kind.MSR, 0x40000020, "HV_TIME_REF_COUNT"),
        (Kind.MSR, 0x400000B7, "HV_STIMER3_COUNT"),
        (Kind.MSR, 0xC0000102, "KERNEL_GS_BASE"),
        (Kind.MSR, 0xC0010015, "K7_HWCR"),
    ],
)
def test_what_is_where(kind: Kind, address: int, name: str) -> None:
    region = region_at(PLATFORM, kind, address)
    assert region
    assert described(region, address) == name


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        (Kind.PIO, 0x606),
        (Kind.PIO, 0xC050),
        (Kind.PIO, 0xFEE00000),
        (Kind.MMIO, 0x608),
        (Kind.MMIO, 2**64 - 1),
        (Kind.MSR, 0x83E + 2),
        (Kind.NONE, 0),
    ],
)
def test_what_is_nowhere_has_no_region(kind: Kind, address: int) -> None:
    assert region_at(PLATFORM, kind, address) is None


@pytest.mark.parametrize(
    ("offset", "name"),
    [(0x10, "virtio-pci notify"), (0x12, "virtio-pci status"), (0x200, "virtio-pci")],
)
def test_a_legacy_virtio_device_has_its_registers_wherever_it_is(offset: int, name: str) -> None:
    assert described(Region(Kind.PIO, 0xC040, 0xC3FF, "virtio-pci"), 0xC040 + offset) == name


def test_what_kvm_serves_itself_has_the_same_registers() -> None:
    page = Region(Kind.MMIO, 0xFEE00000, 0xFEEFFFFF, "kvm-apic-msi")
    assert described(page, 0xFEE000B0) == "kvm-apic-msi EOI"
    assert described(page, 0xFEE01000) == "kvm-apic-msi"


def test_the_msrs_of_kvm_are_those_of_the_header() -> None:
    if not HEADER.exists():
        pytest.skip(f"{HEADER} is not there: install linux-libc-dev")
    pairs = re.findall(r"^#define MSR_(KVM_\w+)\s+(0x[0-9a-f]+)", HEADER.read_text(), re.M)
    assert len(pairs) > 9
    ours = {first: name for first, _, name in MSRS}
    theirs = {int(number, 16): name for name, number in pairs}
    assert {number: ours.get(number) for number in theirs} == theirs

"""The platform map: in order, and right where a header of this machine knows better."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from bpfexit.events.kind import NO_KIND, Kind
from bpfexit.events.mmio import MMIO
from bpfexit.events.msr import MSR
from bpfexit.events.pio import PIO
from bpfexit.events.region import Region
from bpfexit.model.platform import PLATFORM, described, region_at
from bpfexit.names.msrs import MSRS
from bpfexit.names.registers import REGISTERS

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
        (PIO, 0x40, "pit channel 0"),
        (PIO, 0x43, "pit mode"),
        (PIO, 0x71, "rtc"),
        (PIO, 0x3FD, "serial LSR"),
        (PIO, 0x608, "acpi-tmr"),
        (PIO, 0x60B, "acpi-tmr"),
        (PIO, 0xCFC, "pci-conf-data"),
        (MMIO, 0xFEC00010, "ioapic window"),
        (MMIO, 0xFED000F0, "hpet counter"),
        (MMIO, 0xFED000F4, "hpet counter"),
        (MMIO, 0xFED00128, "hpet timer 1 comparator"),
        (MMIO, 0xFEE00020, "apic ID"),
        (MMIO, 0xFEE00080, "apic TPR"),
        (MMIO, 0xFEE000B0, "apic EOI"),
        (MMIO, 0xFEE00300, "apic ICR"),
        (MMIO, 0xFEE00380, "apic timer init"),
        (MMIO, 0xFEE00390, "apic timer count"),
        (MMIO, 0xFEE00FF0, "apic"),
        (MMIO, 0xFEB00250, "virtio-mmio notify"),
        (MSR, 0x10, "TSC"),
        (MSR, 0x6E0, "TSC_DEADLINE"),
        (MSR, 0x80B, "x2apic EOI"),
        (MSR, 0x830, "x2apic ICR"),
        (MSR, 0x83F, "x2apic self IPI"),
        (MSR, 0x26F, "MTRRfix4K_F8000"),
        (MSR, 0x40000020, "HV_TIME_REF_COUNT"),
        (MSR, 0x400000B7, "HV_STIMER3_COUNT"),
        (MSR, 0xC0000102, "KERNEL_GS_BASE"),
        (MSR, 0xC0010015, "K7_HWCR"),
    ],
)
def test_what_is_where(kind: Kind, address: int, name: str) -> None:
    region = region_at(PLATFORM, kind, address)
    assert region
    assert described(region, address) == name


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        (PIO, 0x606),
        (PIO, 0xC050),
        (PIO, 0xFEE00000),
        (MMIO, 0x608),
        (MMIO, 2**64 - 1),
        (MSR, 0x83E + 2),
        (NO_KIND, 0),
    ],
)
def test_what_is_nowhere_has_no_region(kind: Kind, address: int) -> None:
    assert region_at(PLATFORM, kind, address) is None


@pytest.mark.parametrize(
    ("offset", "name"),
    [(0x10, "virtio-pci notify"), (0x12, "virtio-pci status"), (0x200, "virtio-pci")],
)
def test_a_legacy_virtio_device_has_its_registers_wherever_it_is(offset: int, name: str) -> None:
    assert described(Region(PIO, 0xC040, 0xC3FF, "virtio-pci"), 0xC040 + offset) == name


def test_what_kvm_serves_itself_has_the_same_registers() -> None:
    page = Region(MMIO, 0xFEE00000, 0xFEEFFFFF, "kvm-apic-msi")
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

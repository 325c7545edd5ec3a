"""Registers of devices, by offset; each follows the device's name (`apic EOI`)."""

from bpfexit.names.ranges import Ranges, singles

APIC: Ranges = tuple(
    (number << 4, (last << 4) + 15, name)
    for number, last, name in (
        (0x02, 0x02, "ID"),
        (0x03, 0x03, "version"),
        (0x08, 0x08, "TPR"),
        (0x09, 0x09, "APR"),
        (0x0A, 0x0A, "PPR"),
        (0x0B, 0x0B, "EOI"),
        (0x0C, 0x0C, "RRD"),
        (0x0D, 0x0D, "LDR"),
        (0x0E, 0x0E, "DFR"),
        (0x0F, 0x0F, "SVR"),
        (0x10, 0x17, "ISR"),
        (0x18, 0x1F, "TMR"),
        (0x20, 0x27, "IRR"),
        (0x28, 0x28, "ESR"),
        (0x2F, 0x2F, "LVT CMCI"),
        (0x30, 0x30, "ICR"),
        (0x31, 0x31, "ICR high"),
        (0x32, 0x32, "LVT timer"),
        (0x33, 0x33, "LVT thermal"),
        (0x34, 0x34, "LVT perf"),
        (0x35, 0x35, "LVT LINT0"),
        (0x36, 0x36, "LVT LINT1"),
        (0x37, 0x37, "LVT error"),
        (0x38, 0x38, "timer init"),
        (0x39, 0x39, "timer count"),
        (0x3E, 0x3E, "timer divide"),
    )
)
"""By offset in the page: a register every 16 bytes."""

_HPET: Ranges = (
    (0x00, 0x07, "capabilities"),
    (0x10, 0x17, "config"),
    (0x20, 0x27, "status"),
    (0xF0, 0xF7, "counter"),
    *(
        (0x100 + 0x20 * timer + offset, 0x107 + 0x20 * timer + offset, f"timer {timer} {name}")
        for timer in range(8)
        for offset, name in ((0, "config"), (8, "comparator"), (16, "route"))
    ),
)

_IOAPIC: Ranges = ((0x00, 0x03, "select"), (0x10, 0x13, "window"), (0x40, 0x43, "EOI"))
_PIC = singles(0, "cmd", "data")
_PIT = singles(0, "channel 0", "channel 1", "channel 2", "mode")
_SERIAL = singles(0, "data", "IER", "IIR", "LCR", "MCR", "LSR", "MSR", "SCR")

_VIRTIO_PCI: Ranges = (
    (0x00, 0x03, "features"),
    (0x04, 0x07, "driver features"),
    (0x08, 0x0B, "queue address"),
    (0x0C, 0x0D, "queue size"),
    (0x0E, 0x0F, "queue select"),
    (0x10, 0x11, "notify"),
    (0x12, 0x12, "status"),
    (0x13, 0x13, "ISR"),
    (0x14, 0xFF, "config"),
)
"""The legacy I/O BAR; a modern device has a region for each of these."""

_VIRTIO_MMIO: Ranges = (
    (0x00, 0x0F, "identity"),
    (0x10, 0x27, "features"),
    (0x30, 0x33, "queue select"),
    (0x34, 0x3B, "queue size"),
    (0x44, 0x47, "queue ready"),
    (0x50, 0x53, "notify"),
    (0x60, 0x63, "ISR"),
    (0x64, 0x67, "interrupt ack"),
    (0x70, 0x73, "status"),
    (0x80, 0xA7, "queue address"),
    (0xFC, 0x1FF, "config"),
)

REGISTERS: dict[str, Ranges] = {
    "apic": APIC,
    "apic-msi": APIC,
    "hpet": _HPET,
    "ioapic": _IOAPIC,
    "pic": _PIC,
    "pit": _PIT,
    "serial": _SERIAL,
    "virtio-mmio": _VIRTIO_MMIO,
    "virtio-pci": _VIRTIO_PCI,
}
"""By device: ranges of offsets and the register there."""
